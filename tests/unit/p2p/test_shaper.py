"""node.p2p.shaper: when bytes may leave."""

from __future__ import annotations

import itertools
import random
from typing import cast

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
    assert first is not None
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


RATE_BPS = 80_000.0
"""Ten thousand bytes a second."""


def released(shaper: Shaper) -> list[tuple[float, int]]:
    """All that is held, as it leaves: when, and how many bytes."""
    found = []
    while (at_s := shaper.next_release()) is not None:
        found.append((at_s, len(shaper.pop(now=at_s))))
    return found


def test_a_burst_crosses_a_narrow_line_piece_by_piece() -> None:
    shaper = Shaper(Conditions(rate_bps=RATE_BPS), seed=1)
    burst = bytes(range(256)) * 400
    shaper.push(burst, now=0.0)
    got = b""
    for step in range(1, 11):
        got += shaper.pop(now=float(step))
        assert step * 10_000 - 1_500 <= len(got) <= step * 10_000
        assert shaper.held_bytes == len(burst) - len(got)
    assert got + shaper.pop(now=10.25) == burst


def test_a_wide_line_needs_few_wake_ups() -> None:
    shaper = Shaper(Conditions(rate_bps=1e9), seed=1)
    shaper.push(bytes(12_500_000), now=0.0)
    pieces = released(shaper)
    assert len(pieces) <= 11
    assert pieces[-1][0] == pytest.approx(0.1)


def test_a_rate_taken_back_no_longer_holds_what_is_queued() -> None:
    shaper = Shaper(Conditions(rate_bps=RATE_BPS, delay_s=0.01), seed=1)
    for _ in range(400):
        shaper.push(bytes(8_000), now=0.0)
    shaper.change(Conditions(delay_s=0.01), now=1.0)
    assert len(shaper.pop(now=1.0)) == 3_200_000
    shaper.push(b"z", now=1.0)
    assert shaper.next_release() == pytest.approx(1.01)


def test_a_delay_taken_back_or_set_is_one_of_what_is_held() -> None:
    shaper = Shaper(Conditions(delay_s=10.0), seed=1)
    shaper.push(b"a", now=0.0)
    shaper.push(b"b", now=4.0)
    shaper.change(Conditions(delay_s=2.0), now=5.0)
    assert shaper.next_release() == pytest.approx(5.0)
    assert shaper.pop(now=5.0) == b"a"
    assert shaper.next_release() == pytest.approx(6.0)
    shaper.change(Conditions(delay_s=3.0), now=5.5)
    assert shaper.next_release() == pytest.approx(7.0)


def test_a_loss_taken_back_no_longer_holds_up() -> None:
    shaper = Shaper(Conditions(loss=1.0, delay_s=0.1), seed=1)
    shaper.push(b"a", now=0.0)
    shaper.change(Conditions(delay_s=0.1), now=0.05)
    assert shaper.next_release() == pytest.approx(0.1)


@pytest.mark.parametrize("before", [Conditions(blocked=True), Conditions(delay_s=60.0)], ids=["blocked", "delay"])
def test_a_new_rate_is_kept_by_what_was_held(before: Conditions) -> None:
    shaper = Shaper(before, seed=1)
    for _ in range(10):
        shaper.push(bytes(8_000), now=0.0)
    shaper.change(Conditions(rate_bps=RATE_BPS), now=50.0)
    assert shaper.pop(now=50.0) == b""
    assert 38_500 <= len(shaper.pop(now=54.0)) <= 40_000
    assert released(shaper)[-1][0] == pytest.approx(58.0)


def test_what_was_blocked_starts_when_the_way_is_free() -> None:
    shaper = Shaper(Conditions(blocked=True), seed=1)
    shaper.push(b"a", now=0.0)
    shaper.change(Conditions(delay_s=3.0, blocked=True), now=5.0)
    shaper.change(Conditions(delay_s=3.0), now=10.0)
    shaper.push(b"b", now=11.0)
    assert [at_s for at_s, _ in released(shaper)] == pytest.approx([13.0, 14.0])


def test_another_rate_holds_for_what_is_queued() -> None:
    shaper = Shaper(Conditions(rate_bps=RATE_BPS), seed=1)
    shaper.push(bytes(100_000), now=0.0)
    gone = len(shaper.pop(now=5.0))
    shaper.change(Conditions(rate_bps=10 * RATE_BPS), now=5.0)
    assert released(shaper)[-1][0] == pytest.approx(5.0 + (100_000 - gone) / 100_000, abs=0.2)


def test_changes_do_not_start_a_transmission_over() -> None:
    """Or a line that is changed more often than it carries a packet would carry none."""
    shaper = Shaper(Conditions(rate_bps=8_000.0), seed=1)
    shaper.push(bytes(3_000), now=0.0)
    got = 0
    for step in range(1, 40):
        shaper.change(Conditions(rate_bps=8_000.0, loss=0.001 * step), now=step * 0.1)
        got += len(shaper.pop(now=step * 0.1))
    assert got == 3_000


def test_changes_keep_the_order_and_every_byte() -> None:
    dice = random.Random(5)
    shaper = Shaper(NONE, seed=1)
    sent, got = bytearray(), bytearray()
    for step in range(3_000):
        burst = dice.randbytes(dice.randrange(3_000))
        sent += burst
        shaper.push(burst, now=step * 0.01)
        got += shaper.pop(now=step * 0.01)
        if step % 7 == 0:
            rate, delay = dice.choice((0.0, 1e4, 1e6, 1e9)), dice.choice((0.0, 0.3, 60.0))
            loss, blocked = dice.choice((0.0, 0.5)), dice.random() < 0.2
            new = Conditions(rate_bps=rate, delay_s=delay, jitter_s=delay / 2, loss=loss, blocked=blocked)
            shaper.change(new, now=step * 0.01)
        assert len(sent) == len(got) + shaper.held_bytes
    shaper.change(NONE, now=30.0)
    assert got + shaper.pop(now=30.0) == sent


def test_a_change_costs_the_same_whatever_is_held() -> None:
    """Calls into the conditions, not seconds: they tell whether every burst was looked at."""

    class Counting:
        looks = 0
        jitter_s, loss, rate_bps, blocked = 0.0, 0.0, 0.0, False

        @property
        def delay_s(self) -> float:
            Counting.looks += 1
            return 60.0

    shaper = Shaper(cast(Conditions, Counting()), seed=1)
    for _ in range(20_000):
        shaper.push(b"x", now=0.0)
    before = Counting.looks
    for step in range(100):
        shaper.change(cast(Conditions, Counting()), now=step * 0.01)
    assert Counting.looks - before <= 200


def test_luck_is_of_the_burst_and_stays_with_it() -> None:
    """The same seed gives each burst the same jitter and loss, whether conditions were set before or after it came."""
    wanted = Conditions(delay_s=1.0, jitter_s=0.5, loss=0.3)

    def run(*, late: bool) -> list[tuple[float, int]]:
        shaper = Shaper(Conditions(delay_s=60.0) if late else wanted, seed=9)
        for _ in range(50):
            shaper.push(b"x", now=0.0)
        shaper.change(wanted, now=0.0)
        return released(shaper)

    assert run(late=True) == run(late=False)


def test_what_is_left_of_a_burst_leaves_as_the_connection_ends() -> None:
    shaper = Shaper(Conditions(rate_bps=RATE_BPS), seed=1)
    burst = bytes(range(250)) * 100
    shaper.push(burst, now=0.0)
    gone = shaper.pop(now=1.0)
    shaper.push(b"bye", now=1.0)
    assert gone + shaper.flush() == burst + b"bye"
    assert (shaper.held_bytes, shaper.next_release(), shaper.pop(now=99.0)) == (0, None, b"")


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


def drawn(shaper: Shaper | None) -> list[float]:
    """When each of fifty bursts leaves, one a minute."""
    assert shaper is not None
    return leaving(shaper, *[(60.0 * minute, b"x") for minute in range(50)])


def test_every_connection_has_its_own_luck() -> None:
    """Or who loses its first bursts would lose them with every redial; yet the seed decides on all of it."""

    def run(seed: int) -> list[list[float]]:
        shaping, found = Shaping(), []
        shaping.set({PEER: Conditions(jitter_s=0.1, loss=0.5), OTHER: Conditions(loss=0.5)}, seed=seed)
        for peer in (PEER, PEER, OTHER, PEER):
            link = FakeLink(None)
            shaping.attach(link)
            link.peer_id = peer
            shaping.attach(link)
            shaping.attach(link)
            found += [drawn(shaper) for shaper in link.shapers]
            shaping.detach(link)
        return found

    once = run(1)
    assert len(once) == 4
    assert all(one != other for one, other in itertools.combinations(once, 2))
    assert run(1) == once
    assert run(2) != once


def test_the_luck_of_one_peer_does_not_depend_on_the_connections_of_another() -> None:
    def run(*peers: NodeId) -> list[float]:
        shaping = Shaping()
        shaping.set({PEER: Conditions(loss=0.5), OTHER: Conditions(loss=0.5)}, seed=1)
        for peer in peers:
            link = FakeLink(peer)
            shaping.attach(link)
        return drawn(link.shapers[0])

    assert run(PEER) == run(OTHER, OTHER, PEER)
