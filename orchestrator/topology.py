"""Shapes of labs: line, ring, star, full, tree, random.

Graphs come from networkx. The two nodes farthest from each other are called alice and bob, so that a message between
them takes the longest way the shape has; the others are n01, n02 and so on.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import networkx as nx

from orchestrator.errors import LabFileError
from orchestrator.identity import make_node, network_id_for
from orchestrator.names import check_lab_name, did_you_mean
from orchestrator.spec import LabSpec, Link

MAX_NODES = 500
"""A Linux bridge has 1023 ports (BR_PORT_BITS = 10), and above about 900 ARP already fails (lab-anchors.md 3.2)."""
DEFAULT_BRANCHING = 2
DEFAULT_DEGREE = 3.0
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


MIN_NODES = {Kind.RING: 3, Kind.STAR: 3}
"""Smallest number of nodes that has the shape; 2 for the others."""
PLANNED_KINDS = frozenset({"smallworld", "kademlia"})


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
    seed: int,
    branching: int | None = None,
    degree: float | None = None,
    p: float | None = None,
) -> Topology:
    """Make a connected topology; the same arguments give the same one.

    Args:
        kind: one of :class:`Kind`.
        n: number of nodes.
        seed: of the lab; counts for `random` only.
        branching: of a tree: children per node; 2 by default.
        degree: of random: links per node on average; 3 by default.
        p: of random, instead of `degree`: which share of all pairs is linked.

    Raises:
        LabFileError: no such kind, a size it cannot have, or an option that makes no sense with it.
    """
    shape = _check_kind(kind)
    _check_size(shape, n)
    _check_options(shape, branching=branching, degree=degree, p=p)
    makers: dict[Kind, Callable[[], nx.Graph[int]]] = {
        Kind.LINE: lambda: nx.path_graph(n),
        Kind.RING: lambda: nx.cycle_graph(n),
        Kind.STAR: lambda: nx.star_graph(n - 1),
        Kind.FULL: lambda: nx.complete_graph(n),
        Kind.TREE: lambda: nx.full_rary_tree(DEFAULT_BRANCHING if branching is None else branching, n),
        Kind.RANDOM: lambda: _random_graph(n, _link_count(n, degree=degree, p=p), seed=seed),
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
    p: float | None = None,
    auto_connect: bool = False,
) -> LabSpec:
    """A whole lab of one shape, everything else as it is by default. Arguments and errors as :func:`generate`."""
    check_lab_name(name)
    shape = generate(kind, n, seed=seed, branching=branching, degree=degree, p=p)
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
        LabFileError: too few to talk to each other, or too many for one bridge.
    """
    if n < 2:
        nodes = "1 node" if n == 1 else f"{n} nodes"
        raise LabFileError(f"a topology of {nodes} has nobody to talk to; expected at least 2")
    if n > MAX_NODES:
        raise LabFileError(f"{n} nodes are more than the {MAX_NODES} that one Linux bridge carries reliably")


def _check_kind(kind: str) -> Kind:
    if kind in PLANNED_KINDS:
        raise LabFileError(f"topology kind {kind!r} is not supported yet", hint=f"kinds: {', '.join(Kind)}")
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


def _check_options(shape: Kind, *, branching: int | None, degree: float | None, p: float | None) -> None:
    given = {"branching": branching, "degree": degree, "p": p}
    allowed = {Kind.TREE: {"branching"}, Kind.RANDOM: {"degree", "p"}}.get(shape, set())
    for option, value in given.items():
        if value is not None and option not in allowed:
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


def _name_nodes(n: int, *, ends: tuple[int, int]) -> tuple[str, ...]:
    width = max(2, len(str(n - 2)))
    numbered = iter(range(1, n))
    named = dict(zip(ends, (FIRST_END, LAST_END), strict=True))
    return tuple(named[node] if node in named else f"n{next(numbered):0{width}d}" for node in range(n))


def _upwards(edge: tuple[int, int]) -> tuple[int, int]:
    return min(edge), max(edge)
