"""node.p2p.shaper: when bytes may leave."""

from __future__ import annotations

import pytest

from node.ids import NodeId
from node.p2p.shaper import MAX_RETRANSMISSIONS, NONE, RETRANSMISSION_S, Conditions, Shaper, Shaping

PEER = NodeId(bytes(31) + b"\x01")
OTHER = NodeId(bytes(31) + b"\x02")


def leaving(shaper: Shaper, *bursts: tuple[float, bytes]) -> list[float]:
    """When each burst leaves; they are pushed at their times."""
    times = []
    for at, data in bursts:
        shaper.push(data, now=at)
    while (at_s := shaper.next_release()) is not None:
        times += [at_s] * (len(shaper.pop(now=at_s)) // len(bursts[0][1]))
    return times


def test_a_delay() -> None:
    shaper = Shaper(Conditions(delay_s=0.2), seed=1)
    shaper.push(b"a", now=10.0)
    shaper.push(b"b", now=10.1)
    assert shaper.next_release() == pytest.approx(10.2)
    assert shaper.pop(now=10.19) == b""
    assert shaper.pop(now=10.2) == b"a"
    assert shaper.held_bytes == 1
    assert shaper.pop(now=11.0) == b"b"
    assert (shaper.next_release(), shaper.held_bytes) == (None, 0)


def test_jitter_keeps_the_order_and_its_bounds() -> None:
    shaper = Shaper(Conditions(delay_s=0.1, jitter_s=0.05), seed=7)
    pushed = [(i * 0.01, bytes([i])) for i in range(200)]
    for at, data in pushed:
        shaper.push(data, now=at)
    got = bytearray()
    late = []
    while (at_s := shaper.next_release()) is not None:
        data = shaper.pop(now=at_s)
        late += [at_s - pushed[byte][0] for byte in data]
        got += data
    assert bytes(got) == bytes(range(200))
    assert min(late) >= 0.05 - 1e-9
    assert max(late) <= 0.15 + 1e-9
    assert max(late) - min(late) > 0.05


def test_the_seed_decides() -> None:
    def run(seed: int) -> list[float]:
        return leaving(Shaper(Conditions(jitter_s=0.1, loss=0.3), seed=seed), *[(float(i), b"x") for i in range(50)])

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_rate_is_that_of_a_line() -> None:
    shaper = Shaper(Conditions(rate_bps=8000.0), seed=1)  # a thousand bytes a second
    times = leaving(shaper, *[(0.0, bytes(100)) for _ in range(5)])
    assert times == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    # An idle line does not save up.
    shaper.push(bytes(100), now=10.0)
    assert shaper.next_release() == pytest.approx(10.1)


def test_loss_is_a_retransmission_and_holds_up_what_follows() -> None:
    shaper = Shaper(Conditions(loss=0.2), seed=3)
    times = leaving(shaper, *[(i * 10.0, b"x") for i in range(1000)])
    late = [time - i * 10.0 for i, time in enumerate(times)]
    assert sum(lateness > 0 for lateness in late) == pytest.approx(200, rel=0.2)
    assert {round(one / RETRANSMISSION_S) for one in late} >= {0, 1, 3}
    behind = Shaper(Conditions(loss=1.0), seed=3)
    behind.push(b"a", now=0.0)
    first = behind.next_release()
    assert first == pytest.approx(RETRANSMISSION_S * (2**MAX_RETRANSMISSIONS - 1))
    behind.change(Conditions(delay_s=0.001), now=0.0)
    behind.push(b"b", now=0.0)
    assert behind.pop(now=first) == b"ab"


def test_blocked_until_it_is_not() -> None:
    shaper = Shaper(Conditions(blocked=True), seed=1)
    shaper.push(b"a", now=0.0)
    assert (shaper.next_release(), shaper.pop(now=100.0), shaper.held_bytes) == (None, b"", 1)
    shaper.change(NONE, now=100.0)
    assert shaper.pop(now=100.0) == b"a"


def test_blocking_stops_what_was_on_its_way() -> None:
    shaper = Shaper(Conditions(delay_s=1.0), seed=1)
    shaper.push(b"a", now=0.0)
    shaper.change(Conditions(blocked=True), now=0.5)
    assert shaper.pop(now=2.0) == b""
    assert shaper.flush() == b""
    assert shaper.held_bytes == 0


def test_without_conditions_everything_leaves_at_once() -> None:
    shaper = Shaper(Conditions(delay_s=60.0), seed=1)
    shaper.push(b"a", now=0.0)
    shaper.push(b"b", now=1.0)
    shaper.change(NONE, now=2.0)
    assert shaper.pop(now=2.0) == b"ab"


class FakeLink:
    """Notes what it is told."""

    def __init__(self, peer_id: NodeId | None) -> None:
        self.peer_id = peer_id
        self.shapers: list[Shaper | None] = []
        self.told: list[Conditions] = []

    def shape(self, shaper: Shaper | None) -> None:
        self.shapers.append(shaper)

    def reshape(self, conditions: Conditions) -> None:
        self.told.append(conditions)


def test_links_without_conditions_are_left_alone() -> None:
    shaping, link, other = Shaping(), FakeLink(PEER), FakeLink(OTHER)
    shaping.attach(link)
    shaping.attach(other)
    slow = Conditions(delay_s=0.1)
    shaping.set({PEER: slow}, seed=1)
    assert [shaper.conditions for shaper in link.shapers if shaper] == [slow]
    shaping.set({PEER: Conditions(blocked=True)}, seed=1)
    shaping.set({}, seed=1)
    assert link.told == [Conditions(blocked=True), NONE]
    assert (other.shapers, other.told, shaping.conditions) == ([], [], {})
    shaping.set({PEER: slow}, seed=1)
    assert len(link.shapers) == 2


def test_a_link_gets_its_conditions_when_it_is_known_with_whom() -> None:
    shaping, link = Shaping(), FakeLink(None)
    shaping.set({PEER: Conditions(delay_s=0.1), OTHER: NONE}, seed=1)
    assert set(shaping.conditions) == {PEER}
    shaping.attach(link)
    assert link.shapers == []
    link.peer_id = PEER
    shaping.attach(link)
    assert len(link.shapers) == 1
    shaping.detach(link)
    shaping.set({}, seed=1)
    assert link.told == []
