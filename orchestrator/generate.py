"""Lab files as text: one of each shape, made by rule, and a commented one to begin with.

What is written names all nodes and links, so that it can be changed by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from orchestrator.names import check_lab_name
from orchestrator.topology import Topology

LINE_CHARS = 110


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

# Instead of nodes and links, a shape: line, ring, star, full, tree, random, smallworld or kademlia.
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
