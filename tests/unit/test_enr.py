"""node.enr: signed node records (EIP-778, spec 04 section 7)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.keccak import keccak256
from node.crypto.secp256k1 import PrivateKey
from node.enode import InvalidEnode, Node, parse_ip
from node.enr import MAX_RECORD_BYTES, PREFIX, Record, make_record, parse_record
from node.errors import MalformedMessage
from node.rlp.codec import Encodable, decode, encode
from tests.support.keys import KEY_A, KEY_B, flip_bit

IP = parse_ip("127.0.0.1")
RECORD = make_record(KEY_B, seq=1, ip=IP, tcp=30100, udp=30100).text
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
COMPRESSED = KEY_A.public.compressed


def raw(record: str) -> bytes:
    body = record.removeprefix(PREFIX)
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def text(record: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(record).rstrip(b"=").decode()


def signed(content: list[Encodable], key: PrivateKey = KEY_A) -> str:
    return text(encode([key.sign(keccak256(encode(content)))[:64], *content]))


@given(st.ip_addresses(), st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 2**64 - 1))
def test_round_trip(ip: object, tcp: int, udp: int, seq: int) -> None:
    address = parse_ip(str(ip))
    assert parse_record(make_record(KEY_A, seq=seq, ip=address, tcp=tcp, udp=udp).text) == Node(
        KEY_A.public, address, tcp, udp
    )


def test_the_example_of_eip_778() -> None:
    """https://eips.ethereum.org/EIPS/eip-778, "Test Vectors"."""
    record = (
        "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AA"
        "AGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
    )
    node = parse_record(record)
    assert node.id.hex() == "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7"
    assert (str(node.ip), node.tcp, node.udp) == ("127.0.0.1", 0, 30303)
    key = PrivateKey(bytes.fromhex("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291"))
    assert make_record(key, seq=1, ip=IP, udp=30303).text == record


def test_the_record_of_the_reference() -> None:
    """Spec 02 section 9.3, NodeInfo of node B."""
    assert make_record(KEY_B, seq=2, ip=IP, tcp=30100, udp=30100).text == (
        "enr:-Iu4QAc_p8ccSGN9jZw0nm-Ftd7dDp0IRUhjYUQruLI0Agj-X_tYqiMDZIq5YNOcE5NoHlLVqp04XVvFDqeQ_ZooqvwCgmlkgnY0gmlwhH8AAAGJ"
        "c2VjcDI1NmsxoQNqo9qbXB1hlWB2yzAU_9qgmWus2uKbpLieObQIj4bseIN0Y3CCdZSDdWRwgnWU"
    )


@given(st.integers(0, len(raw(RECORD)) * 8 - 1))
def test_one_flipped_bit(bit: int) -> None:
    with pytest.raises(InvalidEnode):
        parse_record(text(flip_bit(raw(RECORD), bit)))


@given(st.integers(0, len(raw(RECORD)) - 1))
def test_truncated(length: int) -> None:
    with pytest.raises(InvalidEnode):
        parse_record(text(raw(RECORD)[:length]))


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda body: text(body).removeprefix(PREFIX)))
def test_any_text_is_refused(body: str) -> None:
    with pytest.raises(InvalidEnode):
        parse_record(PREFIX + body)


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(InvalidEnode, match="trailing"):
        parse_record(text(raw(RECORD) + b"\x00"))


def test_no_prefix() -> None:
    with pytest.raises(InvalidEnode, match="missing 'enr:' prefix"):
        parse_record(RECORD.removeprefix(PREFIX))


def test_the_size_limit() -> None:
    def of_size(padding: int) -> str:
        return signed([b"\x01", b"id", b"v4", b"secp256k1", COMPRESSED, b"zz", bytes(padding)])

    padding = next(n for n in range(100, 200) if len(raw(of_size(n))) == MAX_RECORD_BYTES)
    assert MAX_RECORD_BYTES == 300
    assert parse_record(of_size(padding)).key == KEY_A.public
    with pytest.raises(InvalidEnode, match="record too big: 301 > 300"):
        parse_record(of_size(padding + 1))


@pytest.mark.parametrize(
    "content",
    [
        [],
        [b"\x01"],
        [b"\x00\x01", b"id", b"v4", b"secp256k1", COMPRESSED],
        [b"\x01", b"id", b"v5", b"secp256k1", COMPRESSED],
        [b"\x01", b"secp256k1", COMPRESSED],
        [b"\x01", b"id", b"v4"],
        [b"\x01", b"id", b"v4", b"secp256k1"],
        [b"\x01", b"secp256k1", COMPRESSED, b"id", b"v4"],
        [b"\x01", b"id", b"v4", b"id", b"v4", b"secp256k1", COMPRESSED],
        [b"\x01", b"id", b"v4", b"secp256k1", bytes(33)],
        [b"\x01", b"id", b"v4", b"ip", b"\x01\x02\x03", b"secp256k1", COMPRESSED],
        [b"\x01", b"id", b"v4", b"secp256k1", COMPRESSED, b"tcp", b"\x01\x00\x00"],
        [b"\x01", b"id", b"v4", b"secp256k1", COMPRESSED, b"udp", b"\x00\x01"],
        [b"\x01", b"id", b"v4", b"secp256k1", COMPRESSED, b"udp", []],
    ],
)
def test_well_signed_but_wrong(content: list[Encodable]) -> None:
    with pytest.raises(InvalidEnode, match="invalid record"):
        parse_record(signed(content))


def test_signed_by_somebody_else() -> None:
    content: list[Encodable] = [b"\x01", b"id", b"v4", b"secp256k1", COMPRESSED]
    with pytest.raises(InvalidEnode, match="invalid signature"):
        parse_record(signed(content, KEY_B))


def test_a_high_s_is_refused() -> None:
    items = decode(raw(RECORD))
    assert isinstance(items, list)
    signature = items[0]
    assert isinstance(signature, bytes)
    high = (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    with pytest.raises(InvalidEnode, match="invalid signature"):
        parse_record(text(encode([signature[:32] + high, *items[1:]])))


def test_unknown_keys_are_kept_out_of_the_way() -> None:
    content: list[Encodable] = [b"\x01", b"id", b"v4", b"secp256k1", COMPRESSED, b"zz", [b"any", [b"shape"]]]
    assert parse_record(signed(content)) == Node(KEY_A.public)


# -- as an element of a message


def test_an_element_is_the_list_itself() -> None:
    record = make_record(KEY_B, seq=7, ip=IP, tcp=1, udp=2)
    assert decode(record.raw) == record.to_rlp()
    assert Record.from_rlp(decode(record.raw)) == record
    assert (record.seq, record.node, record.text) == (7, Node(KEY_B.public, IP, 1, 2), text(record.raw))


def test_ipv4_in_ipv6_is_ipv4() -> None:
    content = [b"\x01", b"id", b"v4", b"ip6", bytes(10) + b"\xff\xff" + IP.packed, b"secp256k1", COMPRESSED]
    assert parse_record(signed(content)).ip == IP


@given(st.recursive(st.binary(max_size=80), st.lists, max_leaves=10))
def test_any_element_is_refused(item: object) -> None:
    with pytest.raises(MalformedMessage):
        Record.from_rlp(item)  # type: ignore[arg-type]
