"""Asking other nodes and answering them, one question and its answer at a time (spec 04 sections 3 and 4).

Knows endpoints and questions, not the table and not why something is asked: :mod:`node.discv4.core` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple, Protocol, assert_never

from node.crypto.keccak import keccak256
from node.crypto.secp256k1 import PrivateKey
from node.discv4.bonds import Bonds, Peer, peer_of
from node.discv4.endpoint import Address, Endpoint, Neighbor
from node.discv4.lookup import RESULT_SIZE
from node.discv4.packet import (
    HASH_BYTES,
    MAX_NEIGHBORS,
    EnrRequest,
    EnrResponse,
    FindNode,
    Neighbors,
    Packet,
    Ping,
    Pong,
    Received,
    decode_packet,
    encode_packet,
    expired,
    seq_element,
)
from node.discv4.pending import REPLY_TIMEOUT_S, Answer, Pending, Question
from node.discv4.relay import accept_neighbor, may_relay
from node.discv4.timers import Timers
from node.enode import IPAddress, Node
from node.enr import Record
from node.errors import MalformedMessage
from node.networks import Network

EXPIRATION_S = 20
"""Written into packets: from now."""
BOND_WAIT_S = REPLY_TIMEOUT_S
"""After our PING, for the other to ping back and get its PONG; only then does it answer questions."""
MAX_PING_BACKS = 64
"""PINGs to strangers who pinged us that wait for their PONG; more strangers get their PONG only. Ours."""


class Datagram(NamedTuple):
    """What to send where."""

    data: bytes
    to: Address


class Owner(Protocol):
    """Who has the table."""

    def closest_live(self, target: bytes) -> Iterable[Node]:
        """The nodes closest to a point that may be told to others, closest first."""

    def verified(self, node: Node) -> None:
        """A node asks us and has proven its endpoint."""

    def seen_at(self, host: IPAddress, endpoint: Endpoint, now: float) -> None:
        """Somebody who answered us says where it sees us."""


class Exchange:
    """One node's conversations."""

    def __init__(
        self,
        key: PrivateKey,
        record: Record,
        owner: Owner,
        timers: Timers,
        *,
        net_restrict: Collection[Network] = (),
        unix_offset: float = 0.0,
    ) -> None:
        self.record = record
        """Our own."""
        self.unix_offset = unix_offset
        """Unix time minus the caller's clock, in seconds."""
        self.bonds = Bonds()
        self.dropped: Counter[str] = Counter()
        """Datagrams that led to nothing, by cause."""
        self.pending = Pending(timers)
        self._key, self._owner, self._timers = key, owner, timers
        self._net_restrict = net_restrict
        self._ping_backs: set[Peer] = set()
        self._outgoing: list[Datagram] = []

    def data_to_send(self) -> list[Datagram]:
        """Take what is to be sent."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram. Whatever is wrong with it is counted and nothing else."""
        try:
            received = decode_packet(data)
        except MalformedMessage:
            self.dropped["malformed"] += 1
            return
        problem = self._handle(received, source, now)
        if problem is not None:
            self.dropped[problem] += 1

    def _handle(self, received: Received, source: Address, now: float) -> str | None:
        packet, peer = received.packet, Peer(received.sender.node_id, source.ip)
        if peer.id == self._key.public.node_id:
            return "own"
        if not isinstance(packet, EnrResponse) and expired(packet.expiration, now + self.unix_offset):
            return "expired"
        match packet:
            case Ping():
                self._answer_ping(packet, received, source, now)
            case FindNode() | EnrRequest():
                if not self.bonds.is_proven(peer, now):
                    return "unbonded"
                if isinstance(packet, FindNode):
                    self._answer_find(packet, source, now)
                else:
                    self._send(EnrResponse(request_hash=received.hash, record=self.record), source)
            case Pong() | Neighbors() | EnrResponse():
                if not self.pending.answered(peer, packet, now):
                    return "unsolicited"
            case _:
                assert_never(packet)
        return None

    # -- answering

    def _answer_ping(self, ping: Ping, received: Received, source: Address, now: float) -> None:
        # The address a PING claims is not believed: only its TCP port is taken from it.
        node = Node(received.sender, source.ip, ping.sender.tcp, source.port)
        peer = peer_of(node)
        self._send(
            Pong(
                to=Endpoint.of(source, tcp=ping.sender.tcp),
                ping_hash=received.hash,
                expiration=self._expiration(now),
                rest=seq_element(self.record.seq),
            ),
            source,
        )
        if self.bonds.is_proven(peer, now):
            self._owner.verified(node)
        elif peer not in self._ping_backs and len(self._ping_backs) < MAX_PING_BACKS:
            self._ping_backs.add(peer)

            def ended(pong: Pong | None, now: float) -> None:
                self._ping_backs.discard(peer)
                if pong is not None:
                    self._owner.verified(node)

            self.ping(node, now, ended)
        self.bonds.ping_received(peer, now)

    def _answer_find(self, packet: FindNode, source: Address, now: float) -> None:
        closest = self._owner.closest_live(keccak256(packet.target))
        told = [Neighbor.of(node) for node in closest if may_relay(node.ip, source.ip)]
        # At least one packet, or the other waits for nothing.
        for start in range(0, len(told) or 1, MAX_NEIGHBORS):
            part = told[start : start + MAX_NEIGHBORS]
            self._send(Neighbors(nodes=part, expiration=self._expiration(now)), source)

    # -- asking

    def ping(self, node: Node, now: float, ended: Callable[[Pong | None, float], None]) -> None:
        """Send PING; `ended` gets the PONG, or None after :data:`REPLY_TIMEOUT_S`."""
        assert node.ip is not None
        address, peer = Address(node.ip, node.udp), peer_of(node)
        own = self.record.node
        answer: list[Pong] = []

        def take(pong: Answer, now: float) -> bool:
            assert isinstance(pong, Pong)
            self.bonds.pong_received(peer, now)
            self._owner.seen_at(peer.ip, pong.to, now)
            answer.append(pong)
            return True

        ping = Ping(
            sender=Endpoint.of(Address(own.ip, own.udp), tcp=own.tcp) if own.ip else Endpoint(),
            to=Endpoint.of(address),
            expiration=self._expiration(now),
            rest=seq_element(self.record.seq),
        )
        self.pending.add(
            Question(
                peer, Pong, take, lambda then: ended(answer[0] if answer else None, then), self._send(ping, address)
            ),
            now,
        )

    def find(self, node: Node, target: bytes, now: float, ended: Callable[[list[Node], float], None]) -> None:
        """Ask a node whom it knows near `target` (64 bytes); it is pinged first where that helps.

        `ended` gets the believable ones, none if there was no answer.
        """
        assert node.ip is not None
        address, peer, sender_ip = Address(node.ip, node.udp), peer_of(node), node.ip
        found: list[Node] = []
        told = 0

        def take(packet: Answer, now: float) -> bool:
            nonlocal told
            assert isinstance(packet, Neighbors)
            told += len(packet.nodes)
            found.extend(self._believed(packet.nodes[:RESULT_SIZE], sender_ip))
            return told >= RESULT_SIZE

        def ask(now: float) -> None:
            self._send(FindNode(target=target, expiration=self._expiration(now)), address)
            self.pending.add(Question(peer, Neighbors, take, lambda then: ended(found, then)), now)

        self._after_bond(node, now, ask)

    def request_record(self, node: Node, now: float, ended: Callable[[Record | None, float], None]) -> None:
        """Ask a node for its record; `ended` gets one that is its own and tells a believable address."""
        assert node.ip is not None
        address, peer, sender_ip = Address(node.ip, node.udp), peer_of(node), node.ip
        answer: list[Record] = []

        def take(packet: Answer, now: float) -> bool:
            assert isinstance(packet, EnrResponse)
            if packet.record.node.key == node.key and may_relay(packet.record.node.ip, sender_ip):
                answer.append(packet.record)
            return True

        def ask(now: float) -> None:
            token = self._send(EnrRequest(expiration=self._expiration(now)), address)
            self.pending.add(
                Question(peer, EnrResponse, take, lambda then: ended(answer[0] if answer else None, then), token), now
            )

        self._after_bond(node, now, ask)

    def _after_bond(self, node: Node, now: float, ask: Callable[[float], None]) -> None:
        """Have the other know our endpoint before it is asked, or it would not answer."""
        if not self.bonds.must_ping_first(peer_of(node), now):
            ask(now)
        else:
            self.ping(node, now, lambda _, then: self._timers.at(then + BOND_WAIT_S, ask))

    def _believed(self, told: Iterable[Neighbor], sender: IPAddress) -> list[Node]:
        nodes = (accept_neighbor(one, sender, self._net_restrict) for one in told)
        return [node for node in nodes if node is not None]

    def _expiration(self, now: float) -> int:
        return int(now + self.unix_offset) + EXPIRATION_S

    def _send(self, packet: Packet, to: Address) -> bytes:
        """Queue a packet; its hash."""
        data = encode_packet(self._key, packet)
        self._outgoing.append(Datagram(data, to))
        return data[:HASH_BYTES]
