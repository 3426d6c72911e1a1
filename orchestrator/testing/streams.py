"""Reading a stream of a node with a deadline: gRPC's own iterators wait for ever."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Generic, TypeVar

from node.control.client import ControlError

T = TypeVar("T")


class Ended(Exception):
    """The stream brings nothing more."""


class StreamReader(Generic[T]):
    """Reads a stream in a thread, which ends with the stream."""

    def __init__(self, stream: Iterator[T], name: str) -> None:
        self._items: queue.SimpleQueue[T | Exception] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(stream,), name=name, daemon=True).start()

    def _read(self, stream: Iterator[T]) -> None:
        try:
            for item in stream:
                self._items.put(item)
        except ControlError as error:  # the node went away
            self._items.put(error)
        else:
            self._items.put(Ended("its stream ended"))

    def next(self, deadline: float) -> T | None:
        """The next item, or None if the deadline (of the monotonic clock) passes first. What is there comes at once.

        Raises:
            Ended: there is none any more.
            ControlError: the node went away.
        """
        try:
            item = self._items.get(timeout=max(deadline - time.monotonic(), 0.0))
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        return item
