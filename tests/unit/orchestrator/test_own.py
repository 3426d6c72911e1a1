"""The user's own code in a lab: from the lab file to what runtimes are told; nothing of it is ever imported here."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import cast

import pytest

from orchestrator import compose, labfile_own
from orchestrator.cli.plan import choose_spec
from orchestrator.engine import Engine
from orchestrator.errors import LabFileError, PreflightError
from orchestrator.labfile import load_lab_file
from orchestrator.own import OwnCode, check_mountable, module_file
from orchestrator.spec import LabSpec
from orchestrator.state import SavedLab, StateDir

HEAD = "apiVersion: lab/v1\nname: x\n"


class FakeEngine:
    def __init__(self, address: str) -> None:
        self.address, self.is_local = address, address.startswith("unix:")


LOCAL, REMOTE = (cast(Engine, FakeEngine(address)) for address in ("unix:///run/x.sock", "tcp://192.0.2.1:2375"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With modules that must not be imported."""
    (tmp_path / "gossip.py").write_text("raise AssertionError('imported')\n")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("raise AssertionError('imported')\n")
    os.chmod(tmp_path, 0o755)
    return tmp_path


def load(folder: Path, body: str) -> LabSpec:
    file = folder / "x.lab.yml"
    file.write_text(HEAD + body)
    return load_lab_file(file.read_text(), source=str(file))


def test_defaults_are_for_all_and_a_list_of_a_node_is_instead(folder: Path) -> None:
    spec = load(
        folder,
        "defaults: {services: ['gossip:A'], protocols: ['pack:P', 'gossip:Q']}\n"
        "nodes: {a: , b: {services: []}, c: {protocols_over_pss: ['pack:R']}, d: {services: [], protocols: []}}\n",
    )
    owns = [node.own for node in spec.nodes]
    where = str(folder)
    assert owns == [
        OwnCode(where, ("gossip:A", "pack:P", "gossip:Q")),
        OwnCode(where, ("pack:P", "gossip:Q")),
        OwnCode(where, ("gossip:A", "pack:P", "gossip:Q"), ("pack:R",)),
        None,
    ]
    assert not {"gossip", "pack"} & set(sys.modules)


def test_a_topology_has_the_defaults(folder: Path) -> None:
    spec = load(folder, "topology: {kind: line, n: 3}\ndefaults: {services: ['gossip:A']}\n")
    assert {node.own for node in spec.nodes} == {OwnCode(str(folder), ("gossip:A",))}


@pytest.mark.parametrize(
    ("body", "place", "text", "hint"),
    [
        ("services: [gosip:A]", "4:23", "there is no module 'gosip' beside the lab file", "did you mean 'gossip'"),
        ("protocols: [far.away:A]", "4:24", "there is no module 'far.away'", "modules are looked for in "),
        ("services: [gossip]", "4:23", "expected module:NAME, such as gossip:PROTOCOL, got 'gossip'", ""),
        ("services: gossip:A", "4:22", "expected a list", ""),
        ("service: [gossip:A]", "4:12", "unknown key 'service'", "did you mean 'services'"),
    ],
)
def test_mistakes_have_a_place(folder: Path, body: str, place: str, text: str, hint: str) -> None:
    with pytest.raises(LabFileError, match=text) as caught:
        load(folder, f"topology: {{kind: line, n: 3}}\ndefaults: {{{body}}}\n")
    assert f"{caught.value.line}:{caught.value.column}" == place
    assert hint in caught.value.hint


OWN_LINE = "topology: {kind: line, n: 3}\ndefaults: {services: [gossip:A]}\n"


@pytest.mark.parametrize(
    ("source", "why", "hint"),
    [
        (b"x = 1\n    def f(:\n", r"gossip\.py:2: unexpected indent", "the line reads 'def f(:'"),
        (b"\nreturn 1\n", r"gossip\.py:2: 'return' outside function", ""),
        (b"x = '\xff'\n", r"gossip\.py.*utf-8", ""),
        (b"x = 1\0\n", r"gossip\.py.*null bytes", ""),
    ],
)
def test_a_module_that_is_no_python_is_said_to_be_so(folder: Path, source: bytes, why: str, hint: str) -> None:
    (folder / "gossip.py").write_bytes(source)
    with pytest.raises(LabFileError, match=f"module 'gossip' is broken: .*{why}") as caught:
        load(folder, OWN_LINE)
    assert (caught.value.line, caught.value.column) == (4, 23)
    assert hint in caught.value.hint
    (folder / "gossip.py").write_text("mended = True\n")
    assert load(folder, OWN_LINE).node("alice").own is not None


@pytest.mark.parametrize(
    "source",
    ["'\\d'\n", f"x = {'-' * 100_000}1\n", f"def f(:\n{'#' * labfile_own.MAX_MODULE_BYTES}"],
    ids=["warning", "deep", "large"],
)
def test_what_only_the_node_can_tell_is_left_to_it(folder: Path, source: str) -> None:
    (folder / "gossip.py").write_text(source)
    assert load(folder, OWN_LINE).node("alice").own is not None


def test_a_node_of_another_make_loads_nothing(folder: Path) -> None:
    reference = "kind: reference, image: i, command: [x]"
    spec = load(folder, f"defaults: {{services: ['gossip:A']}}\nnodes: {{a: {{{reference}}}, b: }}\n")
    assert [node.own is None for node in spec.nodes] == [True, False]
    with pytest.raises(LabFileError, match="a node of kind reference cannot load services"):
        load(folder, f"nodes: {{a: {{{reference}, services: ['gossip:A']}}, b: }}\n")


def test_it_is_remembered_and_makes_another_lab(folder: Path, tmp_path: Path) -> None:
    spec = load(folder, "nodes: {a: {services: ['gossip:A'], protocols_over_pss: ['pack:R']}, b: }\n")
    state = StateDir("x", tmp_path / "labs")
    state.save(SavedLab(spec=spec, runtime="process", created="2026-01-01T00:00:00+00:00"))
    found = state.load()
    assert found is not None
    assert [node.own for node in found.spec.nodes] == [node.own for node in spec.nodes]


def test_another_name_or_seed_keeps_it(folder: Path) -> None:
    spec = load(folder, "topology: {kind: line, n: 2}\ndefaults: {services: ['gossip:A']}\n")
    renamed = choose_spec(file=spec.source, name="other", seed=5)
    assert [node.own for node in renamed.nodes] == [node.own for node in spec.nodes]
    assert renamed.node("alice").id != spec.node("alice").id


def test_compose_files_cannot_hold_it(folder: Path) -> None:
    with pytest.raises(LabFileError, match="cannot hold protocols and services of your own: a"):
        compose.export_compose(load(folder, "nodes: {a: {services: ['gossip:A']}, b: }\n"))


def test_what_a_node_is_told() -> None:
    own = OwnCode("/home/me/own", ("gossip:A", "pack.x:B"), ("gossip:C",))
    assert own.environment("/own") == {
        "PSS_LOAD": "gossip:A,pack.x:B",
        "PSS_LOAD_OVER_PSS": "gossip:C",
        "PSS_LOAD_PATH": "/own",
    }
    assert own.modules == ["gossip", "pack.x"]


def test_module_files(folder: Path) -> None:
    assert module_file(folder, "gossip") == folder / "gossip.py"
    assert module_file(folder, "pack") == folder / "pack" / "__init__.py"
    assert module_file(folder, "pack.x") is None


def test_what_can_be_mounted(folder: Path) -> None:
    own = OwnCode(str(folder), ("gossip:A",))
    check_mountable([own, own], LOCAL)
    with pytest.raises(PreflightError, match=r"the engine at tcp://192\.0\.2\.1:2375 cannot see"):
        check_mountable([own], REMOTE)
    check_mountable([], REMOTE)
    os.chmod(folder / "gossip.py", 0o600)
    with pytest.raises(PreflightError, match=r"gossip\.py is closed to other users") as caught:
        check_mountable([own], LOCAL)
    assert "chmod o+r " in caught.value.hint
    os.chmod(folder, 0o700)
    with pytest.raises(PreflightError, match="is closed to other users") as caught:
        check_mountable([own], LOCAL)
    assert "chmod o+rx " in caught.value.hint
    with pytest.raises(PreflightError, match="no such folder"):
        check_mountable([OwnCode(str(folder / "gone"), ("gossip:A",))], LOCAL)
