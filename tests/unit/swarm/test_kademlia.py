"""The tables: what register, on and off do; two connections for one address; limits."""

from __future__ import annotations

import pytest

from node.ids import OverlayAddress
from node.swarm.address import MAX_UNDERLAY_BYTES, BzzAddr
from node.swarm.capability import FULL_CAPABILITIES, LIGHT_CAPABILITIES
from node.swarm.kademlia import ConnChange, Kademlia, Registration
from tests.unit.swarm.samples import overlay_of, record

BASE = overlay_of("0")


class Peer:
    """Told from all others by identity only."""


@pytest.fixture
def table() -> Kademlia[Peer]:
    return Kademlia(BASE)


def test_register(table: Kademlia[Peer]) -> None:
    assert table.register([record("1"), record("01"), record("1")], 5.0) == Registration(stored=2)
    entry = table.get_known(overlay_of("1"))
    assert entry is not None
    assert (entry.seen_at_s, entry.retries, entry.live) == (5.0, 0, False)
    assert (table.known_count, table.conn_count) == (2, 0)
    assert table.known == [record("1"), record("01")]


def test_our_own_address_ends_a_registration(table: Kademlia[Peer]) -> None:
    result = table.register([record("1"), record(BASE), record("01")], 5.0)
    assert result == Registration(stored=1, met_self=True)
    assert table.known == [record("1")]


def test_another_underlay_makes_a_fresh_entry(table: Kademlia[Peer]) -> None:
    table.register([record("1")], 5.0)
    assert table.suggest_peer(5.0).address == record("1")
    assert table.register([record("1")], 6.0) == Registration()
    assert table.suggest_peer(6.0).address is None
    assert table.register([record("1", port=1)], 6.0) == Registration(stored=1)
    assert table.suggest_peer(6.0).address == record("1", port=1)


def test_hearsay_does_not_touch_a_live_peer(table: Kademlia[Peer]) -> None:
    table.on(record("1"), Peer(), 5.0)
    assert table.register([record("1", port=1)], 6.0) == Registration()
    assert table.known == [record("1")]
    assert table.suggest_peer(6.0).address is None


def test_on_and_off(table: Kademlia[Peer]) -> None:
    peer = Peer()
    table.register([record("1")], 1.0)
    assert table.on(record("1", port=2), peer, 2.0) == (0, False)
    conn, entry = table.get_conn(overlay_of("1")), table.get_known(overlay_of("1"))
    assert conn is not None
    assert conn.peer is peer
    assert entry is not None
    assert (entry.address, entry.live) == (record("1", port=2), True)
    table.off(record("1"), peer, 3.0)
    entry = table.get_known(overlay_of("1"))
    assert entry is not None
    assert (entry.seen_at_s, entry.retries, entry.live) == (3.0, 0, False)
    assert (table.conn_count, table.known_count) == (0, 1)
    table.off(record("1"), peer, 4.0)
    assert table.known_count == 1


def test_only_the_very_peer_leaves(table: Kademlia[Peer]) -> None:
    first, second = Peer(), Peer()
    table.on(record("1"), first, 1.0)
    table.on(record("1", port=2), second, 2.0)
    assert list(table.each_conn()) == [(first, 0)]
    table.off(record("1", port=2), second, 3.0)
    assert list(table.each_conn()) == [(first, 0)]
    assert table.connected == [record("1")]


def test_the_second_connection_takes_over(table: Kademlia[Peer]) -> None:
    changes: list[ConnChange[Peer]] = []
    table.listeners.append(changes.append)
    first, second, third = Peer(), Peer(), Peer()
    for peer, port in ((first, 1), (second, 2), (third, 3)):
        table.on(record("1", port=port), peer, 1.0)
    table.off(record("1", port=1), first, 2.0)
    assert table.connected == [record("1", port=2)]
    table.off(record("1", port=3), third, 3.0)
    table.off(record("1", port=2), second, 4.0)
    assert table.conn_count == 0
    assert [(change.on, change.peer, change.po) for change in changes] == [
        (True, first, 0),
        (False, first, 0),
        (True, second, 0),
        (False, second, 0),
    ]


@pytest.mark.parametrize("wait_s", [0.0, 4.1])
def test_invented_underlays_do_not_make_us_dial_without_end(table: Kademlia[Peer], wait_s: float) -> None:
    table.register([record("1")], 5.0)
    assert table.register([record("1", port=1)], 5.0) == Registration(stored=1)
    assert table.suggest_peer(5.0).address == record("1", port=1)
    assert table.register([record("1", port=2)], 5.0 + wait_s) == Registration(refused=1)
    assert table.suggest_peer(5.0 + wait_s).address is None
    assert table.register([record("1", port=2)], 9.25) == Registration(stored=1)
    assert table.suggest_peer(9.25).address == record("1", port=2)


def test_a_live_peers_own_record_is_no_replacement(table: Kademlia[Peer]) -> None:
    peer = Peer()
    table.register([record("1")], 5.0)
    table.register([record("1", port=1)], 5.0)
    table.on(record("1", port=2), peer, 5.0)
    table.off(record("1", port=2), peer, 5.0)
    assert table.register([record("1", port=3)], 5.0) == Registration(stored=1)


def test_a_full_table_gives_up_what_was_tried_most_often() -> None:
    table: Kademlia[int] = Kademlia(BASE, max_known=3)
    table.register([record("1"), record("01"), record("001")], 0.0)
    tried = table.get_known(overlay_of("01"))
    assert tried is not None
    tried.retries = 2
    assert table.register([record("0001")], 0.0) == Registration(stored=1)
    assert table.known == [record("1"), record("001"), record("0001")]
    # Among equals the shallowest, where the most are known. What replaces an entry needs no room.
    assert table.register([record("00001"), record("001", port=1)], 0.0) == Registration(stored=2)
    assert table.known == [record("001", port=1), record("0001"), record("00001")]


def test_a_full_table_never_gives_up_live_peers() -> None:
    table: Kademlia[int] = Kademlia(BASE, max_known=2)
    table.register([record("1"), record("01")], 0.0)
    table.on(record("001"), 1, 0.0)
    table.on(record("0001"), 2, 0.0)
    assert (table.known_count, table.conn_count) == (4, 2)
    # Connections made it overfull; the room they took is won back as far as others leave any.
    assert table.register([record("00001")], 0.0) == Registration(refused=1)
    assert table.known == table.connected == [record("001"), record("0001")]


def test_a_full_table_makes_room_for_many_at_once() -> None:
    table: Kademlia[int] = Kademlia(BASE, max_known=200)
    table.register([record(overlay_of(f"1{i:010b}")) for i in range(200)], 0.0)
    assert table.register([record("01")], 0.0) == Registration(stored=1)
    assert table.known_count == 199
    assert table.register([record("001")], 0.0) == Registration(stored=1)
    assert table.known_count == 200


def test_records_too_long_are_refused(table: Kademlia[Peer]) -> None:
    address = BzzAddr(overlay=overlay_of("1"), underlay=bytes(MAX_UNDERLAY_BYTES + 1))
    assert table.register([address], 0.0) == Registration(refused=1)


def test_what_may_not_be_dialed_is_kept_but_not_suggested() -> None:
    table: Kademlia[int] = Kademlia(BASE, may_dial=lambda address: address.underlay != b"no")
    table.register([BzzAddr(overlay=overlay_of("1"), underlay=b"no"), record("11")], 0.0)
    assert table.known_count == 2
    assert table.suggest_peer(0.0).address == record("11")
    assert table.suggest_peer(0.0).address is None


def test_depth_among_some_peers(table: Kademlia[Peer]) -> None:
    for bits in ("1", "01", "001", "0001"):
        capabilities = LIGHT_CAPABILITIES if bits == "1" else FULL_CAPABILITIES
        table.on(BzzAddr.of(overlay_of(bits), "x", capabilities), Peer(), 0.0)
    assert table.neighbourhood_depth == 2
    assert table.depth_among(lambda address: True) == 2
    assert table.depth_among(lambda address: not address.capabilities.is_light) == 0


def test_bins(table: Kademlia[Peer]) -> None:
    for bits in ("01", "1", "11"):
        table.on(record(bits), Peer(), 0.0)
    assert table.conn_bins() == [(0, [record("1"), record("11")]), (1, [record("01")])]
    assert [(po, [entry.address for entry in entries]) for po, entries in table.known_bins()] == table.conn_bins()


def test_a_peer_with_our_own_address_is_nobodys_neighbour(table: Kademlia[Peer]) -> None:
    for overlay in (BASE, overlay_of("1"), overlay_of("11")):
        table.on(record(overlay), Peer(), 0.0)
    assert table.neighbourhood_depth == 0
    assert [po for _, po in table.each_conn()] == [256, 0, 0]
    assert table.suggest_peer(0.0).depth == 0


@pytest.mark.parametrize("size", [0, 31, 33])
def test_the_base_must_be_whole(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Kademlia(OverlayAddress(bytes(size)))
