"""The duplicate cache, on a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.ids import Digest
from node.pss.seen import CACHE_TTL_S, SeenCache

A, B, C = (Digest(bytes([n]) * 32) for n in (1, 2, 3))


def test_hit_until_just_before_the_expiry() -> None:
    seen = SeenCache()
    assert not seen.contains(A, now=0.0)
    seen.add(A, now=0.0)
    assert seen.contains(A, now=0.0)
    assert seen.contains(A, now=CACHE_TTL_S - 0.001)
    assert not seen.contains(A, now=CACHE_TTL_S)


def test_lookup_does_not_prolong_but_insertion_does() -> None:
    seen = SeenCache()
    seen.add(A, now=0.0)
    assert seen.contains(A, now=29.0)
    assert not seen.contains(A, now=30.0)
    seen.add(B, now=40.0)
    seen.add(B, now=60.0)
    assert seen.contains(B, now=89.0)


def test_expired_digests_go_when_others_come() -> None:
    seen = SeenCache()
    seen.add(A, now=0.0)
    seen.add(B, now=1.0)
    seen.add(A, now=2.0)
    seen.add(C, now=31.5)
    assert len(seen) == 2
    assert (seen.contains(A, now=31.5), seen.contains(B, now=31.5)) == (True, False)


def test_count_is_bounded_and_the_oldest_goes_first() -> None:
    seen = SeenCache(capacity=2)
    for digest in (A, B, A, C):
        seen.add(digest, now=0.0)
    assert len(seen) == 2
    assert [seen.contains(d, now=0.0) for d in (A, B, C)] == [True, False, True]


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 5))))
def test_against_a_plain_dict(steps: list[tuple[float, int]]) -> None:
    seen, expiry, now = SeenCache(), dict[Digest, float](), 0.0
    for pause, number in steps:
        now += pause
        digest = Digest(bytes([number]) * 32)
        assert seen.contains(digest, now=now) == (expiry.get(digest, now) > now)
        seen.add(digest, now=now)
        expiry[digest] = now + CACHE_TTL_S
        assert len(seen) == sum(e > now for e in expiry.values())
