"""Streams of a node, read by a thread of their own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from node.control.client import ControlError

T = TypeVar("T")


@contextlib.contextmanager
def read_aside(stream: AbstractContextManager[Iterator[T]], take: Callable[[T], None], *, name: str) -> Iterator[None]:
    """Call `take` from a thread with all that a stream brings, until the block ends; ends quietly if the node does.

    Args:
        stream: not yet entered; none of what comes is missed once the block has begun.
        name: of the thread.
    """
    reader: threading.Thread | None = None

    def read(things: Iterator[T]) -> None:
        with contextlib.suppress(ControlError):
            for thing in things:
                take(thing)

    try:
        with stream as things:
            reader = threading.Thread(target=read, args=(things,), name=name, daemon=True)
            reader.start()
            yield
    finally:
        if reader is not None:
            reader.join()  # the stream has ended with its block
