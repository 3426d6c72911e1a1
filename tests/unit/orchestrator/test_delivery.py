"""orchestrator.delivery: which of the messages at the receiver is the one that was sent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from node.control.gen import control_pb2 as pb
from orchestrator.delivery import Arrival, deliver
from orchestrator.identity import make_node

A, B = make_node(1, "x", "a"), make_node(1, "x", "b")
A_KEY = f"0x{A.public_key.hex()}"
DIGEST = b"d" * 32


class Control:
    """Sends with a digest or without, and receives what it was told to."""

    def __init__(self, digest: bytes = b"", messages: tuple[pb.PssMessage, ...] = ()) -> None:
        self.digest, self.messages = digest, messages

    def set_peer_key(self, *_: Any) -> str:
        return "key"

    def set_symmetric_key(self, *_: Any, receive: bool) -> str:
        return "to-read" if receive else "to-send"

    def send(self, *_: Any, **__: Any) -> bytes:
        return self.digest

    @contextlib.contextmanager
    def subscribe(self, *_: Any, **__: Any) -> Iterator[Iterator[pb.PssMessage]]:
        yield iter(self.messages)


def send(mode: str, *messages: pb.PssMessage, digest: bytes = b"") -> Arrival:
    def node(spec: Any, control: Control) -> Any:
        return SimpleNamespace(spec=spec, overlay=spec.overlay, control=control, topic=lambda name: b"topi")

    return deliver(node(A, Control(digest)), node(B, Control(messages=messages)), b"text", mode=mode, timeout_s=5.0)


def test_by_digest_where_both_tell_it() -> None:
    other = pb.PssMessage(payload=b"text", key_id=A_KEY, digest=b"e" * 32)
    mine = pb.PssMessage(payload=b"text", key_id=A_KEY, digest=DIGEST)
    assert send("asym", other, digest=DIGEST).payload is None
    assert send("asym", other, mine, digest=DIGEST).payload == b"text"


@pytest.mark.parametrize(("mode", "key_id"), [("asym", A_KEY), ("sym", "to-read"), ("raw", "")])
def test_by_text_and_key_where_one_does_not(mode: str, key_id: str) -> None:
    wrong_text, wrong_key = pb.PssMessage(payload=b"t", key_id=key_id), pb.PssMessage(payload=b"text", key_id="z")
    assert send(mode, wrong_text, wrong_key).payload is None
    arrival = send(mode, wrong_text, wrong_key, pb.PssMessage(payload=b"text", key_id=key_id))
    assert (arrival.payload, arrival.digest) == (b"text", b"")


def test_the_digest_of_whichever_end_tells_it() -> None:
    silent, told = (
        pb.PssMessage(payload=b"text", key_id=A_KEY),
        pb.PssMessage(payload=b"text", key_id=A_KEY, digest=DIGEST),
    )
    assert send("asym", silent, digest=DIGEST).digest == DIGEST
    assert send("asym", told).digest == DIGEST
