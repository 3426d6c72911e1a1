"""node.enode: enode URLs (spec 01 section 2.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.enode import MAX_ENODE_CHARS, InvalidEnode, Node, parse_enode, parse_ip, parse_node
from node.enr import make_record
from tests.support.keys import KEY_A, make_key

K = KEY_A.public.raw.hex()
ports = st.integers(0, 65535)
nodes = st.builds(
    Node,
    st.integers(1, 50).map(lambda n: make_key(n).public),
    st.ip_addresses().map(str).map(parse_ip),
    ports,
    ports,
)


@given(nodes)
def test_round_trip(node: Node) -> None:
    assert parse_enode(node.url) == node
    assert str(node) == node.url


@pytest.mark.parametrize(
    ("text", "tcp", "udp", "printed"),
    [
        (f"enode://{K}@127.0.0.1:30303", 30303, 30303, None),
        (f"enode://{K}@127.0.0.1:30303?discport=0", 30303, 0, None),
        (f"enode://{K}@127.0.0.1:30303?discport=30303", 30303, 30303, f"enode://{K}@127.0.0.1:30303"),
        (f"enode://{K}@127.0.0.1:30303?discport=30301", 30303, 30301, None),
        (f"enode://{K}@[::ffff:1.2.3.4]:30303", 30303, 30303, f"enode://{K}@1.2.3.4:30303"),
        (f"enode://{K}@[2001:db8::1]:30303", 30303, 30303, None),
        (f"enode://{K}@127.0.0.1:0", 0, 0, None),
        (f"Enode://{K}@127.0.0.1:1", 1, 1, f"enode://{K}@127.0.0.1:1"),
        (f"enode://{K.upper()}@127.0.0.1:1", 1, 1, f"enode://{K}@127.0.0.1:1"),
        (f"enode://{K}@127.0.0.1:1/path?x=y&discport=#frag", 1, 1, f"enode://{K}@127.0.0.1:1"),
        (f"enode://{K}@127.0.0.1:1?discport=2&discport=3", 1, 2, f"enode://{K}@127.0.0.1:1?discport=2"),
    ],
)
def test_complete_urls(text: str, tcp: int, udp: int, printed: str | None) -> None:
    node = parse_enode(text)
    assert (node.tcp, node.udp, node.key) == (tcp, udp, KEY_A.public)
    assert node.url == (printed or text)


@pytest.mark.parametrize("text", [f"enode://{K}", K, K.upper(), f"ENODE://{K}"])
def test_incomplete_urls(text: str) -> None:
    node = parse_enode(text)
    assert (node.ip, node.tcp, node.udp) == (None, 0, 0)
    assert node.url == f"enode://{K}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", 'invalid URL scheme, want "enode"'),
        (f"http://{K}@127.0.0.1:1", 'invalid URL scheme, want "enode"'),
        ("enode://127.0.0.1:1", "does not contain node ID"),
        ("enode://@127.0.0.1:1", "does not contain node ID"),
        (f"enode://0x{K}@127.0.0.1:1", "invalid public key .wrong length, want 128"),
        (f"enode://{K[2:]}@127.0.0.1:1", "invalid public key .wrong length"),
        (f"enode://{K}:pw@127.0.0.1:1", "invalid public key .wrong length"),
        (f"enode://{'zz' + K[2:]}@127.0.0.1:1", "invalid public key .not hexadecimal"),
        (f"enode://{'0' * 128}@127.0.0.1:1", "invalid public key .public key is not on the curve"),
        ("0" * 128, "invalid public key"),
        ("abcd", "invalid public key"),
        (f"enode://{K}@localhost:30303", "invalid IP address"),
        (f"enode://{K}@127.0.0.1", "invalid host: address 127.0.0.1: missing port in address"),
        (f"enode://{K}@[::1]", "missing port in address"),
        (f"enode://{K}@::1:30303", "too many colons"),
        (f"enode://{K}@127.0.0.1:", "invalid port"),
        (f"enode://{K}@127.0.0.1:x", "invalid port"),
        (f"enode://{K}@127.0.0.1:-1", "invalid port"),
        (f"enode://{K}@127.0.0.1:65536", "invalid port"),
        (f"enode://{K}@127.0.0.1:1?discport=65536", "invalid discport in query"),
        (f"enode://{K}@127.0.0.1:1?discport=x", "invalid discport in query"),
        (f"enode://{K}@127.0.0.1:1\n", "space or control character"),
        (f" enode://{K}@127.0.0.1:1", "space or control character"),
        (f"enode://{K}@127.0.\t0.1:1", "space or control character"),
        (f"enode://{K}@127.0.0.1:1?x=" + "y" * MAX_ENODE_CHARS, "too long"),
    ],
)
def test_refused_with_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(InvalidEnode, match=why):
        parse_enode(text)


@given(st.text(max_size=80) | st.text(max_size=60).map(lambda tail: f"enode://{K}@{tail}"))
def test_any_text_is_a_node_or_refused(text: str) -> None:
    for parse in (parse_enode, parse_node):
        try:
            parse(text)
        except InvalidEnode:
            continue


def test_the_admin_form_is_stricter() -> None:
    assert parse_node(f"enode://{K}@127.0.0.1:1").tcp == 1
    for text in (K, f"Enode://{K}@127.0.0.1:1", ""):
        with pytest.raises(InvalidEnode, match="missing 'enr:' prefix for base64-encoded record"):
            parse_node(text)
    record = make_record(KEY_A, seq=1, ip=parse_ip("127.0.0.1"), tcp=1).text
    assert parse_node(record).key == KEY_A.public


def test_the_id_is_the_hash_of_the_key() -> None:
    assert Node(KEY_A.public).id == KEY_A.public.node_id
