"""`lab doctor`, `dump`, `smoke`, `gc` and `ls` on real labs; several of them, of several people, at the same time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from orchestrator import labels
from orchestrator.doctor.kernel import FEATURES, HELPER_ROLE
from orchestrator.engine import Engine
from orchestrator.image import ensure_image
from orchestrator.state import StateDir
from tests.e2e.conftest import Factory, in_containers
from tests.e2e.shell import Shell, objects_of
from tests.e2e.test_reference_kind import lab_text


def test_doctor_looks_at_the_kernel_and_leaves_nothing(
    shell: Shell, docker_engine: Engine, request: pytest.FixtureRequest
) -> None:
    in_containers.add(request.node.nodeid)
    assert shell("image").returncode == 0
    result = shell("doctor", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    document = json.loads(result.stdout)
    texts = [one["text"] for one in document["findings"] if one["topic"] == "kernel"]
    assert all(any(re.search(rf"\b{name}\b", text) for text in texts) for name in FEATURES), texts
    assert not [text for text in texts if "not found out" in text]
    assert document["capacity"]["runtime"] == "docker"
    memory = next(one for one in document["capacity"]["bounds"] if one["what"].startswith("memory"))
    assert memory["nodes"] >= 3
    mark = {"label": f"{labels.ROLE}={HELPER_ROLE}"}
    assert docker_engine.client.containers.list(all=True, filters=mark) == []
    assert shell("doctor", "--nodes", "100000").returncode == 4


def test_a_lab_is_smoked_and_dumped(lab_factory: Factory, tmp_path: Path) -> None:
    lab = lab_factory("line3")
    report = lab.smoke("asym", count=30, seed=2)
    assert (report.delivered, report.duplicates, report.strays) == (30, 0, 0)
    assert report.hops == report.ideal_hops
    lab.kill("n01")
    directory = lab.dump(tmp_path / "out")
    in_docker = lab.runtime.name == "docker"
    assert (directory / "gateway" / "log.txt").exists() is in_docker
    assert (directory / "nodes" / "n01" / "inspect.json").exists() is in_docker
    assert (directory / "networks.json").exists() is in_docker
    secrets = [lab.state.token]
    secrets += [key.secret.hex() for node in lab.spec.nodes for key in (node.node_key, node.bzz_key)]
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        text = path.read_text()
        assert [secret for secret in secrets if secret in text] == [], path
    if in_docker:
        inspected = json.loads((directory / "nodes" / "alice" / "inspect.json").read_text())
        assert "PSS_NODEKEYHEX=[redacted]" in inspected["Config"]["Env"]
        assert inspected["HostConfig"]["ReadonlyRootfs"] is True


def test_two_labs_of_one_name_and_one_that_expires(shell: Shell, tmp_path: Path, docker_engine: Engine) -> None:
    """Two state directories are two people: neither sees, stops or removes what the other has."""
    other = Shell(tmp_path / "other", LAB_UP_RUNTIME="docker")
    other.directory.mkdir()
    name = "side"
    try:
        assert shell("up", "line3", "--name", name, "--no-send").returncode == 0
        short = other("up", "line3", "--name", name, "--no-send", "--expires", "1s")
        assert short.returncode == 0, short.stderr
        ids = {one: StateDir(name, one.directory / ".lab").lab_id for one in (shell, other)}
        assert len(set(ids.values())) == 2
        listed = {row["id"]: row for row in json.loads(shell("ls", "--json").stdout)["labs"]}
        assert listed[ids[shell]]["expires"] == ""
        assert listed[ids[shell]]["where"] == "here"
        assert listed[ids[other]]["expires"].endswith("Z")
        assert (listed[ids[other]]["expired"], listed[ids[shell]]["expired"]) == (True, False)
        assert listed[ids[shell]]["created"] < listed[ids[other]]["created"]
        assert listed[ids[other]]["where"] == str(other.directory / ".lab" / name)
        assert listed[ids[shell]]["owner"] == listed[ids[other]]["owner"] != ""
        # It is over by now: a lab takes longer to start.
        would = json.loads(shell("gc", "--dry-run", "--json").stdout)["leftovers"]
        ours = {row["id"]: row["reason"] for row in would if row["id"] in ids.values()}
        assert list(ours) == [ids[other]]
        assert ours[ids[other]].startswith("expired 20")
        assert len(_objects(docker_engine, ids[other])) == 6
        smoked = json.loads(shell("smoke", "raw", "--lab", name, "--msgcount", "5", "--json").stdout)
        assert smoked["passed"] is True
        removed = json.loads(shell("down", ids[other], "--json").stdout)["removed"][ids[other]]
        assert f"directory {other.directory / '.lab' / name}" in removed
        assert not (other.directory / ".lab").exists()
        assert _objects(docker_engine, ids[other]) == []
        assert shell("status", name).returncode == 0
    finally:
        shell("down", name)
        other("down", name)
    assert objects_of(docker_engine, name) == []


def _objects(engine: Engine, lab_id: str) -> list[str]:
    mark = labels.filters(lab_id)
    found = [*engine.client.containers.list(all=True, filters=mark), *engine.client.networks.list(filters=mark)]
    return [str(thing.name) for thing in found]


def test_gc_removes_what_expired(shell: Shell, docker_engine: Engine) -> None:
    up = shell("up", "line3", "--name", "brief", "--no-send", "--expires", "1s")
    assert up.returncode == 0, up.stderr
    lab_id = StateDir("brief", shell.directory / ".lab").lab_id
    assert "any lab gc removes it" in shell("status", "brief").stderr
    # Only ours: other people's labs on this engine are theirs, expired or not.
    collected = shell("gc", lab_id, "--json")
    assert collected.stdout, collected.stderr
    [leftover] = json.loads(collected.stdout)["leftovers"]
    assert leftover["id"] == lab_id
    assert leftover["reason"].startswith("expired")
    assert len(leftover["removed"]) == 7
    assert f"directory {shell.directory / '.lab' / 'brief'}" in leftover["removed"]
    assert not (shell.directory / ".lab").exists()
    assert objects_of(docker_engine, "brief") == []
    assert "brief" not in shell("ls").stdout


def test_a_lab_that_does_not_come_up_is_written_down(shell: Shell, docker_engine: Engine) -> None:
    image = ensure_image(docker_engine.client, report=print).tag
    (shell.directory / "broken.lab.yml").write_text(lab_text("broken", image, "n01", command=("no-such-program",)))
    result = shell("up")
    assert result.returncode == 6, result.stderr
    (directory,) = (shell.directory / ".lab" / "_failed").iterdir()
    assert f"how it was is written down in {directory}" in result.stderr
    assert (directory / "README.txt").read_text().startswith("What lab broken was like")
    assert (directory / "lab.yml").read_text().count("no-such-program") == 1
    state = json.loads((directory / "nodes" / "n01" / "inspect.json").read_text())["State"]
    assert "no-such-program" in state["Error"]
    assert objects_of(docker_engine, "broken") == []
