"""The rules of hive, one by one, and small networks that find each other."""

from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ids import OverlayAddress
from node.swarm import hive as hive_module
from node.swarm.address import MAX_UNDERLAY_BYTES, BzzAddr
from node.swarm.health import check_health, peer_pots
from node.swarm.hive import MAX_ADDRESSES_PER_MESSAGE, HiveCore, Outgoing
from node.swarm.messages import HiveMessage, PeersMsg, SubPeersMsg
from node.swarm.proximity import closer, proximity_order
from tests.unit.swarm.samples import overlay_of, overlay_sets, overlays, record

BASE = overlay_of("0")


def connect(core: HiveCore[str], *peers: str) -> list[Outgoing[str]]:
    """Connect peers that go by their bits; the messages of the last."""
    sent: list[Outgoing[str]] = []
    for bits in peers:
        sent = core.on_connected(bits, record(bits), 0.0)
    return sent


def told(*peers: str) -> PeersMsg:
    return PeersMsg(peers=tuple(record(bits) for bits in peers))


@pytest.fixture
def core() -> HiveCore[str]:
    return HiveCore(BASE)


def test_the_first_message_is_a_depth(core: HiveCore[str]) -> None:
    assert connect(core, "1") == [("1", SubPeersMsg(depth=0))]


def test_a_newcomer_is_announced_to_the_others(core: HiveCore[str]) -> None:
    connect(core, "1", "01")
    assert connect(core, "11") == [("11", SubPeersMsg(depth=0)), ("1", told("11")), ("01", told("11"))]


def test_a_changed_depth_goes_to_everybody(core: HiveCore[str]) -> None:
    peers = ("10000000", "11000000", "11100000", "01000000")
    connect(core, *peers)
    sent = connect(core, "01100000")
    assert sent[:5] == [(peer, SubPeersMsg(depth=1)) for peer in (*peers, "01100000")]
    assert sent[5:] == [(peer, told("01100000")) for peer in peers]


def test_answer_to_the_first_depth_only(core: HiveCore[str]) -> None:
    connect(core, "1", "01", "011", "11")
    # Everybody was told of "11"; nobody has told "11" of anybody.
    ((peer, message),) = core.on_sub_peers("11", 0)
    assert (peer, message) == ("11", told("1", "01", "011"))
    assert core.on_sub_peers("11", 0) == []


def test_answer_is_by_proximity_to_the_asker_and_ends_at_its_depth(core: HiveCore[str]) -> None:
    connect(core, "0001", "01", "1", "011")
    (reply,) = core.on_sub_peers("011", 1)
    assert reply == ("011", told("01", "0001"))
    assert core.on_sub_peers("011", 0) == []


def test_answer_leaves_out_what_was_exchanged(core: HiveCore[str]) -> None:
    connect(core, "1", "01")
    assert core.on_sub_peers("1", 0) == []
    core.on_peers("01", told("1"), 0.0)
    assert core.on_sub_peers("01", 0) == []


def test_rule_n_with_a_depth(core: HiveCore[str]) -> None:
    connect(core, "11", "0001")
    core.on_sub_peers("11", 2)
    core.on_sub_peers("0001", 3)
    # po("10", "11") = 1 < 2, and "10" is nearer to our base than "11": announced.
    assert ("11", told("10")) in connect(core, "10")
    # po("01", "0001") = 1 < 3, and farther from our base than "0001": not announced there.
    assert [peer for peer, message in connect(core, "01") if message == told("01")] == ["11", "10"]


def test_what_rule_n_skips_is_not_marked(core: HiveCore[str]) -> None:
    connect(core, "0001")
    core.on_sub_peers("0001", 3)
    assert core.on_peers("0001", PeersMsg(), 0.0) == []
    connect(core, "01")
    core.on_sub_peers("0001", 0)
    assert core.on_peers("01", told("01"), 0.0) == [("0001", told("01"))]


def test_hearsay_is_passed_on_and_registered(core: HiveCore[str]) -> None:
    connect(core, "1", "01")
    assert core.on_peers("1", told("001", "0001"), 1.0) == [("01", told("001", "0001"))]
    assert core.kademlia.known_count == 4
    assert core.last_registration.stored == 2


def test_hearsay_is_not_returned_to_who_said_it(core: HiveCore[str]) -> None:
    connect(core, "1", "01")
    core.on_peers("1", told("001"), 1.0)
    # "1" said it and "01" was told: nobody is left.
    assert core.on_peers("01", told("001"), 1.0) == []


def test_our_own_address_is_not_passed_on_and_ends_the_registration(core: HiveCore[str]) -> None:
    connect(core, "1", "01")
    message = PeersMsg(peers=(record("001"), record(BASE), record("0001")))
    assert core.on_peers("1", message, 0.0) == [("01", told("001", "0001"))]
    assert core.last_registration.met_self
    assert core.kademlia.get_known(overlay_of("001"))
    assert core.kademlia.get_known(overlay_of("0001")) is None


def test_ticks_dial_and_announce_a_lower_depth(core: HiveCore[str]) -> None:
    connect(core, "10000000", "11000000", "11100000", "01000000", "01100000", "00100000", "00010000")
    core.on_disconnected("01000000", 0.0)
    tick = core.on_tick(1.0)
    assert tick.dial == record("01000000")
    assert len(tick.messages) == 6
    assert {message for _, message in tick.messages} == {SubPeersMsg(depth=1)}
    idle = core.on_tick(1.0)
    assert (idle.dial, idle.messages) == (None, [])


def test_what_cannot_be_dialed_is_kept_but_never_dialed(core: HiveCore[str]) -> None:
    connect(core, "1")
    odd = BzzAddr(overlay=overlay_of("01"), underlay=b"xx")
    long = BzzAddr(overlay=overlay_of("011"), underlay=bytes(MAX_UNDERLAY_BYTES + 1))
    connect(core, "11")
    assert core.on_peers("1", PeersMsg(peers=(odd, long)), 0.0) == [("11", PeersMsg(peers=(odd,)))]
    assert core.kademlia.get_known(odd.overlay)
    assert core.kademlia.get_known(long.overlay) is None
    assert core.on_tick(0.0).dial is None


def many(count: int) -> tuple[BzzAddr, ...]:
    """Records that nobody else in these tests has."""
    return tuple(record(overlay_of(f"1{i:020b}")) for i in range(1, count + 1))


def test_limits(core: HiveCore[str]) -> None:
    flood = many(MAX_ADDRESSES_PER_MESSAGE + 1)
    connect(core, "1", "01")
    assert core.on_peers("1", PeersMsg(peers=flood), 0.0) == [("01", PeersMsg(peers=flood[:-1]))]
    assert core.kademlia.known_count == 2 + MAX_ADDRESSES_PER_MESSAGE
    small: HiveCore[str] = HiveCore(BASE, max_known=2)
    connect(small, "1")
    small.on_peers("1", told("01", "001"), 0.0)
    assert small.kademlia.known == [record("1"), record("001")]


def test_a_flood_does_not_keep_others_from_being_told(core: HiveCore[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was exchanged with a peer is forgotten in time, its own address never."""
    monkeypatch.setattr(hive_module, "MAX_SEEN_PER_PEER", 10)
    connect(core, "1", "01")
    flood = many(25)
    for address in flood:
        assert core.on_peers("1", PeersMsg(peers=(address,)), 0.0) == [("01", PeersMsg(peers=(address,)))]
        for state in core._peers.values():
            assert len(state.seen) + len(state.seen_before) <= 10
    # The latest are known to have been exchanged, the first are not any more.
    assert core.on_peers("1", PeersMsg(peers=(*flood[-5:], record("01"))), 0.0) == []
    assert core.on_peers("1", PeersMsg(peers=flood[:1]), 0.0) == [("01", PeersMsg(peers=flood[:1]))]
    assert [peer for peer, message in connect(core, "001") if message == told("001")] == ["1", "01"]


def test_what_was_not_sent_was_not_seen(core: HiveCore[str]) -> None:
    connect(core, "1", "01")
    (unsent,) = core.on_peers("1", told("001", "0001"), 0.0)
    core.on_unsent(unsent)
    connect(core, "11")
    # Told again when somebody else mentions it; to "1", who said it, it is not.
    assert core.on_peers("11", told("001"), 0.0) == [("01", told("001"))]
    assert core.on_peers("11", told("001"), 0.0) == []


def test_an_answer_that_was_not_sent_can_be_asked_for_again(core: HiveCore[str]) -> None:
    connect(core, "1", "01", "11")
    (unsent,) = core.on_sub_peers("11", 0)
    core.on_unsent(unsent)
    assert core.on_sub_peers("11", 0) == [unsent]
    assert core.on_sub_peers("11", 0) == []


def test_what_was_not_sent_to_somebody_who_left(core: HiveCore[str]) -> None:
    connect(core, "1", "01")
    (unsent,) = core.on_peers("1", told("001"), 0.0)
    core.on_disconnected("01", 0.0)
    core.on_unsent(unsent)
    core.on_unsent(Outgoing("1", SubPeersMsg(depth=0)))
    assert core.on_peers("1", told("001"), 0.0) == []


def test_each_peer_gets_one_message_with_what_concerns_it(core: HiveCore[str]) -> None:
    connect(core, "1", "11", "0001")
    core.on_sub_peers("11", 2)
    core.on_sub_peers("0001", 3)
    # "111" is near to "11" only, "00011" to "0001", and nearer to our base than "11"; twice is no more than once.
    message = told("111", "00011", "111")
    assert core.on_peers("1", message, 0.0) == [("11", told("111", "00011")), ("0001", told("00011"))]
    assert core.on_peers("1", message, 0.0) == []


def test_a_flood_costs_no_more_than_a_message_for_each_peer(core: HiveCore[str]) -> None:
    peers = [f"1{i:06b}" for i in range(50)]
    connect(core, *peers)
    flood = PeersMsg(peers=tuple(record(overlay_of(f"01{i:012b}")) for i in range(1024)))
    sent = core.on_peers(peers[0], flood, 0.0)
    assert [peer for peer, _ in sent] == peers[1:]
    assert {message for _, message in sent} == {PeersMsg(peers=flood.peers[:MAX_ADDRESSES_PER_MESSAGE])}


def test_strangers_are_ignored(core: HiveCore[str]) -> None:
    core.on_disconnected("nobody", 0.0)
    assert core.on_message("nobody", SubPeersMsg(depth=0), 0.0) == []
    assert core.on_message("nobody", told("1"), 0.0) == []
    assert core.address_of("nobody") is None
    connect(core, "1")
    assert core.address_of("1") == record("1")
    with pytest.raises(ValueError, match="connected already"):
        connect(core, "1")


def test_two_connections_of_one_overlay(core: HiveCore[str]) -> None:
    core.on_connected("a", record("1"), 0.0)
    core.on_connected("b", record("1"), 0.0)
    core.on_disconnected("a", 1.0)
    assert [peer for peer, _ in core.kademlia.each_conn()] == ["b"]
    core.on_disconnected("b", 1.0)
    assert core.kademlia.conn_count == 0


@settings(deadline=None)
@given(overlays, overlay_sets, st.data())
def test_announcements_against_the_rule(
    base: OverlayAddress, others: list[OverlayAddress], data: st.DataObject
) -> None:
    """Rule N restated over all peers, for one heard address."""
    others = [other for other in others if other != base]
    core: HiveCore[OverlayAddress] = HiveCore(base)
    depths = {}
    for other in others[1:]:
        core.on_connected(other, record(other), 0.0)
        depths[other] = data.draw(st.integers(0, 12))
    for other, depth in depths.items():
        core.on_sub_peers(other, depth)
    if not depths:
        return
    heard, teller = record(others[0]), others[1]
    sent = core.on_peers(teller, PeersMsg(peers=(heard,)), 0.0)
    assert {peer for peer, _ in sent} == {
        d
        for d, depth in depths.items()
        if d != teller and (proximity_order(heard.overlay, d) >= depth or closer(heard.overlay, d, base=base))
    }


@pytest.mark.parametrize("seed", range(3))
def test_a_chain_grows_into_a_healthy_network(seed: int) -> None:
    """Nodes that know one other each end up with tables that the oracle finds healthy."""
    rng = random.Random(seed)
    net = Simulation([OverlayAddress(rng.randbytes(32)) for _ in range(24)])
    for left, right in zip(net.order, net.order[1:], strict=False):
        net.connect(left, right)
    now = 0.0
    pots = peer_pots(net.order)
    while not all(check_health(core.kademlia, pots[a]).healthy for a, core in net.cores.items()):
        now += hive_module.TICK_INTERVAL_S
        assert now < 60, "not healthy after a minute"
        net.tick(now)


class Simulation:
    """Nodes that share a queue of messages; links come up at once."""

    def __init__(self, order: list[OverlayAddress]) -> None:
        self.order = order
        self.cores: dict[OverlayAddress, HiveCore[OverlayAddress]] = {a: HiveCore(a) for a in order}
        self.queue: deque[tuple[OverlayAddress, OverlayAddress, HiveMessage]] = deque()
        self.now = 0.0

    def connect(self, a: OverlayAddress, b: OverlayAddress) -> None:
        if self.cores[a].address_of(b) is None:
            for here, there in ((a, b), (b, a)):
                self.send(here, self.cores[here].on_connected(there, record(there), self.now))
            self.deliver()

    def send(self, sender: OverlayAddress, messages: list[Outgoing[OverlayAddress]]) -> None:
        self.queue.extend((sender, peer, message) for peer, message in messages)

    def deliver(self) -> None:
        while self.queue:
            sender, receiver, message = self.queue.popleft()
            self.send(receiver, self.cores[receiver].on_message(sender, message, self.now))

    def tick(self, now: float) -> None:
        self.now = now
        for address, core in self.cores.items():
            tick = core.on_tick(now)
            self.send(address, tick.messages)
            if tick.dial is not None:
                self.connect(address, tick.dial.overlay)
        self.deliver()
