"""A lab file (``*.lab.yml``) to the lab it describes.

Three steps: text to data with positions (:mod:`orchestrator.yaml_tree`), data to typed sections
(:mod:`orchestrator.labfile_model`), sections to a :class:`~orchestrator.spec.LabSpec`, which is this module. A lab is
either a `topology` or `nodes` with `links`; both come out as the same thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import networkx as nx
from pydantic import ValidationError

from orchestrator.errors import LabFileError
from orchestrator.faults.labfile import read_net, read_timeline
from orchestrator.faults.sections import SECTIONS as FAULT_SECTIONS
from orchestrator.identity import make_node, network_id_for
from orchestrator.labfile_model import (
    API_VERSION,
    NAME_ERROR,
    SECTIONS,
    LabFile,
    LinkEntry,
    NodeEntry,
    ReferenceSection,
    json_schema,
)
from orchestrator.labfile_own import read_own
from orchestrator.labfile_reference import read_reference
from orchestrator.names import check_lab_name, check_node_name, did_you_mean, expand_range
from orchestrator.placement import MAX_SEARCH, search_length
from orchestrator.spec import LabSpec, Link, NodeLimits, NodeSpec
from orchestrator.topology import MAX_NODES, check_node_count, generate
from orchestrator.traffic.labfile import read_traffic
from orchestrator.verify.labfile import read_checks
from orchestrator.verify.model import Check
from orchestrator.verify.sections import SECTIONS as VERIFY_SECTIONS
from orchestrator.yaml_tree import Path, YamlTree, parse_yaml

__all__ = ["json_schema", "load_lab_file"]

MAX_NAMES_SHOWN = 5

WORDING = {
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "finite_number": "expected a number",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "string_type": "expected a text",
    "string_unicode": "expected a text",
    "dict_type": "expected keys and values",
    "model_type": "expected keys and values",
    "model_attributes_type": "expected keys and values",
    "list_type": "expected a list",
    "too_short": "expected two nodes",
    "too_long": "expected two nodes",
}
"""What pydantic's errors are called here; the rest is used as it is, without its capital."""


def load_lab_file(text: str, *, source: str = "", name: str | None = None, seed: int | None = None) -> LabSpec:
    """Read a lab file.

    Args:
        text: the file's content.
        source: its path, for errors and labels.
        name, seed: instead of the file's: keys, addresses and whatever chance decides follow from them.

    Raises:
        LabFileError: anything wrong with it, with line and column and where possible a suggestion.
    """
    tree = parse_yaml(text, source=source)
    try:
        file = LabFile.model_validate(tree.data)
    except ValidationError as error:
        raise _first_error(tree, error) from None
    chosen = {"name": check_lab_name(name or file.name), "seed": file.seed if seed is None else seed}
    file = file.model_copy(update=chosen)
    entries, links = _nodes_and_links(tree, file)
    if file.autoconnect:
        _check_joined(tree, list(entries), links)
    _check_placement(tree, file, entries)
    nodes = tuple(
        make_node(
            file.seed,
            file.name,
            name,
            role=entry.role,
            reference=read_reference(tree, file, key, entry),
            own=read_own(tree, file, key, entry),
            overlay_prefix=entry.overlay or "",
        )
        for name, (key, entry) in entries.items()
    )
    given = [(i, item.net, links[i]) for i, item in enumerate(file.links or ()) if isinstance(item, LinkEntry)]
    return LabSpec(
        name=file.name,
        seed=file.seed,
        nodes=nodes,
        links=links,
        network_id=network_id_for(file.seed, file.name),
        auto_connect=file.autoconnect,
        title=file.metadata.title,
        image=file.defaults.image or "",
        limits=NodeLimits(memory_mb=file.defaults.mem, cpus=file.defaults.cpus, pids=file.defaults.pids),
        verbosity=file.defaults.log,
        ready_timeout_s=file.ready.timeout,
        ready_when=file.ready.when,
        source=source,
        net=read_net(tree, [(index, net, link) for index, net, link in given if net is not None]),
        timeline=read_timeline(tree, file.faults or (), nodes),
        traffic=read_traffic(tree, file.traffic or (), nodes),
        checks=read_checks(tree, file.verify or (), nodes),
    )


def load_checks(text: str, nodes: Sequence[NodeSpec], *, source: str = "") -> tuple[Check, ...]:
    """What the `verify:` of a file, such as a teacher's, expects of a lab of these nodes; nothing else of it is read.

    Raises:
        LabFileError: anything wrong with it, with line and column.
    """
    tree = parse_yaml(text, source=source)
    try:
        file = LabFile.model_validate(tree.data)
    except ValidationError as error:
        raise _first_error(tree, error) from None
    return read_checks(tree, file.verify or (), nodes, of_another_lab=True)


# -- nodes and links


Entries = dict[str, tuple[str, NodeEntry]]
"""What the file says of a node, by its name, and under which key."""


def _nodes_and_links(tree: YamlTree, file: LabFile) -> tuple[Entries, tuple[Link, ...]]:
    """Entries by name of node, and the links."""
    if file.topology is None:
        if file.nodes is None:
            raise tree.error("the lab has no nodes", hint="give it a topology: {kind: line, n: 5}, or nodes and links")
        entries = _expand_nodes(tree, file.nodes)
        return entries, _read_links(tree, file, list(entries))
    for other in ("nodes", "links"):
        if other in tree.data:
            raise tree.error(f"{other} and topology exclude each other", (other,), of_key=True)
    options = file.topology.model_dump()
    try:
        shape = generate(options.pop("kind"), options.pop("n"), name=file.name, seed=file.seed, **options)
    except LabFileError as error:
        raise tree.error(str(error), ("topology",), of_key=True, hint=error.hint) from None
    return {name: ("", NodeEntry()) for name in shape.names}, shape.links


def _expand_nodes(tree: YamlTree, nodes: dict[str, NodeEntry | None]) -> Entries:
    entries: Entries = {}
    for key, entry in nodes.items():
        try:
            names = [check_node_name(name) for name in expand_range(key)]
            if len(entries) + len(names) > MAX_NODES:
                check_node_count(len(entries) + len(names))
        except LabFileError as error:
            raise tree.error(str(error), ("nodes", key), of_key=True, hint=error.hint) from None
        for name in names:
            if name in entries:
                raise tree.error(f"node {name!r} is there twice", ("nodes", key), of_key=True)
            entries[name] = (key, entry or NodeEntry())
    try:
        check_node_count(len(entries))
    except LabFileError as error:
        raise tree.error(str(error), ("nodes",), of_key=True) from None
    return entries


def _check_placement(tree: YamlTree, file: LabFile, entries: Entries) -> None:
    """Addresses with a prefix are searched for: not for minutes, and only where the address follows from our key."""
    for key, entry in entries.values():
        if entry.overlay is not None:
            reference = read_reference(tree, file, key, entry)
            if reference is not None and not reference.takes_bzz_key:
                hint = "let its command name {bzzkey_file}"
                raise tree.error("the node chooses its overlay address itself", ("nodes", key, "overlay"), hint=hint)
    tries = search_length(entry.overlay or "" for _, entry in entries.values())
    if tries > MAX_SEARCH:
        message = f"the overlay prefixes take {tries} keys to find, more than {MAX_SEARCH}"
        raise tree.error(message, ("nodes",), of_key=True, hint="shorter prefixes, or fewer nodes that have one")


def _read_links(tree: YamlTree, file: LabFile, names: list[str]) -> tuple[Link, ...]:
    known = set(names)
    links: dict[frozenset[str], Link] = {}
    for index, item in enumerate(file.links or ()):
        path: Path = ("links", index)
        a, b = item.endpoints if isinstance(item, LinkEntry) else _split_link(tree, item, path, known)
        for end in (a, b):
            if end not in known:
                raise _undefined(tree, end, path, known)
        if a == b:
            raise tree.error(f"node {a!r} is linked with itself", path)
        if (twin := links.get(frozenset((a, b)))) is not None:
            raise tree.error(f"the link {a}-{b} is there twice, first as {twin}", path)
        links[frozenset((a, b))] = Link(a, b)
    return tuple(links.values())


def _split_link(tree: YamlTree, text: str, path: Path, known: set[str]) -> tuple[str, str]:
    """The two nodes of ``a-b``; names may have dashes of their own."""
    dashes = [index for index, char in enumerate(text) if char == "-"]
    splits = [(text[:dash].strip(), text[dash + 1 :].strip()) for dash in dashes]
    fitting = [(a, b) for a, b in splits if a in known and b in known]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        a, b = fitting[0]
        hint = f"write {{endpoints: [{a}, {b}]}}"
        raise tree.error(f"the link {text[:60]!r} can be read in {len(fitting)} ways", path, hint=hint)
    if not splits:
        raise tree.error(f"expected a link such as alice-bob, got {text[:60]!r}", path)
    # Of several readings the one with a known end is the likeliest.
    likely = next((pair for pair in splits if known & set(pair)), splits[0])
    raise _undefined(tree, next(end for end in likely if end not in known), path, known)


def _undefined(tree: YamlTree, name: str, path: Path, known: set[str]) -> LabFileError:
    hint = did_you_mean(name, sorted(known)) or f"nodes: {_listed(sorted(known))}"
    return tree.error(f"link to the undefined node {name[:60]!r}", path, hint=hint)


def _check_joined(tree: YamlTree, names: list[str], links: tuple[Link, ...]) -> None:
    """With autoconnect nodes hear of each other over the links, so these have to hang together."""
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from((link.a, link.b) for link in links)
    reached = nx.node_connected_component(graph, names[0])
    apart = [name for name in names if name not in reached]
    if apart:
        message = f"autoconnect needs links that join all nodes; {names[0]} cannot hear of {_listed(apart)}"
        raise tree.error(message, ("autoconnect",), of_key=True)


# -- errors


def _first_error(tree: YamlTree, error: ValidationError) -> LabFileError:
    """Of everything that is wrong with the sections, what comes first in the file."""
    found = [_explain(tree, dict(problem)) for problem in error.errors(include_url=False)]
    return min(found, key=lambda problem: (problem.line, problem.column))


def _explain(tree: YamlTree, problem: dict[str, Any]) -> LabFileError:
    # pydantic names the form of a link in its paths, between the index and the key.
    path = tuple(part for index, part in enumerate(problem["loc"]) if not (problem["loc"][0] == "links" and index == 2))
    key = str(path[-1]) if path else ""
    if problem["type"] == "extra_forbidden":
        return _unknown_key(tree, path, key)
    if problem["type"] == "missing":
        section = f" in {_place(path[:-1])}" if len(path) > 1 else ""
        return tree.error(f"the key {key!r} is missing{section}", path[:-1], hint=_example(key))
    if problem["input"] is None:
        return tree.error(f"{key!r} has no value", path)
    if problem["type"] == NAME_ERROR:
        return tree.error(problem["msg"], path, hint=problem["ctx"]["hint"])
    if path[-2:-1] == ("command",) and isinstance(path[-1], int):
        # The usual slip: YAML takes a bare {ip} for keys and values.
        hint = 'quote it, as in "{ip}"' if isinstance(problem["input"], dict) else ""
        return tree.error(f"command: expected a text, got {_shown(problem['input'])}", path, hint=hint)
    text = WORDING.get(problem["type"])
    if problem["type"] in ("literal_error", "enum"):
        text = f"expected {problem['ctx']['expected']}".replace("'", "")
    if path[:1] == ("faults",) and problem["type"] in ("too_short", "too_long") and path[-1] != "cut":
        text = "expected at least one node"
    if path[-1:] == ("command",) and problem["type"] == "too_short":
        text = "expected a program and its arguments"
    if text is not None:
        text = f"{text}, got {_shown(problem['input'])}"
    else:
        text = problem["msg"].removeprefix("Value error, ")
        text = text[:1].lower() + text[1:]
    where = f"links[{path[1]}]" if path[:1] == ("links",) and len(path) == 2 else key
    return tree.error(f"{where}: {text}", path)


def _unknown_key(tree: YamlTree, path: Path, key: str) -> LabFileError:
    section = LabFile if len(path) == 1 else SECTIONS[str(path[0])]
    if path[0] == "kinds" and len(path) > 2:
        section = ReferenceSection
    if path[0] in ("faults", "links"):
        section = FAULT_SECTIONS.get(str(path[-2]), section)
    if path[0] == "verify":
        section = VERIFY_SECTIONS.get(str(path[-2]), section)
    if key in section.planned:
        return tree.error(f"the key {key!r} is not supported yet", path, of_key=True, hint="take it out for now")
    known = [field.alias or name for name, field in section.model_fields.items()]
    hint = did_you_mean(key, known) or f"keys here: {', '.join(known)}"
    return tree.error(f"unknown key {key[:60]!r}", path, of_key=True, hint=hint)


def _example(key: str) -> str:
    return {"apiVersion": f"begin the file with apiVersion: {API_VERSION}"}.get(key, "")


def _place(path: Path) -> str:
    """``'topology'``, ``verify[0]``: a section as people would point at it."""
    if isinstance(path[-1], int):
        return f"{path[-2]}[{path[-1]}]"
    return repr(path[-1])


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMES_SHOWN]) + (" ..." if len(names) > MAX_NAMES_SHOWN else "")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "keys and values"
    return "a list" if isinstance(value, list) else repr(str(value)[:60])
