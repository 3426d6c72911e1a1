"""The bearer token, and events on their way through control (control.proto)."""

from __future__ import annotations

import pytest

from node.control.auth import token_metadata
from node.control.convert import event_from_pb, event_to_pb
from node.control.gen import control_pb2 as pb
from node.events import Kind, NodeEvent


def test_what_a_caller_sends_along() -> None:
    assert token_metadata("abc") == (("authorization", "Bearer abc"),)
    assert token_metadata("") == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": Kind.ADD, "peer": "aa", "local": "127.0.0.1:1", "remote": "127.0.0.1:2"},
        {"kind": Kind.DROP, "peer": "aa", "reason": "client quitting"},
        {"kind": Kind.MSG_RECV, "peer": "aa", "protocol": "foo", "code": 0, "size": 0},
        {"kind": Kind.PSS_SENT, "digest": "ab" * 32, "size": 5, "control": True, "data": {"mode": "raw", "to": ""}},
        {"kind": Kind.PSS_FORWARDED, "data": {"mode": "all", "po": 256, "depth": 0, "more": [None, 1.5, "ü"]}},
    ],
)
def test_an_event_comes_out_as_it_went_in(fields: dict[str, object]) -> None:
    event = NodeEvent(seq=2**40, wall_s=1.5, mono_s=2.25, **fields)  # type: ignore[arg-type]
    message = pb.Event.FromString(event_to_pb(event, "alice").SerializeToString())
    assert message.node == "alice"
    assert event_from_pb(message) == event
    assert message.HasField("code") == ("code" in fields)
    assert bool(message.data_json) == ("data" in fields)


def test_every_kind_of_event_has_a_name_on_the_wire() -> None:
    for number, kind in enumerate(Kind):
        event = NodeEvent(seq=number, wall_s=0.0, mono_s=0.0, kind=kind)
        assert event_from_pb(event_to_pb(event, "")).kind is kind
