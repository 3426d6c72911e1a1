"""An event loop in a thread of its own, for synchronous callers of what is asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

T = TypeVar("T")

END_TIMEOUT_S = 5.0
"""For what is to be done before a loop ends, and again for its tasks to be cancelled. Source: ours; both are local and
take milliseconds."""


class LoopClosed(Exception):
    """There is no loop any more."""


class LoopThread:
    """Begins with the first call. Thread-safe; close it when done."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, begin: Callable[[], Coroutine[Any, Any, T]], *, timeout_s: float | None) -> T:
        """Run a coroutine on the loop and wait for it.

        Args:
            begin: makes the coroutine.
            timeout_s: after so long it is cancelled; None waits until it ends or the loop is closed.

        Raises:
            LoopClosed: it was closed before or meanwhile; the coroutine is not begun, or cancelled.
            TimeoutError: after `timeout_s`.
        """

        async def limited() -> T:
            async with asyncio.timeout(timeout_s):
                return await begin()

        with self._lock:
            if self._closed:
                raise LoopClosed
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(limited(), self._loop)
        try:
            return future.result()
        except CancelledError:
            raise LoopClosed from None

    def close(self, end: Callable[[], Awaitable[object]]) -> None:
        """End the loop; twice is fine. It ends whatever becomes of `end`, whose error is raised afterwards.

        Args:
            end: run on it before, if it was ever begun; cancelled after :data:`END_TIMEOUT_S`.

        Raises:
            TimeoutError: `end` took longer.
        """
        with self._lock:
            self._closed = True
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return

        async def last() -> None:
            try:
                async with asyncio.timeout(END_TIMEOUT_S):
                    await end()
            finally:
                # Calls of threads that do not wait any more, as after Ctrl-C.
                left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
                for task in left:
                    task.cancel()
                if left:
                    done, _ = await asyncio.wait(left, timeout=END_TIMEOUT_S)
                    for task in done:
                        if not task.cancelled():
                            task.exception()  # nobody asks for it any more, and nobody needs to be told

        try:
            asyncio.run_coroutine_threadsafe(last(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
