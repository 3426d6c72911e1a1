"""bzz and hive messages: worked examples, tolerance, and what damage may do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.disconnect import DisconnectReason
from node.errors import MessageTooBig, RemoteProtocolError
from node.ids import overlay_address
from node.rlp.codec import Encodable, encode
from node.swarm import messages
from node.swarm.address import BzzAddr
from node.swarm.capability import FULL_CAPABILITIES
from node.swarm.messages import HandshakeMsg, PeersMsg, SubPeersMsg, decode_bzz, decode_hive, encode_message
from tests.unit.swarm.samples import overlay_of, overlays, record

NODE_1 = BzzAddr.of(
    overlay_address(bytes.fromhex("b59a23e8aaa6e40d3bd6e5eccd09987ab8141ec5b3646962e6810671d8f82434")),
    "enode://4f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa385b6b1b8ead809ca67454d9683fcf2ba"
    "03456d6fe2c4abe2b07f0fbdbb2f1c1@127.0.0.1:30401",
    FULL_CAPABILITIES,
)

addresses = st.builds(
    BzzAddr,
    overlay=overlays,
    underlay=st.binary(max_size=80),
    capabilities_rlp=st.sampled_from([FULL_CAPABILITIES.encode(), b"\xc1\xc0"]),
)
handshakes = st.builds(
    HandshakeMsg, version=st.integers(0, 2**64 - 1), network_id=st.integers(0, 2**64 - 1), address=addresses
)
hive_messages = st.one_of(
    st.builds(PeersMsg, peers=st.lists(addresses, max_size=3).map(tuple)),
    st.builds(SubPeersMsg, depth=st.integers(0, 255)),
)


def test_handshake_of_the_specification() -> None:
    # Spec 05 section 5.1: node 1, network 4242, identical to what the real binary sent.
    code, payload = encode_message(HandshakeMsg(network_id=4242, address=NODE_1))
    assert (code, len(payload)) == (0, 226)
    assert payload.hex().startswith(
        "f8e00e821092a0b59a23e8aaa6e40d3bd6e5eccd09987ab8141ec5b3646962e6810671d8f82434b898"
    )
    assert payload.hex().endswith("a0dfded280d001018080010180808080808080808001ca01c80101808080010180")


def test_peers_of_the_specification() -> None:
    assert encode_message(PeersMsg()) == (0, bytes.fromhex("c1c0"))
    _, payload = encode_message(PeersMsg(peers=(NODE_1,)))
    assert len(payload) == 224
    assert payload.hex().startswith("f8def8dca0b59a")


@pytest.mark.parametrize(
    ("depth", "payload"), [(0, "c180"), (1, "c101"), (127, "c17f"), (128, "c28180"), (255, "c281ff")]
)
def test_sub_peers_of_the_specification(depth: int, payload: str) -> None:
    assert encode_message(SubPeersMsg(depth=depth)) == (1, bytes.fromhex(payload))
    assert decode_hive(1, bytes.fromhex(payload)) == SubPeersMsg(depth=depth)


@pytest.mark.parametrize("payload", ["", "80", "c0", "c20080", "c100", "c3820100", "c20101", "c1c0", "c18000"])
def test_no_sub_peers(payload: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_hive(1, bytes.fromhex(payload))


@settings(deadline=None)
@given(handshakes)
def test_handshake_round_trip(message: HandshakeMsg) -> None:
    assert decode_bzz(*encode_message(message)) == message


@settings(deadline=None)
@given(hive_messages)
def test_hive_round_trip(message: PeersMsg | SubPeersMsg) -> None:
    assert decode_hive(*encode_message(message)) == message


@settings(deadline=None)
@given(handshakes, st.data())
def test_handshake_is_refused_when_cut_or_extended(message: HandshakeMsg, data: st.DataObject) -> None:
    _, payload = encode_message(message)
    for broken in (payload[: data.draw(st.integers(0, len(payload) - 1))], payload + b"\x00"):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_bzz(0, broken)
        assert caught.value.reason is DisconnectReason.SUBPROTOCOL_ERROR


@settings(deadline=None)
@given(st.one_of(handshakes, hive_messages), st.data())
def test_damage_raises_nothing_else(message: HandshakeMsg | PeersMsg | SubPeersMsg, data: st.DataObject) -> None:
    code, payload = encode_message(message)
    damaged = bytearray(payload)
    damaged[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    decode = decode_bzz if isinstance(message, HandshakeMsg) else decode_hive
    for broken in (bytes(damaged), payload[: data.draw(st.integers(0, len(payload)))]):
        try:
            decode(code, broken)
        except RemoteProtocolError:
            continue


@settings(deadline=None)
@given(st.integers(0, 3), st.binary(max_size=64))
def test_noise_raises_nothing_else(code: int, noise: bytes) -> None:
    for decode in (decode_bzz, decode_hive):
        try:
            decode(code, noise)
        except RemoteProtocolError:
            continue


def flat(*items: Encodable) -> bytes:
    return encode([list(items)])


def test_peers_are_kept_up_to_a_break_at_the_end() -> None:
    first, second = record("0"), record("1")
    overlay, underlay, caps = second.to_items()
    for rest in ([overlay], [overlay, underlay], [overlay, underlay, b"\xf8"], [overlay, underlay, b""]):
        assert decode_hive(0, flat(*first.to_items(), *rest)) == PeersMsg(peers=(first,))
    for rest2 in ([overlay, underlay, []], [[], underlay], [overlay, []], [[overlay, underlay, caps]]):
        with pytest.raises(RemoteProtocolError):
            decode_hive(0, flat(*first.to_items(), *rest2))
    with pytest.raises(RemoteProtocolError):
        decode_hive(0, flat(overlay, underlay, b"", *first.to_items()))


@pytest.mark.parametrize("size", [0, 2, 31, 33])
def test_peers_without_a_whole_overlay_address_are_left_out(size: int) -> None:
    first, second = record("0"), record("1")
    bad = [bytes(size), *first.to_items()[1:]]
    assert decode_hive(0, flat(*first.to_items(), *bad, *second.to_items())) == PeersMsg(peers=(first, second))


@pytest.mark.parametrize(("decode", "code"), [(decode_bzz, 1), (decode_hive, 2), (decode_hive, -1)])
def test_codes_outside_the_protocol(decode: object, code: int) -> None:
    assert callable(decode)
    with pytest.raises(RemoteProtocolError, match=f"^invalid message code: {code}$"):
        decode(code, b"\xc1\x03")


def test_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    _, payload = encode_message(PeersMsg(peers=(record(overlay_of("0")),)))
    monkeypatch.setattr(messages, "MAX_MESSAGE_BYTES", len(payload))
    assert decode_hive(0, payload)
    monkeypatch.setattr(messages, "MAX_MESSAGE_BYTES", len(payload) - 1)
    with pytest.raises(MessageTooBig) as caught:
        decode_hive(0, payload)
    assert caught.value.reason is DisconnectReason.SUBPROTOCOL_ERROR
