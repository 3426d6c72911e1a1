"""Shapes of labs: line, ring, star, full, tree, random, smallworld, kademlia.

Graphs come from networkx. The two nodes farthest from each other are called alice and bob, so that a message between
them takes the longest way the shape has; the others are n01, n02 and so on. Not so in `kademlia`, where
links follow from addresses, and these from names: they are those that the overlay itself would make.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import networkx as nx

from node.ids import OverlayAddress
from node.swarm.health import peer_pots
from node.swarm.proximity import proximity_order
from orchestrator.errors import LabFileError
from orchestrator.identity import make_node, network_id_for
from orchestrator.names import check_lab_name, did_you_mean
from orchestrator.spec import LabSpec, Link

MAX_NODES = 500
"""Of one lab, whatever a node is: a lab file is good for both. A Linux bridge has 1023 ports (BR_PORT_BITS = 10), and
above about 900 ARP already fails (lab-anchors.md 3.2)."""
DEFAULT_BRANCHING = 2
DEFAULT_DEGREE = 3.0
DEFAULT_K = 4
"""Of a small world: neighbours on the ring, half of them on each side."""
DEFAULT_P = 0.2
"""Of a small world: which share of the links leads elsewhere instead."""
ATTEMPTS = 100
"""To get a small world that is connected."""
MIN_BIN_SIZE, MAX_BIN_SIZE = 2, 16
"""Peers that a node wants in bins outside of its neighbourhood, more in shallow ones (spec 05 section 7.2)."""
DEFAULT_MAX_PEERS = 50
"""What a node takes unless told otherwise (node.config)."""

FIRST_END, LAST_END = "alice", "bob"


class Kind(StrEnum):
    """What a topology can look like."""

    LINE = "line"
    RING = "ring"
    STAR = "star"
    FULL = "full"
    TREE = "tree"
    RANDOM = "random"
    SMALL_WORLD = "smallworld"
    KADEMLIA = "kademlia"


MIN_NODES = {Kind.RING: 3, Kind.STAR: 3, Kind.SMALL_WORLD: 3}
"""Smallest number of nodes that has the shape; 2 for the others."""
OPTIONS: dict[Kind, frozenset[str]] = {
    Kind.TREE: frozenset({"branching"}),
    Kind.RANDOM: frozenset({"degree", "p"}),
    Kind.SMALL_WORLD: frozenset({"k", "p"}),
    Kind.KADEMLIA: frozenset({"k"}),
}
"""What a shape can be told beyond its size."""


@dataclass(frozen=True)
class Topology:
    """Who there is and who is linked with whom."""

    names: tuple[str, ...]
    """In the order of the shape: along the line, around the ring."""
    links: tuple[Link, ...]


def generate(
    kind: str,
    n: int,
    *,
    name: str,
    seed: int,
    branching: int | None = None,
    degree: float | None = None,
    k: int | None = None,
    p: float | None = None,
) -> Topology:
    """Make a connected topology; the same arguments give the same one.

    Args:
        kind: one of :class:`Kind`.
        n: number of nodes.
        name: of the lab; addresses follow from it and the seed, and the links of `kademlia` from addresses.
        seed: of the lab; counts where chance or addresses do.
        branching: of a tree: children per node; 2 by default.
        degree: of random: links per node on average; 3 by default.
        k: of smallworld: neighbours on the ring, an even number; 4 by default. Of kademlia: how many peers of a bin a
            node is linked with at most, beyond its neighbourhood; by default as many as it wants.
        p: of random, instead of `degree`: which share of all pairs is linked; of smallworld: which share of the links
            leads elsewhere, 0.2 by default.

    Raises:
        LabFileError: no such kind, a size it cannot have, or an option that makes no sense with it.
    """
    shape = _check_kind(kind)
    _check_size(shape, n)
    _check_options(shape, branching=branching, degree=degree, k=k, p=p)
    if shape is Kind.KADEMLIA:
        return _kademlia(n, k, name=name, seed=seed)
    makers: dict[Kind, Callable[[], nx.Graph[int]]] = {
        Kind.LINE: lambda: nx.path_graph(n),
        Kind.RING: lambda: nx.cycle_graph(n),
        Kind.STAR: lambda: nx.star_graph(n - 1),
        Kind.FULL: lambda: nx.complete_graph(n),
        Kind.TREE: lambda: nx.full_rary_tree(DEFAULT_BRANCHING if branching is None else branching, n),
        Kind.RANDOM: lambda: _random_graph(n, _link_count(n, degree=degree, p=p), seed=seed),
        Kind.SMALL_WORLD: lambda: _small_world(n, k, DEFAULT_P if p is None else p, seed=seed),
    }
    graph = makers[shape]()
    names = _name_nodes(n, ends=farthest_pair(graph))
    return Topology(names, tuple(Link(names[a], names[b]) for a, b in sorted(map(_upwards, graph.edges))))


def make_spec(
    name: str,
    *,
    kind: str,
    n: int,
    seed: int,
    branching: int | None = None,
    degree: float | None = None,
    k: int | None = None,
    p: float | None = None,
    auto_connect: bool = False,
) -> LabSpec:
    """A whole lab of one shape, everything else as it is by default. Arguments and errors as :func:`generate`."""
    check_lab_name(name)
    shape = generate(kind, n, name=name, seed=seed, branching=branching, degree=degree, k=k, p=p)
    return LabSpec(
        name=name,
        seed=seed,
        nodes=tuple(make_node(seed, name, node) for node in shape.names),
        links=shape.links,
        network_id=network_id_for(seed, name),
        auto_connect=auto_connect,
    )


def farthest_pair(graph: nx.Graph[int]) -> tuple[int, int]:
    """Two nodes at the greatest distance of a connected graph of nodes 0, 1, ...; the first such pair."""
    # Sets as bits of one integer: 500 nodes, all linked, take 25 ms instead of a minute of breadth-first searches.
    everybody = (1 << len(graph)) - 1
    within = [1 << node for node in range(len(graph))]
    while True:
        wider = list(within)
        for a, b in graph.edges:
            wider[a] |= within[b]
            wider[b] |= within[a]
        if all(reached == everybody for reached in wider):
            first = next(node for node, reached in enumerate(within) if reached != everybody)
            missing = everybody & ~within[first]
            return first, (missing & -missing).bit_length() - 1
        within = wider


def max_peers_for(degree: int) -> int:
    """What `--maxpeers` a node with that many links needs: a third is kept for dialling, so not all are for others."""
    return max(DEFAULT_MAX_PEERS, 2 * degree)


def check_node_count(n: int) -> None:
    """Whether a lab can have that many nodes.

    Raises:
        LabFileError: too few to talk to each other, or too many for one lab.
    """
    if n < 2:
        nodes = "1 node" if n == 1 else f"{n} nodes"
        raise LabFileError(f"a topology of {nodes} has nobody to talk to; expected at least 2")
    if n > MAX_NODES:
        raise LabFileError(f"{n} nodes are more than the {MAX_NODES} of one lab; make several")


def _check_kind(kind: str) -> Kind:
    try:
        return Kind(kind)
    except ValueError:
        hint = did_you_mean(kind, Kind) or f"kinds: {', '.join(Kind)}"
        raise LabFileError(f"no topology kind {kind[:40]!r}", hint=hint) from None


def _check_size(shape: Kind, n: int) -> None:
    check_node_count(n)
    least = MIN_NODES.get(shape, 2)
    if n < least:
        raise LabFileError(f"a {shape} of {n} nodes is a line; expected at least {least}", hint="use kind: line")


def _check_options(shape: Kind, *, branching: int | None, degree: float | None, k: int | None, p: float | None) -> None:
    given = {"branching": branching, "degree": degree, "k": k, "p": p}
    for option, value in given.items():
        if value is not None and option not in OPTIONS.get(shape, ()):
            raise LabFileError(f"topology kind {shape.value!r} has no option {option!r}")
    if degree is not None and p is not None:
        raise LabFileError("degree and p say the same thing twice; give one of them")
    if branching is not None and branching < 1:
        raise LabFileError(f"a tree with a branching of {branching} does not grow; expected at least 1")


def _link_count(n: int, *, degree: float | None, p: float | None) -> int:
    """How many links a random topology gets: at least a tree's, at most all."""
    pairs = n * (n - 1) // 2
    if p is not None:
        wanted, what, least = round(p * pairs), f"p of {p:g}", (n - 1) / pairs
    elif degree is not None:
        wanted, what, least = round(n * degree / 2), f"degree of {degree:g}", 2 * (n - 1) / n
    else:
        return min(max(round(n * DEFAULT_DEGREE / 2), n - 1), pairs)
    if wanted < n - 1:
        raise LabFileError(f"a {what} is too little to connect {n} nodes; expected at least {least:.2g}")
    if wanted > pairs:
        raise LabFileError(f"a {what} is more than {n} nodes have others")
    return wanted


def _random_graph(n: int, links: int, *, seed: int) -> nx.Graph[int]:
    """A random tree, so that it is connected, and random links up to the number wanted."""
    rng = random.Random(f"pss-lab topology {seed}")  # noqa: S311 - replayed from the seed, nothing secret
    graph: nx.Graph[int] = nx.random_labeled_tree(n, seed=rng)
    graph.add_edges_from(rng.sample(sorted(nx.non_edges(graph)), links - (n - 1)))
    return graph


def _small_world(n: int, k: int | None, p: float, *, seed: int) -> nx.Graph[int]:
    """A ring of which each node knows the next few, and of whose links some lead elsewhere (Watts, Strogatz 1998)."""
    if k is None:
        k = min(DEFAULT_K, max(2, (n - 1) // 2 * 2))
    if k < 2 or k % 2:
        raise LabFileError(f"a k of {k} is not an even number from 2 on: half of the neighbours are on each side")
    if k >= n:
        raise LabFileError(f"a smallworld of {n} nodes cannot have a k of {k}; expected less than {n}")
    if not 0 <= p <= 1:
        raise LabFileError(f"a p of {p:g} is not between 0 and 1")
    rng = random.Random(f"pss-lab smallworld {seed}")  # noqa: S311 - replayed from the seed, nothing secret
    try:
        graph: nx.Graph[int] = nx.connected_watts_strogatz_graph(n, k, p, tries=ATTEMPTS, seed=rng)
    except nx.NetworkXError:
        raise LabFileError(f"a smallworld of {n} nodes with k {k} and p {p:g} falls apart; choose a larger k") from None
    return graph


def _kademlia(n: int, k: int | None, *, name: str, seed: int) -> Topology:
    """Each node linked with its neighbourhood, and with as many of each bin outside of it as it wants."""
    if k is not None and k < 1:
        raise LabFileError(f"a kademlia with a k of {k} has no links out of its neighbourhoods; expected at least 1")
    names = _name_nodes(n, ends=(0, n - 1))
    addresses = {node: make_node(seed, name, node).overlay for node in names}
    called = {bytes(address): node for node, address in addresses.items()}
    pots = peer_pots(addresses.values())
    rng = random.Random(f"pss-lab kademlia {seed}")  # noqa: S311 - replayed from the seed, nothing secret
    pairs: set[tuple[str, str]] = set()
    for node, address in addresses.items():
        pot = pots[address]
        chosen = [called[bytes(neighbour)] for neighbour in pot.nn_set]
        depth = len(pot.peers_per_bin)
        for po in range(depth):
            wanted = max(MIN_BIN_SIZE, min(MIN_BIN_SIZE + depth - po - 1, MAX_BIN_SIZE))
            wanted = wanted if k is None else min(wanted, k)
            chosen += _some_of_bin(addresses, node, po, wanted, pairs, rng)
        pairs |= {(min(node, other), max(node, other)) for other in chosen}
    at = {node: index for index, node in enumerate(names)}
    return Topology(names, tuple(Link(*sorted(pair, key=at.__getitem__)) for pair in sorted(pairs)))


def _some_of_bin(
    addresses: dict[str, OverlayAddress],
    node: str,
    po: int,
    wanted: int,
    pairs: set[tuple[str, str]],
    rng: random.Random,
) -> list[str]:
    """As many of a bin as a node still lacks."""
    there = [other for other in addresses if other != node and proximity_order(addresses[node], addresses[other]) == po]
    linked = [other for other in there if (min(node, other), max(node, other)) in pairs]
    free = [other for other in there if other not in linked]
    return rng.sample(free, min(max(0, wanted - len(linked)), len(free)))


def _name_nodes(n: int, *, ends: tuple[int, int]) -> tuple[str, ...]:
    width = max(2, len(str(n - 2)))
    numbered = iter(range(1, n))
    named = dict(zip(ends, (FIRST_END, LAST_END), strict=True))
    return tuple(named[node] if node in named else f"n{next(numbered):0{width}d}" for node in range(n))


def _upwards(edge: tuple[int, int]) -> tuple[int, int]:
    return min(edge), max(edge)
