"""node.ids: identifiers and their text forms (spec 01 section 2.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.ids import OVERLAY_ADDRESS_BYTES, TOPIC_BYTES, overlay_address


@given(st.binary(max_size=40))
def test_overlay_addresses_have_32_bytes(raw: bytes) -> None:
    if len(raw) == OVERLAY_ADDRESS_BYTES:
        assert overlay_address(raw) == raw
    else:
        with pytest.raises(ValueError, match=f"must be 32 bytes, got {len(raw)}"):
            overlay_address(raw)


def test_lengths() -> None:
    assert TOPIC_BYTES == 4
