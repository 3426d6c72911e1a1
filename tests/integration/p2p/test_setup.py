"""From TCP to peer, step by step, and every way to be turned away (spec 02 section 2.1)."""

from __future__ import annotations

import ipaddress

import pytest

from node.crypto import ecies
from node.crypto.secp256k1 import PublicKey
from node.devp2p.messages import BaseCode, Capability, encode_disconnect
from node.disconnect import DisconnectReason
from node.enode import Node
from node.events import Kind
from node.p2p.server import Server
from node.rlp.codec import decode
from node.rlpx.events import HandshakeCompleted
from node.rlpx.handshake import PLAIN_ACK_BYTES, Initiator
from tests.integration.p2p.conftest import Start
from tests.support.keys import make_key
from tests.support.peers import CLOSED, encrypted_peer, live_peer, raw_listener, tcp_peer
from tests.support.servers import ECHO_CAPS, make_protocol, round_trip, still_serves
from tests.support.waiting import recording, until

KEY = make_key(50)
OTHER_CAPS = [Capability("echo", 2), Capability("other", 1)]


async def refused_in_place_of_hello(server: Server, key: int) -> int | None:
    """What comes right after the encryption handshake, before we said anything."""
    async with encrypted_peer(server.node, make_key(key)) as peer:
        return await peer.farewell()


def seal_plain_auth(recipient: PublicKey, body: bytes) -> bytes:
    """The packet from before EIP-8 with the fields of an EIP-8 body (spec 01 section 4.2)."""
    signature, static_key, nonce, _ = decode(body)
    assert isinstance(signature, bytes)
    assert isinstance(static_key, bytes)
    assert isinstance(nonce, bytes)
    return ecies.encrypt(recipient, signature + bytes(32) + static_key + nonce + b"\x00")


# -- welcome


async def test_a_peer_that_follows_the_rules(server: Server) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        await round_trip(peer)
        assert server.peers[0].name == "raw"
        assert server.peers[0].caps == ECHO_CAPS


@pytest.mark.parametrize("version", [0, 4, 5, 6])
async def test_compression_from_version_5_on(server: Server, version: int) -> None:
    async with encrypted_peer(server.node, KEY) as peer:
        peer.follow_hello = False
        peer.send_hello(KEY, ECHO_CAPS, version=version)
        await peer.receive_hello()
        peer.connection.snappy = version >= 5
        await round_trip(peer, bytes(100))


async def test_a_plain_format_initiator_is_answered_in_plain_format(server: Server) -> None:
    """Spec 01 section 4.3: 210 bytes, and the session goes on from there."""
    initiator = Initiator(KEY, server.node.key, seal=seal_plain_auth)
    async with tcp_peer(server.node, KEY, handshake=initiator) as peer:
        auth = peer.connection.data_to_send()
        assert len(auth) == 307
        peer.write(auth)
        ack = await peer.reader.readexactly(PLAIN_ACK_BYTES)
        assert list(peer.connection.receive_data(ack)) == [HandshakeCompleted(server.node.key)]
        peer.send_hello(KEY, ECHO_CAPS)
        await peer.receive_hello()
        await round_trip(peer)


async def test_a_server_without_protocols_takes_anybody(start: Start) -> None:
    server = await start(1)
    async with live_peer(server.node, KEY, OTHER_CAPS), live_peer(server.node, make_key(51)):
        await until(lambda: server.peer_count == 2)


async def test_everything_of_the_initiator_in_one_write(server: Server) -> None:
    """Hello right behind the handshake, the first message right behind Hello, before the server's Hello was read."""
    async with encrypted_peer(server.node, KEY) as peer:
        peer.follow_hello = False
        peer.send_hello(KEY, ECHO_CAPS, version=4)
        peer.send(16, b"early")
        assert (await peer.receive()).code == BaseCode.HELLO
        assert (await peer.receive()).payload == b"early"


async def test_trusted_nodes_pass_the_limits(start: Start) -> None:
    trusted = make_key(60)
    server = await start(1, make_protocol(), max_peers=0, trusted_nodes=[Node(trusted.public)])
    async with live_peer(server.node, trusted, ECHO_CAPS) as peer:
        await round_trip(peer)
        assert server.peers[0].trusted
        assert await refused_in_place_of_hello(server, 61) == DisconnectReason.TOO_MANY_PEERS
        server.add_trusted_peer(make_key(61).public.node_id)
        await still_serves(server, 61)


async def test_static_dials_pass_the_limit_of_the_dialer_only(start: Start) -> None:
    """Spec 02 pitfall 9."""
    dialer, listener, full = await start(1, max_peers=0), await start(2), await start(3, max_peers=0)
    with recording(dialer.events) as events:
        dialer.add_peer(listener.node)
        await events.wait(Kind.ADD)
        dialer.add_peer(full.node)
        assert (await events.wait(Kind.DIAL_FAILED)).reason == "too many peers"


# -- turned away before Hello


async def test_too_many_peers(start: Start) -> None:
    server = await start(1, make_protocol(), max_peers=1)
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        await round_trip(peer)
        assert await refused_in_place_of_hello(server, 51) == DisconnectReason.TOO_MANY_PEERS
        await round_trip(peer)
    await until(lambda: not server.peer_count)
    await still_serves(server)


async def test_already_connected(server: Server) -> None:
    async with live_peer(server.node, KEY, ECHO_CAPS) as peer:
        await round_trip(peer)
        assert await refused_in_place_of_hello(server, 50) == DisconnectReason.ALREADY_CONNECTED
        await round_trip(peer)


async def test_already_connected_is_checked_again_at_hello(server: Server) -> None:
    """Two connections of one node pass the first check; only one becomes a peer."""
    async with encrypted_peer(server.node, KEY) as one, encrypted_peer(server.node, KEY) as two:
        one.send_hello(KEY, ECHO_CAPS)
        await one.receive_hello()
        await round_trip(one)
        two.send_hello(KEY, ECHO_CAPS)
        await two.receive_hello()
        assert await two.farewell() == DisconnectReason.ALREADY_CONNECTED
        await round_trip(one)


async def test_connected_to_self(server: Server) -> None:
    assert await refused_in_place_of_hello(server, 1) == DisconnectReason.SELF


async def test_outside_the_allowed_networks(start: Start) -> None:
    """Closed before anything is read or written."""
    server = await start(1, make_protocol(), net_restrict=[ipaddress.ip_network("10.0.0.0/8")])
    async with tcp_peer(server.node, KEY) as peer:
        await peer.closed()
        assert peer.received_bytes == 0


# -- turned away at Hello


async def test_useless_peer(server: Server) -> None:
    """Said after the server's own Hello, compressed."""
    with recording(server.events) as events:
        async with encrypted_peer(server.node, KEY) as peer:
            peer.follow_hello = False
            peer.send_hello(KEY, OTHER_CAPS)
            await peer.receive_hello()
            message = await peer.receive()
            assert (message.code, message.payload.hex()) == (BaseCode.DISCONNECT, "0204c103")
            await peer.closed()
    assert events.events == []


@pytest.mark.parametrize("identity", [bytes(64), b"", b"\x01" * 63])
async def test_invalid_identity(server: Server, identity: bytes) -> None:
    """Rejected before compression is switched on (spec 01 pitfall 10)."""
    async with encrypted_peer(server.node, KEY) as peer:
        peer.follow_hello = False
        peer.send_hello_as(identity, ECHO_CAPS)
        await peer.receive_hello()
        message = await peer.receive()
        assert (message.code, message.payload.hex()) == (BaseCode.DISCONNECT, "c107")
        await peer.closed()


async def test_unexpected_identity(server: Server) -> None:
    async with encrypted_peer(server.node, KEY) as peer:
        peer.follow_hello = False
        peer.send_hello(make_key(51), ECHO_CAPS)
        await peer.receive_hello()
        message = await peer.receive()
        assert (message.code, message.payload.hex()) == (BaseCode.DISCONNECT, "0204c109")
        await peer.closed()


@pytest.mark.parametrize(
    ("payload", "echoed"),
    [("c104", 4), ("c180", 0), ("c108", 8), ("04", 0), ("c101", CLOSED), ("c111", CLOSED), ("c3820104", CLOSED)],
)
async def test_disconnect_in_place_of_hello_is_echoed(server: Server, payload: str, echoed: int | None) -> None:
    """Uncompressed, after the own Hello; never 1, and no number that would hurt the peer."""
    with recording(server.events) as events:
        async with encrypted_peer(server.node, KEY) as peer:
            peer.follow_hello = False
            peer.send(BaseCode.DISCONNECT, bytes.fromhex(payload))
            await peer.receive_hello()
            assert await peer.farewell() == echoed
    assert events.events == []


@pytest.mark.parametrize("code", [2, 3, 4, 16, 1000])
async def test_any_other_first_message_is_met_with_silence(server: Server, code: int) -> None:
    async with encrypted_peer(server.node, KEY) as peer:
        peer.send(code, b"\xc0")
        assert await peer.farewell() is CLOSED
    await still_serves(server)


@pytest.mark.parametrize("payload", ["", "c0", "80", "ff", "c5058080c080", "c6058080c08000"])
async def test_a_hello_that_does_not_decode_is_met_with_silence(server: Server, payload: str) -> None:
    async with encrypted_peer(server.node, KEY) as peer:
        peer.send(BaseCode.HELLO, bytes.fromhex(payload))
        assert await peer.farewell() is CLOSED
    await still_serves(server)


# -- the dialing side


async def test_the_dialer_hears_why_it_was_refused(server: Server) -> None:
    async with raw_listener(make_key(70)) as listener:
        with recording(server.events) as events:
            server.add_peer(listener.node)
            peer = await listener.accept()
            await peer.encrypt()
            peer.send(BaseCode.DISCONNECT, encode_disconnect(DisconnectReason.TOO_MANY_PEERS))
            await peer.receive_hello()
            assert await peer.farewell() == DisconnectReason.TOO_MANY_PEERS
            assert (await events.wait(Kind.DIAL_FAILED)).reason == "too many peers"
        assert not events.of(Kind.ADD, Kind.DROP)


async def test_a_dialer_with_the_wrong_key_just_sees_the_end(start: Start, server: Server) -> None:
    """Spec 01 section 4.5: nothing is sent before auth is valid."""
    dialer = await start(2, make_protocol())
    with recording(dialer.events) as events:
        dialer.add_peer(Node(make_key(77).public, server.node.ip, server.node.tcp))
        assert (await events.wait(Kind.DIAL_FAILED)).reason == "EOF"
    await still_serves(server)


async def test_the_dialer_checks_hello_like_everybody(server: Server) -> None:
    async with raw_listener(make_key(70)) as listener:
        with recording(server.events) as events:
            server.add_peer(listener.node)
            peer = await listener.accept()
            await peer.encrypt()
            peer.send_hello(make_key(71), ECHO_CAPS)
            assert await peer.farewell() == DisconnectReason.UNEXPECTED_IDENTITY
            assert "another identity" in (await events.wait(Kind.DIAL_FAILED)).reason


# -- accepting


async def test_accepting_pauses_while_too_many_are_in_setup(start: Start) -> None:
    server = await start(1, make_protocol(), max_pending_peers=2)
    async with tcp_peer(server.node, KEY) as one, tcp_peer(server.node, KEY), tcp_peer(server.node, KEY) as third:
        with pytest.raises(TimeoutError):
            await third.encrypt(timeout_s=0.1)
        assert len(server._links) == 2
        await one.aclose()
        await third.encrypt()
        third.send_hello(KEY, ECHO_CAPS)
        await third.receive_hello()
        await round_trip(third)


async def test_peers_do_not_count_as_pending(start: Start) -> None:
    server = await start(1, make_protocol(), max_pending_peers=1)
    async with live_peer(server.node, KEY, ECHO_CAPS) as one, live_peer(server.node, make_key(51), ECHO_CAPS) as two:
        await round_trip(one)
        await round_trip(two)
