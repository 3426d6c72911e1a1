"""Overlay addresses with a wanted prefix: how it is written, and that it is found."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ids import OverlayAddress
from orchestrator.errors import LabFileError
from orchestrator.identity import derive_key, make_node
from orchestrator.labfile import load_lab_file
from orchestrator.placement import MAX_PREFIX_BITS, begins_with, parse_prefix, search_length

HEAD = "apiVersion: lab/v1\nname: x\n"


@pytest.mark.parametrize(
    ("text", "bits"), [("0b0", "0"), ("0b0110", "0110"), ("0x6", "0110"), ("0xFf", "11111111"), (" 0x0 ", "0000")]
)
def test_written(text: str, bits: str) -> None:
    assert parse_prefix(text) == bits


@pytest.mark.parametrize("text", ["", "0b", "0x", "0110", "0b2", "0xg", "-0b1", "0b 1", "٠b1"])
def test_not_a_prefix(text: str) -> None:
    with pytest.raises(ValueError, match="expected the first bits of an overlay address, such as 0b0110 or 0x6a"):
        parse_prefix(text)


def test_too_long() -> None:
    assert len(parse_prefix("0b" + "1" * MAX_PREFIX_BITS)) == MAX_PREFIX_BITS
    with pytest.raises(ValueError, match="a prefix of 16 bits would be searched for too long"):
        parse_prefix("0xffff")


@given(st.binary(min_size=32, max_size=32), st.text("01", max_size=20))
def test_begins_with_against_text(raw: bytes, bits: str) -> None:
    assert begins_with(OverlayAddress(raw), bits) == f"{int.from_bytes(raw, 'big'):0256b}".startswith(bits)


@settings(max_examples=20, deadline=None)
@given(st.text("01", max_size=8), st.integers(0, 100))
def test_the_first_key_with_the_prefix_is_taken(bits: str, seed: int) -> None:
    node = make_node(seed, "lab", "n01", overlay_prefix=bits)
    assert begins_with(node.overlay, bits)
    assert node.bzz_key.secret == make_node(seed, "lab", "n01", overlay_prefix=bits).bzz_key.secret
    plain = derive_key(seed, "lab", "n01", "bzz")
    assert (node.bzz_key.secret == plain.secret) == begins_with(plain.public.overlay, bits)
    assert node.node_key.secret == derive_key(seed, "lab", "n01", "node").secret


def test_search_length() -> None:
    assert search_length([]) == search_length(["", ""]) == 0
    assert search_length(["0", "", "111"]) == 10


def test_each_node_of_a_range_has_an_address_of_its_own() -> None:
    spec = load_lab_file(HEAD + "nodes: {n1..n4: {overlay: 0b101}, bob: {overlay: 0x5}}\n")
    assert len({node.overlay for node in spec.nodes}) == 5
    assert all(node.overlay[0] >> 5 == 0b101 for node in spec.nodes[:4])
    assert spec.node("bob").overlay[0] >> 4 == 5


def test_another_seed_keeps_the_place() -> None:
    text = HEAD + "nodes: {a: {overlay: 0b101}, b: {}}\n"
    one, other = load_lab_file(text), load_lab_file(text, seed=9)
    assert one.node("a").overlay != other.node("a").overlay
    assert other.node("a").overlay[0] >> 5 == 0b101
    assert load_lab_file(text, name="y").node("a").overlay != one.node("a").overlay


REFERENCE = (
    "kinds: {reference: {image: x, command: [swarm, COMMAND]}}\nnodes: {a: {kind: reference, overlay: 0b1}, b: }\n"
)


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [
        ("nodes: {a: {overlay: 6}, b: }", "3:22", "overlay: expected the first bits of an overlay address"),
        ("nodes: {a: {overlay: 0xffff}, b: }", "3:22", "overlay: a prefix of 16 bits"),
        ("nodes: {a0..a9: {overlay: 0b11111111111111}, b: }", "3:1", "the overlay prefixes take 163840 keys to find"),
        (REFERENCE.replace("COMMAND", "--x"), "4:39", "the node chooses its overlay address itself"),
    ],
)
def test_mistakes(body: str, where: str, why: str) -> None:
    with pytest.raises(LabFileError, match=re.escape(f"f.lab.yml:{where}: {why}")):
        load_lab_file(HEAD + body, source="f.lab.yml")


def test_a_reference_node_that_takes_our_key_can_be_placed() -> None:
    spec = load_lab_file(HEAD + REFERENCE.replace("COMMAND", '"{bzzkey_file}"'))
    assert spec.node("a").overlay[0] >> 7 == 1
