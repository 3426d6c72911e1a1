"""Address records: what is one, what is worth keeping, what is worth dialing."""

from __future__ import annotations

import pytest

from node.crypto.secp256k1 import PrivateKey
from node.errors import MalformedMessage
from node.ids import OverlayAddress
from node.rlp.codec import Item
from node.swarm.address import MAX_CAPABILITIES_BYTES, MAX_UNDERLAY_BYTES, BzzAddr
from node.swarm.capability import FULL_CAPABILITIES, FULL_NODE, Capabilities
from tests.unit.swarm.samples import KEY_TEXT, overlay_of, record


def test_round_trip() -> None:
    address = record("1")
    assert BzzAddr.from_items(address.to_items()) == address
    assert address.capabilities == FULL_CAPABILITIES
    assert address.underlay_text == f"enode://{KEY_TEXT}@127.0.0.1:30399"


def test_overlay_hash_covers_the_leading_byte() -> None:
    # Spec 05 section 2, node 1.
    key = PrivateKey(b"\x01" * 32).public
    assert key.overlay.hex() == "b59a23e8aaa6e40d3bd6e5eccd09987ab8141ec5b3646962e6810671d8f82434"


GOOD = [bytes(32), b"xx", FULL_CAPABILITIES.encode()]


@pytest.mark.parametrize(
    "items",
    [
        [],
        GOOD[:2],
        [*GOOD, b""],
        [bytes(31), *GOOD[1:]],
        [bytes(33), *GOOD[1:]],
        [b"", *GOOD[1:]],
        [[], *GOOD[1:]],
        [GOOD[0], [], GOOD[2]],
        [*GOOD[:2], []],
        [*GOOD[:2], b""],
        [*GOOD[:2], b"\xc0"],
    ],
)
def test_what_is_no_record(items: list[Item]) -> None:
    with pytest.raises(MalformedMessage):
        BzzAddr.from_items(items)


@pytest.mark.parametrize("size", [0, 2, 31, 33])
def test_no_record_without_a_whole_overlay_address(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        BzzAddr(overlay=OverlayAddress(bytes(size)), underlay=b"")


@pytest.mark.parametrize(
    ("underlay", "dialable"),
    [
        (f"enode://{KEY_TEXT}@127.0.0.1:30399", True),
        (f"enode://{KEY_TEXT}@[2001:db8::1]:1?discport=0", True),
        (f"ENODE://{KEY_TEXT.upper()}@10.0.0.1:65535", True),
        (f"enode://{KEY_TEXT}", False),
        (f"enode://{KEY_TEXT[:-1]}@127.0.0.1:30399", False),
        (f"enode://{KEY_TEXT}@127.0.0.1", False),
        (f"enode://{KEY_TEXT}@:30399", False),
        (f"enode://{KEY_TEXT}@127.0.0.1:30399\n", False),
        (f"enode://{KEY_TEXT}@127.0.0.1:30399/x", False),
        (f"enode://{KEY_TEXT}@{'1' * 600}:1", False),
        (f"http://{KEY_TEXT}@127.0.0.1:30399", False),
        ("xx", False),
        ("", False),
    ],
)
def test_dialable(underlay: str, dialable: bool) -> None:
    assert BzzAddr(overlay=overlay_of("0"), underlay=underlay.encode()).dialable == dialable


def test_storable_at_the_limits() -> None:
    overlay = overlay_of("0")
    assert BzzAddr(overlay=overlay, underlay=bytes(MAX_UNDERLAY_BYTES)).storable
    assert not BzzAddr(overlay=overlay, underlay=bytes(MAX_UNDERLAY_BYTES + 1)).storable
    for size, fits in ((MAX_CAPABILITIES_BYTES, True), (MAX_CAPABILITIES_BYTES + 1, False)):
        assert BzzAddr(overlay=overlay, underlay=b"", capabilities_rlp=bytes(size)).storable == fits


def test_foreign_bytes_have_a_text() -> None:
    assert BzzAddr(overlay=overlay_of("0"), underlay=b"\xff\x00a").underlay_text == "\ufffd\x00a"


def test_json() -> None:
    address = BzzAddr.of(overlay_of("1"), "xx", Capabilities(caps=(FULL_NODE,)))
    assert address.to_json() == {
        "OAddr": "g" + "A" * 42 + "=",
        "UAddr": "eHg=",
        "Capabilities": {"Caps": [FULL_NODE.to_json()]},
    }
