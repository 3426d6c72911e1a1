"""Forwarding: the tables of spec 06 section 5.3, and a transcription of the words of section 5.1 as judge."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import LocalProtocolError
from node.pss.routing import Candidate, ForwardMode, forward, forward_range, is_recipient

BASE = b"\xff" * 32


def address(prefix: str) -> bytes:
    """Bits, then zeros, and 01 as last byte."""
    return int(prefix.ljust(248, "0") + "00000001", 2).to_bytes(32, "big")


def choose(to: bytes, prefixes: list[str], depth: int, refusing: tuple[str, ...] = ()) -> list[str]:
    """The peers that got it, as bit prefixes, in order."""
    peers = [Candidate(int.from_bytes(address(prefix), "big"), 0, prefix) for prefix in prefixes]
    result = forward(BASE, to, depth, peers, lambda peer: not peer.startswith(refusing) if refusing else True)
    assert (result.mode is ForwardMode.NOBODY) == (not result.ok)
    return [hop.peer for hop in result.hops]


NEIGHBOURS = ["1111110000", "1111110100"]
FOURTEEN = [
    *("00000000", "01000000", "10000000", "10100000", "11000000", "11010000"),
    *("11100000", "11101000", "11110000", "11110100", "11111000", "11111010"),
    *NEIGHBOURS,
]


@pytest.mark.parametrize(
    ("to", "chosen"),
    [
        (address("11000000"), ["11000000"]),
        (address("1111110000"), ["1111110000"]),
        (b"\x20".ljust(32, b"\0"), ["00000000"]),
        (b"\x81".ljust(32, b"\0"), ["10000000"]),
        (b"\xef".ljust(32, b"\0"), ["11101000"]),
        (b"\xf9".ljust(32, b"\0"), ["11111000"]),
        (b"\xff".ljust(32, b"\0"), NEIGHBOURS),
        (b"\xff\x80".ljust(32, b"\0"), NEIGHBOURS),
        (BASE, NEIGHBOURS),
        (b"", FOURTEEN),
        (b"\xff", NEIGHBOURS),
        (b"\xfe", NEIGHBOURS),
        (b"\xf8", ["11111000"]),
        (b"\xe0", ["11100000"]),
        (b"\xe0\x00", ["11100000"]),
        (b"\x00", ["00000000"]),
    ],
)
def test_fourteen_peers(to: bytes, chosen: list[str]) -> None:
    assert sorted(choose(to, FOURTEEN, 6)) == sorted(chosen)


def test_nearest_comes_first() -> None:
    assert choose(b"\xfd\x80".ljust(32, b"\0"), FOURTEEN, 6) == ["1111110100", "1111110000"]


def test_refusals() -> None:
    assert choose(address("11000000"), FOURTEEN, 6, ("11000000",)) == ["11010000"]
    (next_group,) = choose(address("11000000"), FOURTEEN, 6, ("110",))
    assert next_group.startswith("111")
    to = b"\xef".ljust(32, b"\0")
    (same_group,) = choose(to, FOURTEEN, 6, ("11101000", "11100000"))
    assert same_group.startswith("1111")


def test_all_refuse() -> None:
    tried: list[str] = []
    peers = [(int.from_bytes(address(p), "big"), 0, p) for p in FOURTEEN]
    result = forward(BASE, b"\xef".ljust(32, b"\0"), 6, peers, lambda peer: bool(tried.append(peer)))
    assert not result.ok
    assert (result.mode, result.refused) == (ForwardMode.NOBODY, 14)
    orders = [len(p) - len(p.lstrip("1")) for p in tried[-6:]]
    assert tried[0] == "11101000"
    assert orders == [2, 2, 1, 1, 0, 0]


DEPTH_10 = [b for i in range(11) for b in ("1" * i + "000000", "1" * i + "010000")]


@pytest.mark.parametrize(
    ("to", "chosen"),
    [
        ("ff", [p for p in DEPTH_10 if p.startswith("11111111")]),
        ("fe", ["1111111000000"]),
        ("ff00", ["11111111000000"]),
        ("ffff", [p for p in DEPTH_10 if p.startswith("1111111111")]),
        ("ff80", ["111111111000000"]),
    ],
)
def test_depth_ten(to: str, chosen: list[str]) -> None:
    assert sorted(choose(bytes.fromhex(to), DEPTH_10, 10)) == sorted(chosen)


def test_small_networks() -> None:
    two, three = ["00000000", "11110000"], ["00000000", "11110000", "11111000"]
    f1, x71 = b"\xf1".ljust(32, b"\0"), b"\x71".ljust(32, b"\0")
    assert choose(address("11110000"), two, 0) == ["11110000"]
    assert choose(f1, two, 0) == ["11110000", "00000000"]
    assert choose(x71, two, 0) == ["00000000", "11110000"]
    assert sorted(choose(b"", two, 0)) == two
    assert choose(x71, three, 1) == ["00000000"]
    assert choose(f1, three, 1) == ["11110000", "11111000"]
    assert choose(BASE, three, 1) == ["11111000", "11110000"]


def test_least_used_of_equals() -> None:
    peers = [(int.from_bytes(address(p), "big"), uses, p) for p, uses in (("1100", 2), ("1101", 1), ("1110", 0))]
    result = forward(bytes(32), b"\x80".ljust(32, b"\0"), 1, peers, lambda _: True)
    # All three share one bit with 80..; they are in different groups only from the second on.
    assert [hop.peer for hop in result.hops] == ["1110"]
    assert [hop.po for hop in result.hops] == [1]


@pytest.mark.parametrize(
    ("to", "depth", "expected"),
    [
        (b"", 6, (0, False, 0)),
        (b"\x20".ljust(32, b"\0"), 6, (1, True, 0)),
        (b"\xef".ljust(32, b"\0"), 6, (4, True, 3)),
        (b"\xff".ljust(32, b"\0"), 6, (6, False, 8)),
        (b"\xff", 10, (8, False, 8)),
        (b"\x20".ljust(32, b"\0"), 0, (0, False, 0)),
        (BASE, 6, (6, False, 256)),
    ],
)
def test_range(to: bytes, depth: int, expected: tuple[int, bool, int]) -> None:
    assert forward_range(BASE, to, depth) == expected


def test_modes() -> None:
    peers = [(int.from_bytes(address(p), "big"), 0, p) for p in FOURTEEN]

    def mode(to: bytes) -> ForwardMode:
        return forward(BASE, to, 6, peers, lambda _: True).mode

    assert mode(b"\x20".ljust(32, b"\0")) is ForwardMode.ONE
    assert mode(b"") is ForwardMode.ALL
    assert mode(address("1111110000")) is ForwardMode.EXACT


def test_padded_partial_address_stops_at_the_peer_that_has_it() -> None:
    """Pitfall 13."""
    exact, other = (1 << 255, 0, "exact"), ((1 << 255) + 1, 0, "other")
    result = forward(BASE, b"\x80", 0, [other, exact], lambda _: True)
    assert [hop.peer for hop in result.hops] == ["exact"]
    assert result.mode is ForwardMode.EXACT
    assert result.hops[0].po == 256


def test_no_peers() -> None:
    assert not forward(BASE, b"", 0, [], lambda _: True).ok


def test_too_long() -> None:
    with pytest.raises(LocalProtocolError, match="address too long"):
        forward(BASE, bytes(33), 0, [], lambda _: True)
    with pytest.raises(LocalProtocolError, match="address too long"):
        is_recipient(BASE, bytes(33), 0, prox=False)


@pytest.mark.parametrize(
    ("to", "depth", "prox", "expected"),
    [
        ("", 0, False, True),
        ("ff", 9, False, True),
        ("ff" * 32, 9, False, True),
        ("fe", 0, False, False),
        ("fe", 7, True, True),
        ("fe", 8, True, False),
        ("00" * 32, 0, True, True),
        ("00" * 32, 1, True, False),
    ],
)
def test_recipient(to: str, depth: int, prox: bool, expected: bool) -> None:
    assert is_recipient(BASE, bytes.fromhex(to), depth, prox=prox) == expected


def bits(raw: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in raw)


def common(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), 256)


def allowed(base: bytes, to: bytes, depth: int, peers: dict[int, bytes], taking: set[int]) -> list[set[int]]:
    """Section 5.1 in its words: the sets of peers of which the outcome must be one."""
    padded = bits(to.ljust(32, b"\0"))
    po = {peer: common(padded, bits(a)) for peer, a in peers.items()}
    own, known = common(padded, bits(base)), 8 * len(to)
    willing = {peer for peer in peers if peer in taking}
    if not willing:
        return [set()]
    best = max(po[peer] for peer in willing)
    exact = [{peer} for peer in willing if po[peer] == 256]
    if exact:
        # Nothing is nearer than the exact recipient, so nobody was asked before.
        return exact
    if own < depth and own < known:
        # outside our neighbourhood, bits left to discriminate: exactly one, the closest that accepts
        return [{peer} for peer in willing if po[peer] == best]
    # inside our neighbourhood, fully matched or empty: all that are near enough; else the next group that has takers
    threshold = min(own, depth, known)
    near = {peer for peer in willing if po[peer] >= threshold}
    return [near or {peer for peer in willing if po[peer] == best}]


@given(st.integers(0, 2**32), st.integers(0, 12), st.integers(0, 20))
def test_against_the_words_of_the_specification(seed: int, depth: int, count: int) -> None:
    rng = random.Random(seed)

    def near(centre: bytes) -> bytes:
        """A random address that shares a random number of bits with another."""
        keep = rng.choice([0, 1, 2, 3, 5, 8, 9, 12, 16, 256])
        ours, other = bits(centre), bits(rng.randbytes(32))
        return int(ours[:keep] + other[keep:], 2).to_bytes(32, "big")

    base = rng.randbytes(32)
    peers = dict(enumerate({near(base) for _ in range(count)}))
    centre = rng.choice([base, *peers.values()])
    to = near(centre)[: rng.choice([0, 1, 2, 3, 31, 32, 32, 32])]
    taking = {peer for peer in peers if rng.random() < rng.choice([0.2, 1.0])}
    uses = {peer: rng.randrange(3) for peer in peers}
    candidates = [(int.from_bytes(a, "big"), uses[peer], peer) for peer, a in peers.items()]
    result = forward(base, to, depth, candidates, lambda peer: peer in taking)
    sent = [hop.peer for hop in result.hops]
    assert len(sent) == len(set(sent))
    assert set(sent) in allowed(base, to, depth, peers, taking)
    padded = bits(to.ljust(32, b"\0"))
    assert [hop.po for hop in result.hops] == [common(padded, bits(peers[p])) for p in sent]
    # Nearest first; among equals the least used.
    assert [(-hop.po, uses[hop.peer]) for hop in result.hops] == sorted((-h.po, uses[h.peer]) for h in result.hops)
    if result.mode is ForwardMode.ONE:
        rivals = [uses[p] for p in taking if common(padded, bits(peers[p])) == result.hops[0].po]
        assert uses[sent[0]] == min(rivals)
