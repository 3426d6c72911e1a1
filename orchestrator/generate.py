"""Lab files as text: one of each shape, made by rule, and a commented one to begin with.

What is written names all nodes and links, so that it can be changed by hand. Two shapes are only here: `smallworld`, a
ring with shortcuts, and `kademlia`, where the links are those that the overlay itself would make.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import groupby

import networkx as nx

from node.ids import OverlayAddress
from node.swarm.health import peer_pots
from node.swarm.proximity import proximity_order
from orchestrator.errors import LabFileError
from orchestrator.identity import make_node
from orchestrator.names import check_lab_name, did_you_mean
from orchestrator.spec import Link
from orchestrator.topology import Kind, Topology, check_node_count, farthest_pair, generate

SMALL_WORLD, KADEMLIA = "smallworld", "kademlia"
KINDS = (*Kind, SMALL_WORLD, KADEMLIA)
DEFAULT_K = 4
"""Of a small world: neighbours on the ring, half of them on each side."""
DEFAULT_P = 0.2
"""Of a small world: which share of the links leads elsewhere instead."""
ATTEMPTS = 100
"""To get a small world that is connected."""
MIN_BIN_SIZE, MAX_BIN_SIZE = 2, 16
"""Peers that a node wants in bins outside of its neighbourhood, more in shallow ones (spec 05 section 7.2)."""
LINE_CHARS = 110


def make_topology(
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
    """Nodes and links of any shape; the same arguments give the same ones.

    Args:
        kind: one of :data:`KINDS`.
        name: of the lab; addresses follow from it and the seed, and the links of `kademlia` from addresses.
        k: of smallworld: neighbours on the ring, an even number; 4 by default.
        p: of smallworld: which share of the links leads elsewhere, 0.2 by default; of random, see
            :func:`orchestrator.topology.generate`, as for `branching` and `degree`.

    Raises:
        LabFileError: no such kind, a size it cannot have, or an option that makes no sense with it.
    """
    given = {"branching": branching, "degree": degree, "k": k, "p": p}
    if kind == SMALL_WORLD:
        _refuse(kind, given, allowed=("k", "p"))
        least = min(DEFAULT_K, max(2, (n - 1) // 2 * 2))
        return _small_world(n, least if k is None else k, DEFAULT_P if p is None else p, seed=seed)
    if kind == KADEMLIA:
        _refuse(kind, given, allowed=())
        return _kademlia(n, name=name, seed=seed)
    if kind not in KINDS:
        raise LabFileError(
            f"no topology kind {kind[:40]!r}", hint=did_you_mean(kind, KINDS) or f"kinds: {', '.join(KINDS)}"
        )
    _refuse(kind, given, allowed=("branching", "degree", "p"))
    return generate(kind, n, seed=seed, branching=branching, degree=degree, p=p)


def lab_file(topology: Topology, *, name: str, seed: int, made_by: str) -> str:
    """A lab file with these nodes and links.

    Args:
        made_by: the command that makes it, for a comment.

    Raises:
        LabFileError: a lab cannot be called that.
    """
    check_lab_name(name)
    nodes = ", ".join(f"{words}: {{}}" for words in _ranges(topology.names))
    lines = [
        f"# {len(topology.names)} nodes, {len(topology.links)} links; made by: {made_by}",
        "apiVersion: lab/v1",
        f"name: {name}",
        f"seed: {seed}",
        f"nodes: {{{nodes}}}",
        "links:",
        *_wrapped(str(link) for link in topology.links),
    ]
    return "\n".join(lines) + "\n"


TEMPLATE = """\
# A lab: `lab up` beside this file starts it, `lab validate FILE` checks it, `lab graph FILE` shows its links.
apiVersion: lab/v1
name: {name}                        # of the lab: small letters, digits, dashes

metadata: {{title: My first lab}}     # for people; also author, version, license, minutes

# All keys and addresses follow from it: the same file is the same lab on every machine.
seed: 1

# What each node may use.
defaults: {{mem: 160m, cpus: 1.0, log: info}}   # log: error, warning, info, debug

# The nodes. A range such as n01..n03 stands for each of its names; a role is free text that commands can select by,
# such as: lab logs role=relay
nodes:
  alice: {{role: edge}}
  n01..n03: {{role: relay}}
  bob: {{role: edge}}

# Who dials whom. alice and bob are not linked: what they send each other has to be relayed.
links: [alice-n01, n01-n02, n02-n03, n03-n01, n03-bob]

# Instead of nodes and links, a shape: line, ring, star, full, tree or random. `lab generate` writes out others.
# topology: {{kind: ring, n: 8}}

# Let nodes dial whom kademlia suggests, beyond the links.
autoconnect: false

# How long `lab up` waits until all are connected and their tables are right.
ready: {{timeout: 60s}}
"""


def first_lab_file(name: str) -> str:
    """A commented lab file to begin with.

    Raises:
        LabFileError: a lab cannot be called that.
    """
    return TEMPLATE.format(name=check_lab_name(name))


# -- shapes


def _small_world(n: int, k: int, p: float, *, seed: int) -> Topology:
    """A ring of which each node knows the next few, and of whose links some lead elsewhere (Watts, Strogatz 1998)."""
    check_node_count(n)
    if k < 2 or k % 2:
        raise LabFileError(f"a k of {k} is not an even number from 2 on: half of the neighbours are on each side")
    if k >= n:
        raise LabFileError(f"a smallworld of {n} nodes cannot have a k of {k}; expected less than {n}")
    if not 0 <= p <= 1:
        raise LabFileError(f"a p of {p:g} is not between 0 and 1")
    rng = random.Random(f"pss-lab smallworld {seed}")  # noqa: S311 - replayed from the seed, nothing secret
    try:
        graph = nx.connected_watts_strogatz_graph(n, k, p, tries=ATTEMPTS, seed=rng)
    except nx.NetworkXError:
        raise LabFileError(f"a smallworld of {n} nodes with k {k} and p {p:g} falls apart; choose a larger k") from None
    first, last = farthest_pair(graph) if k < n - 1 else (0, n - 1)
    names = _names(n, first, last)
    return Topology(names, tuple(Link(names[a], names[b]) for a, b in sorted(tuple(sorted(e)) for e in graph.edges)))


def _kademlia(n: int, *, name: str, seed: int) -> Topology:
    """Each node linked with its neighbourhood, and with as many of each bin outside of it as it wants."""
    check_node_count(n)
    names = _names(n, 0, n - 1)
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


def _names(n: int, first: int, last: int) -> tuple[str, ...]:
    """As :mod:`orchestrator.topology` calls nodes: alice and bob at two places, the others by number."""
    width = max(2, len(str(n - 2)))
    numbers = iter(range(1, n))
    return tuple("alice" if at == first else "bob" if at == last else f"n{next(numbers):0{width}d}" for at in range(n))


def _refuse(kind: str, given: dict[str, float | int | None], *, allowed: Sequence[str]) -> None:
    for option, value in given.items():
        if value is not None and option not in allowed:
            raise LabFileError(f"topology kind {str(kind)!r} has no option {option!r}")


# -- text


def _ranges(names: Sequence[str]) -> list[str]:
    """Names in their order, numbered ones that follow each other as a range."""
    words = []
    for numbered, group in groupby(enumerate(names), key=lambda item: _run(*item)):
        members = [name for _, name in group]
        words.append(members[0] if numbered is None or len(members) == 1 else f"{members[0]}..{members[-1]}")
    return words


def _run(at: int, name: str) -> object:
    """The same for names of one run n01, n02, ...; None for alice and bob, who never stand side by side in one."""
    return at - int(name[1:]) if name[1:].isdigit() else None if name == "alice" else name


def _wrapped(words: Iterable[str]) -> list[str]:
    """A YAML list in lines of a bearable length."""
    lines, line = [], "  ["
    for word in words:
        if len(line) + len(word) > LINE_CHARS:
            lines.append(line.rstrip())
            line = "   "
        line += f"{word}, "
    return [*lines, line.rstrip().rstrip(",") + "]"]
