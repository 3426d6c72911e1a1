"""An event loop in a thread of its own, for synchronous callers of what is asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

T = TypeVar("T")


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

    def run(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the loop and wait for it.

        Raises:
            LoopClosed: it was closed before or meanwhile; the coroutine is not begun, or cancelled.
        """
        with self._lock:
            if self._closed:
                raise LoopClosed
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(begin(), self._loop)
        try:
            return future.result()
        except CancelledError:
            raise LoopClosed from None

    def close(self, end: Callable[[], Awaitable[object]]) -> None:
        """End the loop; twice is fine.

        Args:
            end: run on it before, if it was ever begun.
        """
        with self._lock:
            self._closed = True
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return

        async def last() -> None:
            await end()
            # Calls of threads that do not wait any more, as after Ctrl-C.
            left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(last(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
