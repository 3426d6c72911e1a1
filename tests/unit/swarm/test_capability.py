"""Capabilities: presets, forms, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import MalformedMessage, RemoteProtocolError
from node.swarm.capability import (
    FULL_CAPABILITIES,
    FULL_NODE,
    LIGHT_CAPABILITIES,
    LIGHT_NODE,
    MAX_CACHED_RLP_BYTES,
    PSS_NODE,
    Capabilities,
    Capability,
    decode_capabilities,
    parse_capabilities,
    parse_capability,
)

single = st.builds(Capability, id=st.integers(0, 2**64 - 1), bits=st.lists(st.booleans(), max_size=20).map(tuple))
several = st.lists(single, unique_by=lambda cap: cap.id, max_size=4).map(lambda caps: Capabilities(caps=tuple(caps)))


def test_what_reference_nodes_send() -> None:
    full = bytes.fromhex("dfded280d001018080010180808080808080808001ca01c80101808080010180")
    assert FULL_CAPABILITIES.encode() == full
    assert decode_capabilities(full) == FULL_CAPABILITIES
    assert str(FULL_CAPABILITIES) == "0:1100110000000001,1:11000110"
    assert Capabilities(caps=(LIGHT_NODE,)).encode().hex() == "d4d3d280d001018080808080808080808080808080"
    assert Capabilities().encode() == bytes.fromhex("c1c0")


@settings(deadline=None)
@given(several)
def test_round_trips(capabilities: Capabilities) -> None:
    assert decode_capabilities(capabilities.encode()) == capabilities
    assert parse_capabilities(str(capabilities)) == capabilities


def test_the_second_of_two_with_one_id_is_ignored() -> None:
    doubled = Capabilities(caps=(LIGHT_NODE, parse_capability("7:11"), FULL_NODE))
    assert decode_capabilities(doubled.encode()) == Capabilities(caps=(LIGHT_NODE, parse_capability("7:11")))


def test_more_than_the_cache_takes() -> None:
    big = Capabilities(caps=(Capability(id=9, bits=(True,) * MAX_CACHED_RLP_BYTES),))
    assert decode_capabilities(big.encode()) == big


@pytest.mark.parametrize(
    ("text", "legal"),
    [
        ("0:1100110000000001", True),
        ("7:11,0:1100000000000000,1:00000000", True),
        ("", False),
        ("1:11000110", False),
        ("0:11000000", False),
        ("0:1100110000000011", False),
        ("0:11001100000000010", False),
    ],
)
def test_only_two_presets_are_legal_in_a_handshake(text: str, legal: bool) -> None:
    assert parse_capabilities(text).legal_in_handshake == legal


def test_light() -> None:
    assert LIGHT_CAPABILITIES.is_light
    assert not FULL_CAPABILITIES.is_light
    assert FULL_NODE.includes(LIGHT_NODE)
    assert not LIGHT_NODE.includes(FULL_NODE)
    assert not PSS_NODE.includes(LIGHT_NODE)


def test_answers_of_the_rpc_methods() -> None:
    assert FULL_CAPABILITIES.match(1, 0)
    assert not FULL_CAPABILITIES.match(1, 4)
    with pytest.raises(ValueError, match=r"^Capability 7 not registered$"):
        FULL_CAPABILITIES.match(7, 0)
    with pytest.raises(ValueError, match=r"^Capability 1 idx 9 out of range$"):
        FULL_CAPABILITIES.match(1, 9)
    with pytest.raises(ValueError, match=r"^Capability id 0 already registered$"):
        FULL_CAPABILITIES.adding(LIGHT_NODE)
    assert PSS_NODE.to_json() == {"Id": 1, "Cap": [True, True, False, False, False, True, True, False]}
    assert FULL_CAPABILITIES.to_json()["Caps"][1] == PSS_NODE.to_json()


@pytest.mark.parametrize("text", ["x", "0", ":", "0:2", "-1:0", "0:1,0:1", "0:1,", "²:1"])
def test_bad_text(text: str) -> None:
    with pytest.raises(ValueError):
        parse_capabilities(text)


@pytest.mark.parametrize("raw", ["", "c0", "80", "c1c0c0", "c2c0c0", "c6c5c480c20102", "c6c5c400c20101", "c4c3c280c1"])
def test_bad_rlp(raw: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_capabilities(bytes.fromhex(raw))


@settings(deadline=None)
@given(several, st.data())
def test_damaged_rlp_decodes_or_is_refused(capabilities: Capabilities, data: st.DataObject) -> None:
    raw = bytearray(capabilities.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        decode_capabilities(bytes(raw))
    except RemoteProtocolError:
        return
