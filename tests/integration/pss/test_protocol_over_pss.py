"""A devp2p protocol over pss, through a relay (spec 07 part B): what E6 of the tutorial intends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from node.devp2p.protocol import ProtocolSpec
from node.errors import LocalProtocolError, PeerDisconnected, UnknownKey
from node.p2p.protocol import Pipe, Protocol, RemotePeer
from node.pss.keystore import format_pubkey_id
from node.pss.ping import Ping
from node.pss.protocol import PssProtocol
from node.rlp.structure import Uint64
from tests.support.messages import SHARED_KEY
from tests.support.nodes import LabNode
from tests.support.servers import running_server
from tests.support.waiting import until


@dataclass(frozen=True, slots=True, kw_only=True)
class FooMsg:
    v: Uint64


SPEC = ProtocolSpec(name="fooping", version=42, messages=(FooMsg,))


@dataclass
class Foo:
    """Says 42 once and keeps what it hears. Written for any transport."""

    heard: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    @property
    def protocol(self) -> Protocol:
        return Protocol(name=SPEC.name, version=SPEC.version, length=SPEC.length, run=self.run)

    async def run(self, peer: RemotePeer, pipe: Pipe) -> None:
        self.names.append(peer.name)
        await pipe.send(*SPEC.encode(FooMsg(v=42)))
        try:
            while True:
                message = await pipe.read()
                self.heard.append(SPEC.decode(message.code, message.payload).v)
        except PeerDisconnected as error:
            self.ended.append(str(error))
            raise


@dataclass
class End:
    node: LabNode
    foo: Foo
    mounted: PssProtocol

    @property
    def id(self) -> str:
        return format_pubkey_id(self.node.key.public)


@pytest.fixture
async def ends(three: list[LabNode]) -> AsyncIterator[tuple[End, End]]:
    """Both ends of the line, E6's way: both modes, and each knows the other's key."""
    left, right = Foo(), Foo()
    alice, _, bob = three
    async with (
        PssProtocol(alice.pss, left.protocol, asymmetric=True, symmetric=True) as one,
        PssProtocol(bob.pss, right.protocol, asymmetric=True, symmetric=True) as two,
    ):
        alice.pss.keys.set_peer_public_key(bob.key.public, one.topic, bob.address)
        bob.pss.keys.set_peer_public_key(alice.key.public, two.topic, alice.address)
        yield End(alice, left, one), End(bob, right, two)


async def test_e6(ends: tuple[End, End]) -> None:
    left, right = ends
    assert left.mounted.topic.hex() == "1b9b83a9"
    wire: list[bytes] = []
    right.node.pss.subscribe(left.mounted.topic, lambda delivery: wire.append(delivery.payload))
    left.mounted.add_peer(right.id, asymmetric=True, name="right")
    await until(lambda: left.foo.heard and right.foo.heard)
    assert (left.foo.heard, right.foo.heard) == ([42], [42])
    # The one that was spoken to has made up a name.
    assert (left.foo.names, right.foo.names) == (["right"], [left.node.address.hex()])
    assert wire == [bytes.fromhex("c6800282c12ac0")]


async def test_symmetric(ends: tuple[End, End]) -> None:
    left, right = ends
    ids = [
        end.node.pss.keys.set_symmetric_key(SHARED_KEY, end.mounted.topic, other.node.address, add_to_cache=True)
        for end, other in ((left, right), (right, left))
    ]
    left.mounted.add_peer(ids[0], asymmetric=False)
    await until(lambda: left.foo.heard and right.foo.heard)
    assert right.mounted.peer(ids[1], asymmetric=False) is not None
    assert right.mounted.peer(left.id, asymmetric=True) is None


async def test_the_same_protocol_runs_on_a_connection(ends: tuple[End, End]) -> None:
    one, two = Foo(), Foo()
    async with running_server(7, one.protocol) as server, running_server(8, two.protocol) as other:
        server.add_peer(other.node)
        await until(lambda: one.heard and two.heard)
    assert (one.heard, two.heard) == ([42], [42])


async def test_many_messages_arrive_in_order(three: list[LabNode]) -> None:
    heard: list[int] = []

    async def listen(peer: RemotePeer, pipe: Pipe) -> None:
        await pipe.serve(lambda code, payload: heard.append(int.from_bytes(payload, "big")))

    async def talk(peer: RemotePeer, pipe: Pipe) -> None:
        for number in range(200):
            await pipe.send(code=1, payload=number.to_bytes(2, "big"))
        await pipe.read()

    def make(run: object) -> Protocol:
        return Protocol(name="count", version=1, length=2, run=run)  # type: ignore[arg-type]

    alice, _, bob = three
    async with (
        PssProtocol(alice.pss, make(talk), asymmetric=True) as one,
        PssProtocol(bob.pss, make(listen), asymmetric=True) as two,
    ):
        key_id = alice.pss.keys.set_peer_public_key(bob.key.public, one.topic, bob.address)
        bob.pss.keys.set_peer_public_key(alice.key.public, two.topic, alice.address)
        one.add_peer(key_id, asymmetric=True)
        await until(lambda: len(heard) == 200)
    assert heard == list(range(200))


async def test_ping_and_pong(three: list[LabNode]) -> None:
    alice, _, bob = three
    pings: asyncio.Queue[bool] = asyncio.Queue()
    pongs: asyncio.Queue[bool] = asyncio.Queue()
    asker, answerer = Ping(responder=False, incoming=pongs), Ping(responder=True, incoming=pings)
    async with (
        PssProtocol(alice.pss, asker.protocol, asymmetric=True) as one,
        PssProtocol(bob.pss, answerer.protocol, asymmetric=True) as two,
    ):
        key_id = alice.pss.keys.set_peer_public_key(bob.key.public, one.topic, bob.address)
        bob.pss.keys.set_peer_public_key(alice.key.public, two.topic, alice.address)
        one.add_peer(key_id, asymmetric=True)
        async with asyncio.timeout(5):
            for _ in range(3):
                asker.outgoing.put_nowait(False)
                assert await pings.get() is False
                assert await pongs.get() is True
            asker.outgoing.put_nowait(True)
            assert await pings.get() is True
    assert pongs.empty(), "a pong is not answered"


# -- ends


async def test_removing_a_peer_ends_its_run(ends: tuple[End, End]) -> None:
    left, right = ends
    peer = left.mounted.add_peer(right.id, asymmetric=True)
    await until(lambda: left.foo.heard)
    assert left.mounted.remove_peer(right.id, asymmetric=True)
    assert not left.mounted.remove_peer(right.id, asymmetric=True)
    await until(lambda: left.foo.ended)
    assert left.foo.ended == ["connection closed"]
    with pytest.raises(PeerDisconnected, match="connection closed"):
        await peer.pipe.send(0, b"\xc0")
    # The other side heard nothing of it: what it says starts a new run here.
    other = right.mounted.peer(left.id, asymmetric=True)
    assert other is not None
    await other.pipe.send(*SPEC.encode(FooMsg(v=7)))
    await until(lambda: 7 in left.foo.heard)
    assert len(left.foo.names) == 2


async def test_a_run_that_is_over_is_not_started_by_messages(three: list[LabNode]) -> None:
    alice, _, bob = three
    runs = {"alice": 0, "bob": 0}

    def make(name: str) -> Protocol:
        async def run(peer: RemotePeer, pipe: Pipe) -> None:
            runs[name] += 1
            await pipe.send(0, b"\xc0")  # and return: anew for every message, the two would never end

        return Protocol(name="brief", version=1, length=1, run=run)

    async with (
        PssProtocol(alice.pss, make("alice"), asymmetric=True) as one,
        PssProtocol(bob.pss, make("bob"), asymmetric=True) as two,
    ):
        key_id = alice.pss.keys.set_peer_public_key(bob.key.public, one.topic, bob.address)
        bob.pss.keys.set_peer_public_key(alice.key.public, two.topic, alice.address)
        alice.listen(one.topic)
        one.add_peer(key_id, asymmetric=True)
        await until(lambda: alice.inbox)
        bob.pss.send_asymmetric(format_pubkey_id(alice.key.public), two.topic, alice.inbox[0].payload)
        await until(lambda: len(alice.inbox) == 2)
        assert runs == {"alice": 1, "bob": 1}
        one.add_peer(key_id, asymmetric=True)
        await until(lambda: runs["alice"] == 2)


async def test_a_run_that_fails_is_logged_and_over(three: list[LabNode], caplog: pytest.LogCaptureFixture) -> None:
    async def run(peer: RemotePeer, pipe: Pipe) -> None:
        raise ZeroDivisionError("by design")

    alice, _, bob = three
    key_id = alice.pss.keys.set_peer_public_key(bob.key.public, b"\0\0\0\1", b"")  # type: ignore[arg-type]
    protocol = Protocol(name="broken", version=1, length=1, run=run)
    async with PssProtocol(alice.pss, protocol, asymmetric=True) as mounted:
        peer = mounted.add_peer(key_id, asymmetric=True)
        await until(lambda: peer.pipe.closed)
    assert "by design" in caplog.text


# -- what is refused


async def test_modes(three: list[LabNode], caplog: pytest.LogCaptureFixture) -> None:
    alice, _, bob = three
    with pytest.raises(LocalProtocolError, match="specify at least one of asymmetric or symmetric messaging mode"):
        PssProtocol(bob.pss, Foo().protocol)
    foo = Foo()
    async with PssProtocol(bob.pss, foo.protocol, symmetric=True) as mounted:
        key_id = alice.pss.keys.set_peer_public_key(bob.key.public, mounted.topic, bob.address)
        bob.pss.keys.set_peer_public_key(alice.key.public, mounted.topic, alice.address)
        alice.pss.send_asymmetric(key_id, mounted.topic, bytes.fromhex("c6800282c12ac0"))
        await until(lambda: "invalid protocol encryption" in caplog.text)
    assert foo.names == []


async def test_keys_that_are_not_there(ends: tuple[End, End]) -> None:
    left, _ = ends
    with pytest.raises(UnknownKey, match="asym key does not exist: 0x04"):
        left.mounted.add_peer("0x04", asymmetric=True)
    with pytest.raises(UnknownKey, match="symkey does not exist: ab"):
        left.mounted.add_peer("ab", asymmetric=False)


async def test_strangers_start_nothing(ends: tuple[End, End], caplog: pytest.LogCaptureFixture) -> None:
    left, right = ends
    right.node.pss.keys.forget_peer(left.id, left.mounted.topic)
    left.node.pss.send_asymmetric(right.id, left.mounted.topic, bytes.fromhex("c6800282c12ac0"))
    await until(lambda: "asym key does not exist" in caplog.text)
    assert right.foo.names == []


@pytest.mark.parametrize("plaintext", ["", "00", "c50102821234", "c6010282909305", "c6050282c12ac0"])
async def test_what_is_no_message_does_no_harm(
    ends: tuple[End, End], plaintext: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    left, right = ends
    left.mounted.add_peer(right.id, asymmetric=True)
    await until(lambda: left.foo.heard and right.foo.heard)
    left.node.pss.send_asymmetric(right.id, left.mounted.topic, bytes.fromhex(plaintext))
    left.node.pss.send_asymmetric(right.id, left.mounted.topic, bytes.fromhex("c6800282c12bc0"))
    await until(lambda: len(right.foo.heard) == 2)
    assert right.foo.heard == [42, 43]
    assert "pssmsg" in caplog.text or "invalid message code: 5" in caplog.text
