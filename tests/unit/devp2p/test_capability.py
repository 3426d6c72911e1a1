"""node.devp2p.capability: order, matching, offsets (spec 02 sections 2 and 6)."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from node.devp2p.capability import announce, match_protocols, sort_capabilities
from node.devp2p.messages import Capability


@dataclass(frozen=True)
class Offer:
    name: str
    version: int
    length: int = 1


LOCAL = [Offer("b", 1, 4), Offer("a", 2, 5), Offer("a", 1, 3), Offer("c", 1, 2), Offer("b", 3, 6), Offer("B", 1, 2)]
LOCAL += [Offer("a", 10, 7)]
offers = st.lists(
    st.builds(Offer, st.sampled_from("abCd"), st.integers(1, 12), st.integers(1, 9)),
    unique_by=lambda o: (o.name, o.version),
    max_size=12,
)


def caps(text: str) -> list[Capability]:
    return [Capability(name, int(version)) for name, version in (word.split("/") for word in text.split())]


def layout(remote: list[Capability], local: list[Offer]) -> list[tuple[str, int, int]]:
    return [(m.protocol.name, m.protocol.version, m.offset) for m in match_protocols(remote, local)]


def test_the_example_of_the_specification() -> None:
    remote = caps("B/1 a/1 a/2 a/10 b/1 b/2 b/3 c/1 z/1")
    assert layout(remote, LOCAL) == [("B", 1, 16), ("a", 10, 18), ("b", 3, 25), ("c", 1, 31)]


@given(st.permutations(caps("B/1 a/1 a/2 a/10 b/1 b/2 b/3 c/1 z/1")), st.permutations(LOCAL))
def test_neither_order_matters(remote: list[Capability], local: list[Offer]) -> None:
    assert layout(remote, local) == [("B", 1, 16), ("a", 10, 18), ("b", 3, 25), ("c", 1, 31)]


def test_versions_match_exactly_and_the_newest_common_one_wins() -> None:
    local = [Offer("p", 1), Offer("p", 2), Offer("p", 4)]
    assert layout(caps("p/1 p/2 p/3"), local) == [("p", 2, 16)]
    assert layout(caps("p/3 p/5"), local) == []


def test_versions_are_compared_as_numbers() -> None:
    assert layout(caps("p/10 p/9"), [Offer("p", 9), Offer("p", 10)]) == [("p", 10, 16)]


def test_an_older_version_takes_no_codes() -> None:
    local = [Offer("a", 1, 100), Offer("a", 2, 3), Offer("b", 1, 2)]
    assert layout(caps("a/1 a/2 b/1"), local) == [("a", 2, 16), ("b", 1, 19)]


def test_announced_twice_counts_once() -> None:
    assert layout(caps("a/1 a/1 b/1"), [Offer("a", 1, 3), Offer("b", 1)]) == [("a", 1, 16), ("b", 1, 19)]


def test_nothing_in_common() -> None:
    assert layout([], LOCAL) == layout(caps("z/1"), LOCAL) == layout(caps("a/1"), []) == []


@given(offers, offers)
def test_both_sides_reach_the_same_layout(one: list[Offer], other: list[Offer]) -> None:
    """As long as they agree on lengths, which nothing on the wire tells."""
    lengths = {(o.name, o.version): o.length for o in one}
    other = [Offer(o.name, o.version, lengths.get((o.name, o.version), o.length)) for o in other]
    assert layout(announce(other), one) == layout(announce(one), other)


@given(offers, offers)
def test_code_ranges_touch_and_do_not_overlap(remote: list[Offer], local: list[Offer]) -> None:
    end = 16
    for match in match_protocols(announce(remote), local):
        assert match.offset == end
        end += match.protocol.length


def test_announced_in_order_by_name_as_bytes_then_version() -> None:
    assert [str(cap) for cap in announce(LOCAL)] == ["B/1", "a/1", "a/2", "a/10", "b/1", "b/3", "c/1"]
    assert sort_capabilities(caps("é/1 z/1 Z/1")) == caps("Z/1 z/1 é/1")


def test_names_that_are_no_text_sort_too() -> None:
    odd = Capability("\udcff", 1)
    assert sort_capabilities([odd, Capability("z", 1)]) == [Capability("z", 1), odd]
