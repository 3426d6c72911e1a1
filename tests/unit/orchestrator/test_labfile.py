"""Lab files: both forms, every key, every mistake with its place and a suggestion."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import labfile_model
from orchestrator.errors import LabFileError
from orchestrator.identity import derive_key, network_id_for
from orchestrator.labfile import json_schema, load_lab_file
from orchestrator.spec import LabSpec, NodeLimits

HEAD = "apiVersion: lab/v1\nname: x\n"
LINE = "topology: {kind: line, n: 3}\n"


def load(body: str) -> LabSpec:
    return load_lab_file(HEAD + body, source="f.lab.yml")


def content(spec: LabSpec) -> tuple[object, ...]:
    """All of a spec in a form that can be compared."""
    nodes = [(n.name, n.role, n.node_key.secret, n.bzz_key.secret) for n in spec.nodes]
    plain = {key: value for key, value in vars(spec).items() if key not in ("nodes", "source")}
    return nodes, plain


def test_the_least() -> None:
    spec = load(LINE)
    assert (spec.name, spec.seed, spec.source, spec.auto_connect) == ("x", 1, "f.lab.yml", False)
    assert spec.node_names == ["alice", "n01", "bob"]
    assert [str(link) for link in spec.links] == ["alice-n01", "n01-bob"]
    assert spec.network_id == network_id_for(1, "x")
    assert spec.node("bob").node_key.secret == derive_key(1, "x", "bob", "node").secret
    assert (spec.limits, spec.verbosity, spec.ready_timeout_s, spec.image) == (NodeLimits(), 3, 60, "")


def test_every_key() -> None:
    spec = load(
        """\
metadata: {title: A lab, author: me, version: 1.10, license: MIT, minutes: 45}
seed: 42
defaults: {image: "registry:5000/a/b:dev", mem: 96m, cpus: 0.25, pids: 100, log: debug}
nodes: {alice: {role: edge}, n00..n02: {role: relay}, bob: }
links: [alice-n00, n00-n01, {endpoints: [n01, n02]}, n02-bob]
autoconnect: true
ready: {timeout: 1m30s}
x-mine: [anything]
"""
    )
    assert (spec.seed, spec.title, spec.image) == (42, "A lab", "registry:5000/a/b:dev")
    assert spec.limits == NodeLimits(memory_mb=96, cpus=0.25, pids=100)
    assert (spec.verbosity, spec.ready_timeout_s, spec.auto_connect) == (4, 90, True)
    assert [(node.name, node.role) for node in spec.nodes] == [
        ("alice", "edge"),
        ("n00", "relay"),
        ("n01", "relay"),
        ("n02", "relay"),
        ("bob", ""),
    ]
    assert [str(link) for link in spec.links] == ["alice-n00", "n00-n01", "n01-n02", "n02-bob"]


def test_both_forms_give_the_same_lab() -> None:
    explicit = load("nodes: {alice: {}, n01: {}, bob: {}}\nlinks: [alice-n01, n01-bob]\n")
    assert content(explicit) == content(load(LINE))


def test_topology_follows_the_seed() -> None:
    body = "topology: {kind: random, n: 12, degree: 4}\n"
    assert load(f"seed: 1\n{body}").links == load(body).links != load(f"seed: 2\n{body}").links
    assert len(load(body).links) == 24
    assert len(load("topology: {kind: tree, n: 4, branching: 3}").links) == 3


@pytest.mark.parametrize(("log", "level"), [("0", 0), ("5", 5), ("critical", 0), ("warning", 2), ("trace", 5)])
def test_log_levels(log: str, level: int) -> None:
    assert load(f"defaults: {{log: {log}}}\n{LINE}").verbosity == level


def test_names_that_other_yaml_takes_for_booleans() -> None:
    spec = load("metadata: {title: no}\nnodes: {no: {role: on}, on: , yes: , 1: , null: }\nlinks: [no-on, 1-null]\n")
    assert spec.node_names == ["no", "on", "yes", "1", "null"]
    assert [(link.a, link.b) for link in spec.links] == [("no", "on"), ("1", "null")]
    assert (spec.title, spec.node("no").role) == ("no", "on")


def test_names_with_dashes() -> None:
    spec = load("nodes: {a-b: , c-d: , e: }\nlinks: [a-b-c-d, e-a-b, 'c-d - e']\n")
    assert [(link.a, link.b) for link in spec.links] == [("a-b", "c-d"), ("e", "a-b"), ("c-d", "e")]


def test_a_lab_need_not_hang_together() -> None:
    assert load("nodes: {a: , b: , c: }\nlinks: [a-b]\n").neighbours("c") == set()
    assert load("nodes: {a: , b: }\n").links == ()


@pytest.mark.parametrize(
    ("body", "where", "why", "hint"),
    [
        # keys
        ("topologie: {kind: line, n: 3}", "3:1", "unknown key 'topologie'", "did you mean 'topology'?"),
        (f"foo: 1\n{LINE}", "3:1", "unknown key 'foo'", "keys here: apiVersion, name"),
        ("nodes: {a: , b: {rol: x}}", "3:18", "unknown key 'rol'", "did you mean 'role'?"),
        (f"defaults:\n  cpu: 1\n{LINE}", "4:3", "unknown key 'cpu'", "did you mean 'cpus'?"),
        (f"<<: 1\n{LINE}", "3:1", "unknown key '<<'", ""),
        (f"{LINE}networks: {{}}", "4:1", "the key 'networks' is not supported yet", ""),
        (f"{LINE}services: {{}}", "4:1", "the key 'services' is not supported yet", ""),
        (f"{LINE}ready: {{when: never}}", "4:15", "when: expected up, connected or healthy, got 'never'", ""),
        ("nodes: {a: {luminosity: 2}, b: }", "3:13", "the key 'luminosity' is not supported yet", ""),
        ("name: y", "3:1", "key 'name' is there twice", ""),
        # values
        (f"seed: -1\n{LINE}", "3:7", "seed: input should be greater than or equal to 0", ""),
        (f"seed: abc\n{LINE}", "3:7", "seed: expected a whole number, got 'abc'", ""),
        (f"seed:\n{LINE}", "3:6", "'seed' has no value", ""),
        (f"autoconnect: maybe\n{LINE}", "3:14", "autoconnect: expected true or false, got 'maybe'", ""),
        (f"ready: {{timeout: 60}}\n{LINE}", "3:18", "timeout: .*the unit is missing, such as 60ms or 60s", ""),
        (f"defaults: {{mem: 160}}\n{LINE}", "3:17", "mem: .*the unit is missing, such as 160m", ""),
        (f"defaults: {{cpus: nan}}\n{LINE}", "3:18", "cpus: expected a number", ""),
        (f"defaults: {{cpus: 0}}\n{LINE}", "3:18", "cpus: input should be greater than 0", ""),
        (f"defaults: {{log: loud}}\n{LINE}", "3:17", "log: expected 0 to 5 or one of critical", ""),
        (f"defaults: {{log: 6}}\n{LINE}", "3:17", "log: input should be less than or equal to 5", ""),
        (f"defaults: {{image: 'a b'}}\n{LINE}", "3:19", "image: 'a b' is not the name of an image", ""),
        (f"defaults: {{pids: 1}}\n{LINE}", "3:18", "pids: input should be greater than or equal to 16", ""),
        (f"metadata: {{title: [a]}}\n{LINE}", "3:19", "title: expected a text, got a list", ""),
        (f'metadata: {{title: "a\\nb"}}\n{LINE}', "3:19", "title: has characters that cannot be shown", ""),
        (f"metadata: x\n{LINE}", "3:11", "metadata: expected keys and values, got 'x'", ""),
        ("nodes: [a, b]", "3:8", "nodes: expected keys and values, got a list", ""),
        ("nodes: {a: x, b: }", "3:12", "a: expected keys and values, got 'x'", ""),
        # topology
        ("topology: {kind: line}", "3:11", "the key 'n' is missing in 'topology'", ""),
        ("topology: {kind: line, n: 1}", "3:1", "a topology of 1 node has nobody to talk to", ""),
        ("topology: {kind: line, n: 3.5}", "3:27", "n: expected a whole number, got '3.5'", ""),
        ("topology: {kind: lin, n: 3}", "3:1", "no topology kind 'lin'", "did you mean 'line'?"),
        ("topology: {kind: smallworld, n: 2}", "3:1", "a smallworld of 2 nodes is a line", "use kind: line"),
        ("topology: {kind: ring, n: 2}", "3:1", "a ring of 2 nodes is a line", "use kind: line"),
        ("topology: {kind: ring, n: 9, p: 1}", "3:1", "topology kind 'ring' has no option 'p'", ""),
        ("topology: {kind: line, n: 501}", "3:1", "501 nodes are more than the 500", ""),
        (f"{LINE}nodes: {{a: }}", "4:1", "nodes and topology exclude each other", ""),
        (f"{LINE}links: []", "4:1", "links and topology exclude each other", ""),
        ("links: [a-b]", "1:1", "the lab has no nodes", "topology: {kind: line"),
        # nodes
        ("nodes: {}", "3:1", "a topology of 0 nodes", ""),
        ("nodes: {a: }", "3:1", "a topology of 1 node ", ""),
        ("nodes: {Al_1: , b: }", "3:9", "node name 'Al_1' is not DNS-like", "'al-1' would do"),
        ("nodes: {a: , n00..n03: , n02: }", "3:26", "node 'n02' is there twice", ""),
        ("nodes: {n0..n3: , n2..n5: }", "3:19", "node 'n2' is there twice", ""),
        ("nodes: {n3..n0: }", "3:9", "range 'n3..n0' runs backwards", "n0..n3"),
        ("nodes: {a000..a400: , b000..b400: }", "3:23", "802 nodes are more than the 500", ""),
        # links
        ("nodes: {alice: , bob: }\nlinks: [alice-bbo]", "4:9", "link to the undefined node 'bbo'", "'bob'?"),
        ("nodes: {alice: , bob: }\nlinks: [x-y]", "4:9", "link to the undefined node 'x'", "nodes: alice, bob"),
        ("nodes: {a-b: , c: }\nlinks: [a-b-d]", "4:9", "link to the undefined node 'd'", ""),
        ("nodes: {a: , b: }\nlinks: [{endpoints: [a, c]}]", "4:9", "link to the undefined node 'c'", ""),
        ("nodes: {a: , b: }\nlinks: [a]", "4:9", "expected a link such as alice-bob, got 'a'", ""),
        ("nodes: {a: , b: }\nlinks: [a-a]", "4:9", "node 'a' is linked with itself", ""),
        ("nodes: {a: , b: }\nlinks:\n- a-b\n- b-a", "6:3", "the link b-a is there twice, first as a-b", ""),
        ("nodes: {a: , b: }\nlinks: [a-b, [a]]", "4:14", r"links\[1\]: expected a text, got a list", ""),
        ("nodes: {a: , b: }\nlinks: [{endpoints: [a]}]", "4:21", "endpoints: expected two nodes", ""),
        ("nodes: {a: , b: }\nlinks: [{}]", "4:9", "the key 'endpoints' is missing", ""),
        ("nodes: {a: , b: }\nlinks: a-b", "4:8", "links: expected a list, got 'a-b'", ""),
        (
            "nodes: {a: , b-c: , a-b: , c: }\nlinks: [a-b-c]",
            "4:9",
            "the link 'a-b-c' can be read in 2 ways",
            "endpoints: [a, b-c]",
        ),
        ("autoconnect: true\nnodes: {a: , b: , c: }\nlinks: [a-b]", "3:1", ".*a cannot hear of c", ""),
    ],
)
def test_mistakes(body: str, where: str, why: str, hint: str) -> None:
    with pytest.raises(LabFileError, match=f"^f.lab.yml:{where}: {why}") as caught:
        load(body)
    assert hint in caught.value.hint
    assert f"{caught.value.line}:{caught.value.column}" == where
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: x\n" + LINE, "f:1:1: the key 'apiVersion' is missing"),
        ("apiVersion: lab/v2\nname: x\n" + LINE, "f:1:13: apiVersion: expected lab/v1, got 'lab/v2'"),
        ("apiVersion: lab/v1\n" + LINE, "f:1:1: the key 'name' is missing"),
        ("apiVersion: lab/v1\nname: My_Lab\n" + LINE, "f:2:7: lab name 'My_Lab' is not DNS-like"),
        ("apiVersion: lab/v1\nname: [x]\n" + LINE, "f:2:7: name: expected a text, got a list"),
        ("", "f:1:1: the file is empty"),
    ],
)
def test_mistakes_at_the_head(text: str, why: str) -> None:
    with pytest.raises(LabFileError, match=re.escape(why)):
        load_lab_file(text, source="f")


def test_the_first_mistake_is_told() -> None:
    with pytest.raises(LabFileError, match=r"^f\.lab\.yml:3:7: seed"):
        load("seed: x\nready: {timeout: 1}\nname2: y\n" + LINE)


def test_schema_knows_every_key() -> None:
    schema = json_schema()
    json.dumps(schema)
    assert set(schema["properties"]) == set(labfile_model.LabFile.model_fields)
    assert schema["additionalProperties"] is False
    assert "^x-" in schema["patternProperties"]
    assert schema["required"] == ["apiVersion", "name"]


WORDS = st.sampled_from(
    [
        *labfile_model.LabFile.model_fields,
        *labfile_model.TopologySection.model_fields,
        *labfile_model.Defaults.model_fields,
        *("role", "endpoints", "timeout", "faults", "net", "x-y", "alice", "bob", "n00..n03", "alice-bob", "a-b-c"),
        *("line", "ring", "random", "lab/v1", "60s", "160m", "3", "1", "0", "-1", "1.5", "nan", "true", "null", "~"),
    ]
)
VALUES = st.recursive(
    WORDS | st.none() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def try_to_load(text: str) -> None:
    """It is a lab, or a mistake that can be printed and says where; nothing else."""
    mistake = None
    try:
        assert len(load_lab_file(text, source="f").nodes) >= 2
    except LabFileError as error:
        mistake = f"{error}{error.hint}"
    assert mistake is None or (mistake.startswith("f:") and mistake.encode())


@settings(deadline=None)
@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_any_file_is_a_lab_or_a_mistake(parts: dict[str, object]) -> None:
    for text in (json.dumps({"apiVersion": "lab/v1", "name": "x", **parts}), json.dumps(parts)):
        try_to_load(text)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_file_is_a_lab_or_a_mistake(data: st.DataObject) -> None:
    text = HEAD + "nodes: {alice: {role: edge}, n00..n02: , bob: }\nlinks: [alice-n00, {endpoints: [n01, bob]}]\n"
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 5)))
    try_to_load(text[:start] + data.draw(st.text(max_size=3)) + text[end:])
