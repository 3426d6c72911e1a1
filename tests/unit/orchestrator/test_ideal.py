"""The way a message should take, and that every delivered message has a connected way in its trace."""

from __future__ import annotations

import itertools
import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.events import Kind, NodeEvent
from node.ids import OverlayAddress
from node.pss.routing import ForwardMode, forward, is_recipient
from node.swarm.proximity import position
from orchestrator.ideal import Network, compare, next_hops, shortest_way, ways_by_rules
from orchestrator.identity import make_node
from orchestrator.journey import Ideal, Journey
from orchestrator.topology import Kind as Shape
from orchestrator.topology import generate
from orchestrator.trace import join_events

DIGEST = "ab" * 32


def address(first: int) -> OverlayAddress:
    """One whose first byte counts."""
    return OverlayAddress(bytes([first]) + bytes(31))


LINE = Network.of(
    {"alice": address(0b0001_0000), "n01": address(0b1000_0000), "bob": address(0b1100_0000)},
    [("alice", "n01"), ("bob", "n01")],
)


def test_shortest_way() -> None:
    assert shortest_way(LINE, "alice", "bob") == ("alice", "n01", "bob")
    assert shortest_way(LINE, "alice", "alice") == ("alice",)
    apart = Network.of(LINE.addresses, [("alice", "n01")])
    assert shortest_way(apart, "alice", "bob") == ()


def test_strangers_are_left_out() -> None:
    network = Network.of(LINE.addresses, [("alice", "somebody"), ("alice", "alice"), ("n01", "alice")])
    assert network.peers == {"alice": {"n01"}, "n01": {"alice"}, "bob": frozenset()}


def test_the_rules_take_whoever_has_the_address() -> None:
    to = bytes(LINE.addresses["bob"])
    assert next_hops(LINE, "n01", to) == {"bob"}
    assert ways_by_rules(LINE, "alice", to)["bob"] == ("alice", "n01", "bob")


def test_the_rules_can_lead_elsewhere() -> None:
    """Greedy: a nearer peer wins even if it is a dead end, and the message never sees the way around."""
    addresses = {
        "alice": address(0b0000_0001),
        "x": address(0b0000_0010),
        "y": address(0b0000_0011),
        "near": address(0b1110_0000),
        "around": address(0b0111_0000),
        "bob": address(0b1111_0000),
    }
    links = [("alice", name) for name in ("x", "y", "near", "around")] + [("around", "bob")]
    network = Network.of(addresses, links)
    # With two near peers in its deepest bin, alice's neighbourhood begins beyond bob.
    assert network.depth("alice") > 0
    assert next_hops(network, "alice", bytes(addresses["bob"])) == {"near"}
    assert shortest_way(network, "alice", "bob") == ("alice", "around", "bob")
    assert "bob" not in ways_by_rules(network, "alice", bytes(addresses["bob"]))


@pytest.mark.parametrize(
    ("ideal", "text"),
    [
        (
            Ideal(node="bob", hops=2, shortest=("a", "b", "bob"), greedy=("a", "b", "bob"), by_rules=True),
            "bob: 2 hops; ideal 2; by the rules of pss 2",
        ),
        (
            Ideal(node="bob", hops=3, shortest=("a", "bob"), greedy=("a", "b", "bob"), by_rules=False),
            "bob: 3 hops; ideal 1: a -> bob; by the rules of pss 2; "
            "it went a way that the rules do not give with the connections there are now",
        ),
        (
            Ideal(node="bob", hops=1, shortest=(), greedy=(), by_rules=False),
            "bob: 1 hop; the connections there are now have no way there",
        ),
        (
            Ideal(node="bob", hops=2, shortest=("a", "b", "bob"), greedy=(), by_rules=True),
            "bob: 2 hops; ideal 2; the rules of pss lead elsewhere",
        ),
    ],
)
def test_in_words(ideal: Ideal, text: str) -> None:
    assert str(ideal) == text
    assert ideal.ideal_hops == (len(ideal.shortest) - 1 if ideal.shortest else None)


def test_nothing_to_compare() -> None:
    assert compare(Journey(digest=DIGEST), LINE) == ()
    assert compare(Journey(digest=DIGEST, origin="alice", to="ff"), LINE) == ()
    assert compare(Journey(digest=DIGEST, origin="nobody", to="ff"), LINE, arrived=["bob"]) == ()


# -- against the node's own rules, on generated labs


@dataclass
class Simulation:
    """A network in which messages take no time: each node routes with the node's own code and tells what it does."""

    network: Network
    rng: random.Random
    told: list[tuple[str, NodeEvent]] = field(default_factory=list)
    used: dict[tuple[str, str], int] = field(default_factory=dict)
    seq: dict[str, int] = field(default_factory=dict)

    def tell(self, name: str, kind: Kind, peer: str = "", **data: object) -> None:
        self.seq[name] = self.seq.get(name, 0) + 1
        at_s = 1_700_000_000.0 + len(self.told) / 1000
        event = NodeEvent(
            seq=self.seq[name], wall_s=at_s, mono_s=at_s, kind=kind, peer=peer, digest=DIGEST, data=data, size=5
        )
        self.told.append((name, event))

    def send(self, sender: str, receiver: str, to: bytes) -> bool:
        """Whether it arrived. Events name peers by their names."""
        self.tell(sender, Kind.PSS_SENT, mode="asymmetric", to=to.hex())
        seen, delivered = {sender}, False
        flying = deque((sender, peer) for peer in self.pass_on(sender, to))
        while flying:
            from_, name = flying.popleft()
            if name in seen:
                self.tell(name, Kind.PSS_DUPLICATE, from_)
                continue
            seen.add(name)
            meant = is_recipient(self.network.addresses[name], to, self.network.depth(name), prox=False)
            opened = meant and name == receiver
            self.tell(name, Kind.PSS_RECEIVED, from_, to=to.hex(), keys_tried=int(meant), opened=opened)
            if opened:
                self.tell(name, Kind.PSS_DELIVERED, from_, mode="asymmetric", handlers=1)
                delivered = True
            if not opened or len(to) < 32:
                flying += [(name, peer) for peer in self.pass_on(name, to)]
        return delivered

    def pass_on(self, name: str, to: bytes) -> list[str]:
        depth = self.network.depth(name)
        peers = sorted(self.network.peers[name])
        self.rng.shuffle(peers)
        candidates = [(position(self.network.addresses[peer]), self.used.get((name, peer), 0), peer) for peer in peers]
        result = forward(self.network.addresses[name], to, depth, candidates, lambda peer: True)
        for peer, po in result.hops:
            self.used[name, peer] = self.used.get((name, peer), 0) + 1
            self.tell(
                name,
                Kind.PSS_FORWARDED,
                peer,
                mode=result.mode.value,
                po=po,
                own_po=result.range.own_po,
                depth=depth,
                threshold=result.range.threshold,
            )
        assert result.mode is not ForwardMode.NOBODY
        return [peer for peer, _ in result.hops]


@given(
    kind=st.sampled_from([str(kind) for kind in Shape]),
    n=st.integers(5, 24),
    seed=st.integers(0, 10_000),
    known_bytes=st.sampled_from([32, 32, 32, 2, 1, 0]),
)
@settings(max_examples=150, deadline=None)
def test_every_delivered_message_has_a_connected_path_in_its_trace(
    kind: str, n: int, seed: int, known_bytes: int
) -> None:
    topology = generate(kind, n, name="property", seed=seed)
    addresses = {name: make_node(seed, "property", name).overlay for name in topology.names}
    network = Network.of(addresses, [(link.a, link.b) for link in topology.links])
    rng = random.Random(seed)
    sender, receiver = rng.sample(topology.names, 2)
    simulation = Simulation(network, rng)
    to = bytes(addresses[receiver])[:known_bytes]
    arrived = simulation.send(sender, receiver, to)
    told = simulation.told
    rng.shuffle(told)
    journey = join_events(DIGEST, told, {name: name for name in topology.names})
    ideals = compare(journey, network)
    assert [ideal.node for ideal in ideals] == ([receiver] if arrived else [])
    if known_bytes == 0:
        assert arrived, "to everybody means to everybody in a connected lab"
    if not arrived:
        assert journey.path_to(receiver) == []
        return
    # From end to end over real connections, by the rules, and no shorter than the shortest.
    path = [sender, *(hop.receiver for hop in journey.path_to(receiver))]
    assert path[-1] == receiver
    assert all(b in network.peers[a] for a, b in itertools.pairwise(path))
    (ideal,) = ideals
    assert ideal.by_rules
    assert ideal.hops == len(path) - 1
    assert len(ideal.shortest) <= len(ideal.greedy) <= len(path)
    assert all(b in network.peers[a] for a, b in itertools.pairwise(ideal.greedy))
    reached = {name for name, event in told if event.kind is Kind.PSS_RECEIVED} | {sender}
    assert reached <= set(ways_by_rules(network, sender, to))
    assert [attempt.node for attempt in journey.attempts if attempt.opened] == [receiver]
