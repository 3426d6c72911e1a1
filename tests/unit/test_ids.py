"""node.ids: identifiers and their text forms (spec 01 section 2.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.ids import OVERLAY_ADDRESS_BYTES, TOPIC_BYTES, overlay_address, parse_node_id

raw_ids = st.binary(min_size=32, max_size=32)


@given(raw_ids, st.sampled_from(["", "0x", "0X"]), st.booleans())
def test_a_node_id_with_or_without_0x_in_either_case(raw: bytes, prefix: str, upper: bool) -> None:
    digits = raw.hex().upper() if upper else raw.hex()
    assert parse_node_id(prefix + digits) == raw


@pytest.mark.parametrize("text", ["", "0x", "ab", "0x" + "00" * 31, "00" * 33, "0x0x" + "00" * 30])
def test_the_wrong_length_has_the_reference_wording(text: str) -> None:
    with pytest.raises(ValueError, match="wrong length, want 64 hex chars"):
        parse_node_id(text)


@pytest.mark.parametrize("text", ["zz" * 32, "0g" + "00" * 31, "é" * 64, " " + "0" * 62 + " ", "00 " * 21 + "0"])
def test_only_hex_digits(text: str) -> None:
    with pytest.raises(ValueError):
        parse_node_id(text)


@given(st.binary(max_size=40))
def test_overlay_addresses_have_32_bytes(raw: bytes) -> None:
    if len(raw) == OVERLAY_ADDRESS_BYTES:
        assert overlay_address(raw) == raw
    else:
        with pytest.raises(ValueError, match=f"must be 32 bytes, got {len(raw)}"):
            overlay_address(raw)


def test_lengths() -> None:
    assert TOPIC_BYTES == 4
