"""node.swarm.persisted: what is kept of the tables, and documents that somebody else could have written."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.ids import OverlayAddress
from node.statefile import MAX_STATE_BYTES
from node.swarm.address import MAX_CAPABILITIES_BYTES, MAX_UNDERLAY_BYTES, BzzAddr
from node.swarm.capability import Capabilities, Capability
from node.swarm.kademlia import Kademlia
from node.swarm.persisted import (
    MAX_STORED_CONNS,
    MAX_STORED_PEERS,
    Remembered,
    from_document,
    remember,
    to_document,
)
from tests.unit.swarm.samples import overlay_of, overlay_sets, record

BASE = overlay_of("0")


def read(document: object) -> Remembered:
    """As after a restart: through JSON."""
    return from_document(json.loads(json.dumps(document)), network_id=4, base=BASE)


def written(**members: object) -> dict[str, Any]:
    """A good document with some members replaced."""
    return to_document(Remembered(peers=(record("1"),), conns=(record("01"),)), network_id=4) | members


@given(overlay_sets, overlay_sets)
def test_what_is_kept_comes_back(peers: list[OverlayAddress], conns: list[OverlayAddress]) -> None:
    kept = Remembered(
        peers=tuple(record(one) for one in peers if one != BASE),
        conns=tuple(record(one) for one in conns if one != BASE),
    )
    assert read(to_document(kept, network_id=4)) == kept


def test_records_come_back_as_they_came() -> None:
    """Also one with an underlay that is no text, which the wire may bring."""
    odd = BzzAddr(overlay=overlay_of("1"), underlay=b"\xff\x00xx", capabilities_rlp=b"\xc1\xc0")
    assert read(to_document(Remembered(peers=(odd,)), network_id=4)).peers == (odd,)


def test_the_tables() -> None:
    table: Kademlia[str] = Kademlia(BASE)
    table.on(record("01"), "01", 0.0)
    table.on(record("1"), "1", 0.0)
    table.register([record("11"), record("0001"), record("0011")], 0.0)
    kept = remember(table)
    # The nearest first: they are the fewest and the hardest to learn of.
    assert kept.conns == (record("01"), record("1"))
    assert kept.peers == tuple(record(bits) for bits in ("01", "1", "0001", "0011", "11"))


def test_what_was_tried_in_vain_comes_last() -> None:
    table: Kademlia[str] = Kademlia(BASE)
    table.register([record("0001"), record("0000001")], 0.0)
    tried = table.suggest_peer(0.0).address
    assert tried is not None
    assert remember(table).peers[1] == tried


def test_the_bounds_when_storing() -> None:
    table: Kademlia[int] = Kademlia(BASE)
    addresses = [record(overlay_of(f"1{i:020b}")) for i in range(MAX_STORED_PEERS + 50)]
    for number, address in enumerate(addresses[: MAX_STORED_CONNS + 9]):
        table.on(address, number, 0.0)
    table.register(addresses, 0.0)
    kept = remember(table)
    assert len(kept.peers) == MAX_STORED_PEERS
    assert len(kept.conns) == MAX_STORED_CONNS
    assert {address.overlay for address in kept.conns} <= {address.overlay for address in kept.peers}


def test_the_bounds_when_reading() -> None:
    entries = to_document(
        Remembered(peers=tuple(record(overlay_of(f"1{i:020b}")) for i in range(MAX_STORED_PEERS + 5))), network_id=4
    )["peers"]
    remembered = read(written(peers=entries, conns=entries))
    assert len(remembered.peers) == MAX_STORED_PEERS
    assert len(remembered.conns) == MAX_STORED_CONNS
    assert remembered.left_out == 5 + len(entries) - MAX_STORED_CONNS


def test_the_longest_records_fit_into_the_file() -> None:
    bits = Capability(id=7, bits=(True,) * (MAX_CAPABILITIES_BYTES - 16))
    longest = BzzAddr(
        overlay=overlay_of("1"),
        underlay=bytes(MAX_UNDERLAY_BYTES),
        capabilities_rlp=Capabilities(caps=(bits,)).encode().ljust(MAX_CAPABILITIES_BYTES, b"\0"),
    )
    kept = Remembered(peers=(longest,) * MAX_STORED_PEERS, conns=(longest,) * MAX_STORED_CONNS)
    assert len(json.dumps(to_document(kept, network_id=2**64 - 1))) < MAX_STATE_BYTES


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {},
        written(format=2),
        written(format=None),
        written(peers=None),
        written(peers={}),
        written(conns="none"),
        {"format": 1, "network": 4},
    ],
)
def test_a_foreign_document(document: object) -> None:
    with pytest.raises(ValueError, match="it holds no"):
        read(document)


@pytest.mark.parametrize("network", [5, "4", None, 4.5, "x" * 10_000])
def test_another_network(network: object) -> None:
    with pytest.raises(ValueError, match="it is of network") as caught:
        read(written(network=network))
    assert len(str(caught.value)) < 50


GOOD = written()["peers"][0]


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "entry",
    [
        None,
        5,
        "enode://",
        [],
        {},
        GOOD | {"OAddr": b64(bytes(31))},
        GOOD | {"OAddr": b64(bytes(33))},
        GOOD | {"OAddr": b64(BASE)},
        GOOD | {"OAddr": "!"},
        GOOD | {"OAddr": None},
        GOOD | {"UAddr": 7},
        GOOD | {"UAddr": "ü"},
        GOOD | {"UAddr": b64(bytes(MAX_UNDERLAY_BYTES + 1))},
        GOOD | {"Capabilities": b64(b"\xc0")},
        GOOD | {"Capabilities": ""},
        {key: value for key, value in GOOD.items() if key != "Capabilities"},
    ],
    ids=lambda entry: str(entry)[:30],
)
def test_what_is_no_record_is_left_out(entry: object) -> None:
    remembered = read(written(peers=[entry, GOOD], conns=[GOOD, entry]))
    assert remembered == Remembered(peers=(record("1"),), conns=(record("1"),), left_out=2)


@given(
    st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_nothing_in_the_lists_does_harm(junk: object) -> None:
    assert read(written(peers=[junk], conns=[junk, GOOD])).conns == (record("1"),)
