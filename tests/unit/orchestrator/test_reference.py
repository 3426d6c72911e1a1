"""Nodes of kind reference, as far as no engine is needed: command, keys, identity, and what a lab file says of them."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from node.control.gen import control_pb2 as pb
from orchestrator import docker_reference, labels, recovery
from orchestrator.compose import export_compose
from orchestrator.errors import LabFileError, LabNotReady, RuntimeUnavailable
from orchestrator.identity import make_node, of_reference
from orchestrator.labfile import load_lab_file
from orchestrator.process_runtime import ProcessRuntime
from orchestrator.reference import PLACEHOLDERS, Reference, placeholders_of
from orchestrator.spec import LabSpec
from orchestrator.state import SavedLab, StateDir

HEAD = "apiVersion: lab/v1\nname: x\n"
KEYED = ("go", "--nodekey={nodekey_file}", "--bzzkey={bzzkey_file}", "--nat=extip:{ip}")
KIND = 'kinds:\n  reference: {image: "go:1", command: [go, "--nat", "extip:{ip}"], ws_port: 9000}\n'


def load(body: str) -> LabSpec:
    return load_lab_file(HEAD + body, source="f.lab.yml")


def reference(*command: str) -> Reference:
    return Reference(image="go:1", command=command or KEYED)


def info_of(**told: bytes) -> pb.NodeInfo:
    return pb.NodeInfo(**{"node_id": b"\x01" * 32, "overlay": b"\x02" * 32, "public_key": b"\x04" * 65, **told})


# -- the command


def test_placeholders_are_filled_in() -> None:
    values = {name: f"<{name}>" for name in PLACEHOLDERS}
    words = [f"--x={{{name}}}" for name in PLACEHOLDERS]
    assert reference("go", *words, "{{plain}}").command_line(values) == [
        "go",
        *(f"--x=<{name}>" for name in PLACEHOLDERS),
        "{plain}",
    ]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("plain", []),
        ("{ip}:{p2p_port}", ["ip", "p2p_port"]),
        ("{{ip}}", []),
        ("{}", [""]),
        ("{ip!r}", ["ip!r"]),
        ("{ip:>9}", ["ip:>9"]),
        ("{ip.__class__}", ["ip.__class__"]),
        ("{0}", ["0"]),
    ],
)
def test_placeholders_of(word: str, found: list[str]) -> None:
    assert placeholders_of(word) == found


@pytest.mark.parametrize("word", ["{", "}", "{ip", "a}b"])
def test_braces_that_do_not_match(word: str) -> None:
    with pytest.raises(LabFileError) as refused:
        placeholders_of(word)
    assert "{{" in refused.value.hint


def test_which_keys_it_takes() -> None:
    assert (reference().takes_node_key, reference().takes_bzz_key) == (True, True)
    assert (reference("go", "{{nodekey_file}}").takes_node_key, reference("go").takes_bzz_key) == (False, False)
    assert not make_node(1, "x", "a", reference=reference()).chooses_keys
    assert make_node(1, "x", "a", reference=reference("go", "{bzzkey_file}")).chooses_keys
    assert not make_node(1, "x", "a").chooses_keys


# -- lab files


def test_a_kind_for_all_and_what_a_node_says_itself() -> None:
    spec = load(
        f"{KIND}nodes:\n  a: {{kind: reference}}\n  n1..n2: {{kind: reference, image: 'go:2', command: [run]}}\n"
        "  b: {kind: pss-node}\n  c: {kind: reference, ws_port: 1}\nlinks: [a-b]\n"
    )
    a, n1, n2, b, c = spec.nodes
    assert a.reference == Reference(image="go:1", command=("go", "--nat", "extip:{ip}"), ws_port=9000)
    assert n1.reference == n2.reference == Reference(image="go:2", command=("run",), ws_port=9000)
    assert (b.reference, b.kind, a.kind) == (None, "pss-node", "reference")
    assert c.reference is not None
    assert (c.reference.ws_port, c.reference.image) == (1, "go:1")


def test_the_usual_port() -> None:
    spec = load("nodes: {a: {kind: reference, image: x, command: [y]}, b: }\n")
    assert spec.nodes[0].reference == Reference(image="x", command=("y",), ws_port=8546)


ALL = "image: x, command: [y]"


@pytest.mark.parametrize(
    ("body", "where", "why", "hint"),
    [
        ("nodes: {a: {kind: refrence}, b: }", "3:19", "no kind of node 'refrence'", "did you mean 'reference'?"),
        ("nodes: {a: {kind: go}, b: }", "3:19", "no kind of node 'go'", "kinds: pss-node, reference"),
        ("nodes: {a: {kind: reference, command: [y]}, b: }", "3:9", "a node of kind reference needs 'image'", "swarm"),
        ("nodes: {a: {kind: reference, image: x}, b: }", "3:9", "a node of kind reference needs 'command'", "kinds: {"),
        ("nodes: {a: {image: x}, b: }", "3:13", "'image' is for nodes of kind: reference only", "defaults: {image"),
        ("nodes: {a: {command: [x]}, b: }", "3:13", "'command' is for nodes of kind: reference only", ""),
        ("nodes: {a: {ws_port: 1}, b: }", "3:13", "'ws_port' is for nodes of kind: reference only", ""),
        (f"nodes: {{a: {{kind: reference, {ALL}, ws_port: 0}}, b: }}", "3:63", "ws_port: input should be", ""),
        (f"nodes: {{a: {{kind: reference, {ALL}, ws_port: 65536}}, b: }}", "3:63", "ws_port: input should be", ""),
        ("nodes: {a: {kind: reference, image: x, command: []}, b: }", "3:49", "command: expected a program", ""),
        ("nodes: {a: {kind: reference, image: x, command: y}, b: }", "3:49", "command: expected a list, got 'y'", ""),
        (
            "nodes: {a: {kind: reference, image: x, command: [y, {ip}]}, b: }",
            "3:53",
            "command: expected a text, got keys and values",
            'quote it, as in "{ip}"',
        ),
        (
            "nodes: {a: {kind: reference, image: x, command: [y, '{nodekey}']}, b: }",
            "3:53",
            "command: no placeholder {nodekey}",
            "did you mean 'nodekey_file'?",
        ),
        (
            "nodes: {a: {kind: reference, image: x, command: [y, '{zzz}']}, b: }",
            "3:53",
            "command: no placeholder {zzz}",
            "placeholders: name, ip",
        ),
        (
            'kinds:\n  reference:\n    image: x\n    command:\n    - y\n    - "{ip"\n'
            "nodes: {a: {kind: reference}, b: }",
            "8:7",
            "command: '{ip': expected '}' before end of string",
            "{{ or }}",
        ),
        ("nodes: {a: {kind: reference, image: 'a b', command: [y]}, b: }", "3:37", "image: 'a b' is not the name", ""),
        ("kinds: {refrence: {}}\nnodes: {a: , b: }", "3:9", "unknown key 'refrence'", "did you mean 'reference'?"),
        ("kinds: {reference: {imag: x}}\nnodes: {a: , b: }", "3:21", "unknown key 'imag'", "did you mean 'image'?"),
        ("kinds: {reference: {env: {}}}\nnodes: {a: , b: }", "3:21", "the key 'env' is not supported yet", ""),
    ],
)
def test_mistakes(body: str, where: str, why: str, hint: str) -> None:
    with pytest.raises(LabFileError) as caught:
        load(body)
    assert str(caught.value).startswith(f"f.lab.yml:{where}: {why}")
    assert hint in caught.value.hint


# -- who it is


def test_a_node_that_chooses_its_keys_is_asked() -> None:
    node = make_node(1, "x", "a", reference=reference("go"))
    asked = of_reference(node, info_of())
    assert (asked.id, asked.overlay, asked.public_key) == (b"\x01" * 32, b"\x02" * 32, b"\x04" * 65)
    assert asked.name == "a"
    again = of_reference(asked, info_of(overlay=b"\x03" * 32))
    assert again.overlay == b"\x03" * 32


def test_a_node_that_was_given_its_keys_has_to_use_them() -> None:
    node = make_node(1, "x", "a", reference=reference())
    right = info_of(node_id=node.id, overlay=node.overlay)
    assert of_reference(node, right) is node
    for wrong, what in ((info_of(node_id=node.id), "overlay address"), (info_of(overlay=node.overlay), "node id")):
        with pytest.raises(LabNotReady, match=rf"node a has the {what} .* not that of the key it was given"):
            of_reference(node, wrong)


def test_it_is_remembered(tmp_path: Path) -> None:
    spec = load(f"{KIND}nodes: {{a: {{kind: reference}}, b: }}\n")
    learnt = of_reference(spec.nodes[0], info_of())
    state = StateDir("x", tmp_path)
    known = LabSpec(name="x", seed=1, nodes=(learnt, spec.nodes[1]), links=(), network_id=11)
    state.save(SavedLab(spec=known, runtime="docker", created=""))
    found = state.load()
    assert found is not None
    assert [(n.name, n.reference, n.identity) for n in found.spec.nodes] == [
        ("a", learnt.reference, learnt.identity),
        ("b", None, None),
    ]
    assert found.spec.nodes[0].overlay == b"\x02" * 32


def test_another_command_is_another_lab() -> None:
    one, other = (load(f"{KIND}nodes: {{a: {{kind: reference, image: {image}}}, b: }}") for image in ("x", "y"))
    assert labels.spec_digest(one) != labels.spec_digest(other)
    saved = SavedLab(spec=one, runtime="docker", created="")
    with pytest.raises(LabFileError, match="runs already, and it has other nodes"):
        recovery.adopt(saved, other, lambda: pytest.fail("opened"), port=0, report=print)


# -- what runs it


def values_of(spec: LabSpec, name: str) -> dict[str, str]:
    return docker_reference.placeholder_values(
        spec,
        spec.node(name),
        data_ip=lambda node: f"10.0.0.{spec.node_names.index(node.name)}",
        control_ip="10.1.0.9",
        p2p_port=30399,
        data_dir="/data",
    )


def test_what_the_placeholders_stand_for() -> None:
    spec = load(f"{KIND}nodes: {{a: {{kind: reference}}, b: , c: , d: {{kind: reference}}}}\nlinks: [a-b, c-a, a-d]\n")
    values = values_of(spec, "a")
    assert set(values) == set(PLACEHOLDERS)
    key = spec.node("b").node_key.public.raw.hex()
    # c dials a, and nobody knows beforehand who d will be.
    assert values["bootnodes"] == f"enode://{key}@10.0.0.1:30399?discport=0"
    assert (values["ip"], values["control_ip"], values["ws_port"]) == ("10.0.0.0", "10.1.0.9", "9000")


def test_no_secret_is_in_what_the_container_is_created_with() -> None:
    spec = load('nodes: {a: {kind: reference, image: x, command: [go, "{nodekey_file}", "{bzzkey_file}"]}, b: }\n')
    node = spec.nodes[0]
    assert node.reference is not None
    settings: dict[str, Any] = docker_reference.settings(node.reference, values_of(spec, "a"), uid=10001)
    assert settings["entrypoint"] == ["go"]
    assert settings["command"] == ["/run/lab-keys/nodekey", "/run/lab-keys/bzzkey"]
    assert settings["user"] == "10001:10001"
    assert settings["volumes"] == ["/run/lab-keys"]
    for secret in (node.node_key.secret.hex(), node.bzz_key.secret.hex()):
        assert secret not in repr(settings)
    assert "volumes" not in docker_reference.settings(reference("go"), values_of(spec, "a"), uid=10001)


class FakeContainer:
    """Keeps the archives that are put into it."""

    def __init__(self) -> None:
        self.put: list[tuple[str, bytes]] = []

    def put_archive(self, path: str, data: bytes) -> bool:
        self.put.append((path, data))
        return True


def test_keys_are_files_for_the_node_alone() -> None:
    node, container = make_node(1, "x", "a", reference=reference()), FakeContainer()
    docker_reference.put_keys(container, node, uid=10001)  # type: ignore[arg-type]
    ((path, data),) = container.put
    assert path == "/run/lab-keys"
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        entries = {entry.name: entry for entry in archive}
        assert set(entries) == {"nodekey", "bzzkey"}
        assert {(entry.mode, entry.uid, entry.gid) for entry in entries.values()} == {(0o400, 10001, 10001)}
        told = archive.extractfile("nodekey")
        assert told is not None
        assert told.read().decode() == node.node_key.secret.hex()
    empty = FakeContainer()
    docker_reference.put_keys(empty, make_node(1, "x", "a", reference=reference("go")), uid=1)  # type: ignore[arg-type]
    assert empty.put == []


def test_processes_and_compose_files_refuse_it(tmp_path: Path) -> None:
    spec = load(f"{KIND}nodes: {{a: {{kind: reference}}, b: }}\n")
    with pytest.raises(RuntimeUnavailable, match=r"nodes of kind reference .* processes cannot be: a"):
        ProcessRuntime("x-1", tmp_path).prepare(spec, print)
    with pytest.raises(LabFileError, match="Compose file cannot hold nodes of kind reference: a"):
        export_compose(spec)


# -- the documentation


def test_the_lab_file_of_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference-nodes.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    spec = load_lab_file(example, source="docs/reference-nodes.md")
    alice, relay, bob = spec.nodes
    assert (alice.reference, bob.reference) == (None, None)
    assert relay.reference is not None
    assert relay.reference.image == "ethersphere/swarm:0.5.8"
    assert not relay.chooses_keys
    line = relay.reference.command_line(values_of(spec, "n01"))[-1]
    assert line.startswith("exec swarm --datadir /data ")
    assert '--bzzkeyhex "$(cat /run/lab-keys/bzzkey)" --port 30399 --nat extip:10.0.0.1 ' in line
    assert line.endswith("--ws --wsaddr 10.1.0.9 --wsport 8546 --wsapi admin,hive,pss")


def test_the_documentation_has_every_placeholder() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference-nodes.md").read_text()
    assert [name for name in PLACEHOLDERS if f"`{{{name}}}`" not in text] == []
