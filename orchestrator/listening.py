"""Streams of a node, read by a thread of their own, also across the node's restarts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

from node.control.client import ControlError

if TYPE_CHECKING:
    from orchestrator.node_handle import NodeHandle

RETRY_S = 0.25
"""Between two attempts to reach a node that went away."""

T = TypeVar("T")


@contextlib.contextmanager
def listening(
    node: NodeHandle,
    stream: Callable[[NodeHandle], AbstractContextManager[Iterator[T]]],
    take: Callable[[T], None],
    *,
    lost: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Call `take` from a thread with all that a stream brings, until the block ends.

    None of what comes is missed once the block has begun. When the node goes away, `lost` is called, and the stream is
    opened again when the node is back.

    Args:
        node: a handle for this only; it is closed at the end, which ends the stream.
        stream: opens the stream of a node.

    Raises:
        ControlError: the stream does not open the first time.
    """
    ending, begun = threading.Event(), threading.Event()
    refused: list[Exception] = []

    def read() -> None:
        while not ending.is_set():
            try:
                with stream(node) as things:
                    begun.set()
                    for thing in things:
                        take(thing)
            except ControlError as error:
                if not begun.is_set():
                    refused.append(error)
                    return
            except ValueError as error:  # gRPC, of a channel that was closed meanwhile
                refused.append(error)
                return
            finally:
                begun.set()
            lost()
            ending.wait(RETRY_S)

    reader = threading.Thread(target=read, name=f"stream of {node.name}", daemon=True)
    reader.start()
    try:
        begun.wait()
        if refused:
            raise refused[0]
        yield
    finally:
        ending.set()
        node.close()
        reader.join()
