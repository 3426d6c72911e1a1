"""The ring of addresses as text and as a drawing."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.control.gen import control_pb2 as pb
from node.ids import OverlayAddress
from node.swarm.proximity import proximity_order
from orchestrator import overlay_svg
from orchestrator.oracle import expected_table
from orchestrator.overlay_view import (
    COLUMNS,
    MARKS,
    MAX_RING_NODES,
    RING_COLUMNS,
    Place,
    Standing,
    format_node,
    format_overlay,
    format_table,
    node_to_json,
    overlay_to_json,
    places,
    prefix_of_bin,
)
from orchestrator.spec import LabSpec
from orchestrator.topology import make_spec

SVG = "{http://www.w3.org/2000/svg}"
SPEC = make_spec("ring", kind="random", n=16, seed=3)
SILENT = "n07"
STRANGER = bytes([0xAB] * 32)


def tables(spec: LabSpec) -> dict[str, pb.Kademlia]:
    """What the nodes would say: linked ones connected, the first twelve known to all; one says nothing."""
    found = {}
    for node in spec.nodes:
        if node.name == SILENT:
            continue
        expected = expected_table(spec, node.name)
        known: dict[int, list[bytes]] = {}
        for overlay in [*(other.overlay for other in spec.nodes[:12] if other is not node), STRANGER]:
            known.setdefault(proximity_order(node.overlay, overlay), []).append(bytes(overlay))
        bins = [
            pb.Bin(po=po, connected=sorted(expected.bins.get(po, ())), known=known.get(po, []))
            for po in sorted({*expected.bins, *known})
        ]
        found[node.name] = pb.Kademlia(self=node.overlay, depth=expected.depth, bins=bins)
    return found


RING = places(SPEC, tables(SPEC))


def test_places_are_clockwise_and_know_each_other() -> None:
    assert [place.turn for place in RING] == sorted(place.turn for place in RING)
    by_name = {place.name: place for place in RING}
    for link in SPEC.links:
        if SILENT not in (link.a, link.b):
            assert by_name[link.a].standing(by_name[link.b]) is Standing.CONNECTED
    assert by_name["n03"].standing(by_name["n03"]) is Standing.SELF
    assert by_name[SILENT].depth is None
    assert by_name[SILENT].standing(by_name["n03"]) is Standing.UNKNOWN


def test_all_nodes_in_eighty_columns() -> None:
    text = format_overlay(RING)
    lines = text.splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert len(lines) < 45
    for place in RING:
        assert f"{place.name} {place.address.hex()[:4]}" in text
        expected = expected_table(SPEC, place.name)
        row = next(line for line in lines if line.startswith(f"{place.name:<5}  {place.address.hex()[:4]}")).split()
        if place.name == SILENT:
            assert row[2:] == ["-", "0"]
            continue
        assert row[2:4] == [str(expected.depth), str(sum(map(len, expected.bins.values())))]
        counts = [len(expected.bins.get(po, ())) for po in range(max(expected.bins) + 1)]
        assert [int(cell) for cell in row[4:] if cell != "|"] == counts
        assert row[4:].index("|") == expected.depth


@pytest.mark.parametrize("name", SPEC.node_names)
def test_one_node_in_eighty_columns(name: str) -> None:
    lines = format_node(RING, name).splitlines()
    ring = lines[: lines.index("")]
    assert max(map(len, ring)) <= COLUMNS
    own = next(place for place in RING if place.name == name)
    # What stands in the ring itself, without the names beside it.
    left = (COLUMNS - RING_COLUMNS) // 2
    inside = Counter("".join(line[left : left + RING_COLUMNS] for line in ring))
    standings = Counter(own.standing(place) for place in RING)
    for standing, mark in MARKS.items():
        assert inside[mark] == standings[standing]
    for place in RING:
        assert (place.name if place is own else f"{place.name} {own.po(place)}") in "\n".join(ring)


def test_the_table_of_a_node() -> None:
    name = next(place.name for place in RING if place.depth == 1)
    own = next(place for place in RING if place.name == name)
    lines = format_table(RING, name).splitlines()
    assert lines[0] == f"{name}  overlay {own.address.hex()[:16]}…  depth 1"
    assert lines[3] == "-- neighbourhood: bin 1 and deeper --"
    rows = {int(line.split()[0]): line for line in lines[2:] if not line.startswith("--")}
    for place in RING:
        if place is not own:
            assert place.name in rows[own.po(place)]
            assert f"{own.po(place)}  {prefix_of_bin(own.address, own.po(place))} " in rows[own.po(place)]
    assert "abab…" in rows[proximity_order(own.address, OverlayAddress(STRANGER))]


@given(address=st.binary(min_size=32, max_size=32), other=st.binary(min_size=32, max_size=32))
def test_the_prefix_of_a_bin_is_that_of_its_addresses(address: bytes, other: bytes) -> None:
    po = proximity_order(address, other)
    prefix = prefix_of_bin(OverlayAddress(address), po)
    if po < 16:
        assert f"{int.from_bytes(other, 'big'):0256b}".startswith(prefix)
        assert len(prefix) == po + 1


@given(address=st.binary(min_size=32, max_size=32), other=st.binary(min_size=32, max_size=32))
def test_the_arc_of_a_bin_has_its_addresses(address: bytes, other: bytes) -> None:
    own, there = (
        Place(name=n, address=OverlayAddress(a), connected={}, known={}) for n, a in (("a", address), ("b", other))
    )
    if own.po(there) < 16:
        begin, end = overlay_svg.bin_arc(own, own.po(there))
        assert begin <= there.turn <= end  # a float has 53 bits of the address
        assert not begin < own.turn < end


def test_bins_that_are_too_deep_are_not_drawn() -> None:
    with pytest.raises(ValueError, match="too deep"):
        overlay_svg.bin_arc(RING[0], 16)


def test_more_nodes_than_the_ring_has_room_for() -> None:
    spec = make_spec("many", kind="ring", n=MAX_RING_NODES + 10, seed=1)
    text = format_overlay(places(spec, {}))
    assert text.startswith(f"({MAX_RING_NODES + 10} nodes are too many")
    assert "alice  " in text


def test_json() -> None:
    document = overlay_to_json(RING, "ring", "n03")
    row = next(row for row in document["nodes"] if row["name"] == "n03")
    assert (document["lab"], document["node"], row["standing"], row["po"]) == ("ring", "n03", "self", 256)
    assert {row["standing"] for row in document["nodes"]} == {"self", "connected", "known", "unknown"}
    assert "standing" not in overlay_to_json(RING, "ring")["nodes"][0]


def test_a_table_is_the_same_json_wherever_it_is() -> None:
    ring = {row.pop("name"): row for row in overlay_to_json(RING, "ring")["nodes"]}
    for place in RING:
        table = node_to_json(RING, "ring", place.name)
        assert (table.pop("lab"), table.pop("node")) == ("ring", place.name)
        assert table == ring[place.name]
        for row in table["bins"]:
            assert row["connected"] == sorted(place.connected.get(row["po"], ()))
            assert not {*row["known"]} & {*row["connected"]}
            assert {*row["known"], *row["connected"]} >= {*place.known.get(row["po"], ())}
    known = [name for row in ring["n03"]["bins"] for name in row["known"]]
    assert STRANGER.hex() in known
    assert ring[SILENT] == {
        "overlay": SPEC.node(SILENT).overlay.hex(),
        "depth": None,
        "bins": [],
    }


# -- drawings


@pytest.mark.parametrize("name", [None, "n03", SILENT])
def test_drawings(name: str | None) -> None:
    drawn = overlay_svg.draw_node(RING, name, "ring") if name else overlay_svg.draw_overlay(RING, "ring")
    root = ElementTree.fromstring(drawn)
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    for place in RING:
        assert f"{place.name} {place.address.hex()[:4]}" in texts
    assert "prefers-color-scheme:dark" in drawn
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    for text in root.iter(f"{SVG}text"):
        assert left < float(text.attrib["x"]) < left + width
        assert top < float(text.attrib["y"]) < top + height
    labels = [text for text in root.iter(f"{SVG}text") if (text.text or "").split(" ")[-1] in _shorts()]
    for side in ("start", "end"):
        ys = sorted(float(text.attrib["y"]) for text in labels if text.attrib["text-anchor"] == side)
        assert all(b - a >= 15.9 for a, b in itertools.pairwise(ys)), "names lie on each other"


def _shorts() -> set[str]:
    return {place.address.hex()[:4] for place in RING}


def test_a_node_that_says_nothing_is_drawn_otherwise() -> None:
    root = ElementTree.fromstring(overlay_svg.draw_overlay(RING, "ring"))
    off = [circle for circle in root.iter(f"{SVG}circle") if circle.attrib["class"] == "off"]
    assert [circle[0].text.split()[0] for circle in off if circle[0].text] == [SILENT]


def test_each_connection_is_drawn_once() -> None:
    root = ElementTree.fromstring(overlay_svg.draw_overlay(RING, "ring"))
    assert len(list(root.iter(f"{SVG}path"))) == len(SPEC.links)


@given(st.lists(st.floats(-300, 300), max_size=30), st.floats(1, 30))
def test_names_are_spread(wanted: list[float], gap: float) -> None:
    placed = overlay_svg.spread(wanted, gap)
    assert all(b - a >= gap - 1e-6 for a, b in itertools.pairwise(sorted(placed)))
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    assert [placed[index] for index in order] == sorted(placed)
    if all(b - a >= gap for a, b in itertools.pairwise(sorted(wanted))):
        assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(wanted, placed, strict=True))
