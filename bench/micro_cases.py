"""The operations that :mod:`bench.micro` times, without sockets: what a node does per message or per peer.

Payloads are random bytes: what travels is encrypted, so snappy finds nothing to compress in it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from node.crypto.secp256k1 import PrivateKey
from node.ids import OverlayAddress, Topic
from node.pss.crypto import SymmetricKey, unwrap_asymmetric, unwrap_symmetric, wrap_asymmetric, wrap_symmetric
from node.pss.message import PssMessage
from node.pss.routing import forward
from node.rlpx.connection import Connection
from node.rlpx.events import MessageReceived
from node.swarm.address import BzzAddr
from node.swarm.kademlia import Kademlia
from node.swarm.load_balance import LoadBalancer
from node.swarm.proximity import position, proximity_order

SEED = 1
CODE = 0x21
"""A wire code as pss has it: one byte, behind bzz and hive."""
TOPIC = Topic(b"\x01\x02\x03\x04")
EXPIRE = 2_000_000_000
PARTIAL_ADDRESS_BYTES = 1
FRAME_SIZES = (32, 1024, 65536)
PSS_SIZES = (32, 1024)
FORWARD_PEERS = (20, 100)
KADEMLIA_PEERS = 100

TimeFunction = Callable[[int], float]
"""Does something so many times, and says how many seconds that took without what had to be prepared for it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One operation.

    Attributes:
        course: the kind of message whose time per message at the aimed rate the operation is compared with; "" for what
            happens per peer.
    """

    name: str
    course: str
    run: TimeFunction


def each(prepare: Callable[[], Callable[[], object]]) -> TimeFunction:
    """Time calls of what `prepare` returns."""

    def run(loops: int) -> float:
        operation = prepare()
        turns = range(loops)
        started = time.perf_counter()
        for _ in turns:
            operation()
        return time.perf_counter() - started

    return run


def all_cases() -> list[Case]:
    """Every operation, in the order of the table."""
    return [*_frames(), *_handshake(), *_envelopes(), *_forwarding(), *_messages(), *_kademlia()]


def size_text(size: int) -> str:
    return f"{size // 1024} KiB" if size >= 1024 else f"{size} B"


# -- RLPx


def connected() -> tuple[Connection, Connection]:
    """Two ends of a session with snappy, handshake done."""
    a, b = PrivateKey.generate(), PrivateKey.generate()
    dialing, listening = Connection(a, b.public), Connection(b)
    list(listening.receive_data(dialing.data_to_send()))
    list(dialing.receive_data(listening.data_to_send()))
    dialing.snappy = listening.snappy = True
    return dialing, listening


def _frames() -> list[Case]:
    return [
        *(Case(f"frame encode {size_text(size)}", "raw", each(partial(_encoder, size))) for size in FRAME_SIZES),
        *(Case(f"frame decode {size_text(size)}", "raw", _decoding(size)) for size in FRAME_SIZES),
    ]


def _encoder(size: int) -> Callable[[], object]:
    writer, _ = connected()
    payload = os.urandom(size)

    def encode() -> None:
        writer.send_message(CODE, payload)
        writer.data_to_send()

    return encode


def _decoding(size: int) -> TimeFunction:
    def run(loops: int) -> float:
        # Cipher and MAC run on from frame to frame, so each frame can be read once only.
        writer, reader = connected()
        payload = os.urandom(size)
        frames = []
        for _ in range(loops):
            writer.send_message(CODE, payload)
            frames.append(writer.data_to_send())
        read = 0
        started = time.perf_counter()
        for frame in frames:
            for event in reader.receive_data(frame):
                read += isinstance(event, MessageReceived)
        seconds = time.perf_counter() - started
        assert read == loops
        return seconds

    return run


def _handshake() -> list[Case]:
    return [Case("RLPx handshake, both sides", "", each(lambda: connected))]


# -- pss


def _envelopes() -> list[Case]:
    sender, receiver, key = PrivateKey.generate(), PrivateKey.generate(), SymmetricKey.generate()

    def wrap_sym(payload: bytes) -> bytes:
        return wrap_symmetric(payload, key, sender=sender)

    def wrap_asym(payload: bytes) -> bytes:
        return wrap_asymmetric(payload, receiver.public, sender=sender)

    def prepared(size: int, wrap: Callable[[bytes], bytes], unwrap: Callable[[bytes], object] | None) -> TimeFunction:
        payload = os.urandom(size)
        if unwrap is None:
            return each(lambda: lambda: wrap(payload))
        opening, envelope = unwrap, wrap(payload)
        return each(lambda: lambda: opening(envelope))

    cases = []
    for course, wrap, unwrap in (
        ("sym", wrap_sym, lambda envelope: unwrap_symmetric(envelope, key)),
        ("asym", wrap_asym, lambda envelope: unwrap_asymmetric(envelope, receiver)),
    ):
        for size in PSS_SIZES:
            text = size_text(size)
            cases.append(Case(f"pss wrap {course} {text}", course, prepared(size, wrap, None)))
            cases.append(Case(f"pss unwrap {course} {text}", course, prepared(size, wrap, unwrap)))
    return cases


def overlays(count: int) -> list[OverlayAddress]:
    """The same random addresses in every run."""
    random_ = random.Random(SEED)
    return [OverlayAddress(random_.randbytes(32)) for _ in range(count)]


def _forwarding() -> list[Case]:
    return [
        Case(f"forward decision, {peers} peers, {kind} address", "raw", each(partial(_forwarder, peers, kind)))
        for peers in FORWARD_PEERS
        for kind in ("exact", "partial", "empty")
    ]


def _forwarder(peers: int, kind: str) -> Callable[[], object]:
    """What PssService does with a message between decoding and encoding it."""
    base, *others = overlays(peers + 1)
    table = filled(base, others)
    positions = {number: position(other) for number, other in enumerate(others)}
    balancer: LoadBalancer[int] = LoadBalancer()
    for number, other in enumerate(others):
        balancer.on(number, proximity_order(base, other))
    # From bin 0, as for most messages that are only passed on.
    far = next(other for other in others if proximity_order(base, other) == 0)
    to = {"exact": far, "partial": far[:PARTIAL_ADDRESS_BYTES], "empty": b""}[kind]

    def send(peer: int) -> bool:
        balancer.used(peer)
        return True

    def decide() -> object:
        candidates = [(at, balancer.count(peer) or 0, peer) for peer, at in positions.items()]
        return forward(base, to, table.neighbourhood_depth, candidates, send)

    assert decide()
    return decide


def _messages() -> list[Case]:
    cases = []
    for size in PSS_SIZES:
        text, payload = size_text(size), os.urandom(size)
        wire = _message(payload).encode()
        cases += [
            # The first digest and the first encoding are computed, the next ones kept: each needs a message of its own.
            Case(f"digest {text}", "raw", _once_per_message(payload, lambda message: message.digest)),
            Case(f"PssMessage encode {text}", "raw", _once_per_message(payload, PssMessage.encode)),
            Case(f"PssMessage decode {text}", "raw", each(partial(partial, PssMessage.decode, wire))),
        ]
    return cases


def _message(payload: bytes) -> PssMessage:
    return PssMessage(to=overlays(1)[0], raw=True, expire=EXPIRE, topic=TOPIC, payload=payload)


def _once_per_message(payload: bytes, operation: Callable[[PssMessage], object]) -> TimeFunction:
    def run(loops: int) -> float:
        messages = [_message(payload) for _ in range(loops)]
        started = time.perf_counter()
        for message in messages:
            operation(message)
        return time.perf_counter() - started

    return run


# -- kademlia


def filled(base: OverlayAddress, others: list[OverlayAddress]) -> Kademlia[int]:
    """A table with all of `others` connected."""
    table: Kademlia[int] = Kademlia(base)
    for number, other in enumerate(others):
        table.on(_record(other), number, 0.0)
    return table


def _record(overlay: OverlayAddress) -> BzzAddr:
    return BzzAddr(overlay=overlay, underlay=b"enode://" + b"ab" * 64 + b"@127.0.0.1:30399")


def _kademlia() -> list[Case]:
    peers = f"{KADEMLIA_PEERS} peers"
    return [
        Case(f"kademlia on, {peers}", "", _changing(measure_on=True)),
        Case(f"kademlia off, {peers}", "", _changing(measure_on=False)),
        Case(f"kademlia suggest, {peers}", "", each(_suggesting)),
    ]


def _changing(*, measure_on: bool) -> TimeFunction:
    """A peer joins a table of KADEMLIA_PEERS others, or leaves it."""

    def run(loops: int) -> float:
        base, newcomer, *others = overlays(KADEMLIA_PEERS + 2)
        table, record, peer = filled(base, others), _record(newcomer), -1
        on = off = 0.0
        for _ in range(loops):
            at = time.perf_counter()
            table.on(record, peer, 0.0)
            between = time.perf_counter()
            table.off(record, peer, 0.0)
            on, off = on + between - at, off + time.perf_counter() - between
        return on if measure_on else off

    return run


def _suggesting() -> Callable[[], object]:
    """A tick that finds nobody to dial: as many addresses as peers are known, all of them tried a moment ago."""
    base, *others = overlays(2 * KADEMLIA_PEERS + 1)
    table = filled(base, others[:KADEMLIA_PEERS])
    table.register([_record(other) for other in others[KADEMLIA_PEERS:]], 0.0)
    while table.suggest_peer(0.0).address is not None:
        pass
    return lambda: table.suggest_peer(0.0)
