"""node.disconnect: reasons and their texts (spec 02 section 3)."""

from __future__ import annotations

import pytest

from node.disconnect import DisconnectReason, reason_text

TABLE = {
    0: "disconnect requested",
    1: "network error",
    2: "breach of protocol",
    3: "useless peer",
    4: "too many peers",
    5: "already connected",
    6: "incompatible p2p protocol version",
    7: "invalid node identity",
    8: "client quitting",
    9: "unexpected identity",
    10: "connected to self",
    11: "read timeout",
    12: "",
    13: "",
    14: "",
    15: "",
    16: "subprotocol error",
    17: "unknown disconnect reason 17",
    18: "unknown disconnect reason 18",
    260: "unknown disconnect reason 260",
    2**64 - 1: f"unknown disconnect reason {2**64 - 1}",
}


@pytest.mark.parametrize(("number", "text"), TABLE.items())
def test_texts(number: int, text: str) -> None:
    assert reason_text(number) == text


def test_every_reason_has_the_text_of_the_table() -> None:
    assert {int(reason): reason.text for reason in DisconnectReason} == {
        number: text for number, text in TABLE.items() if number <= 16 and text
    }
