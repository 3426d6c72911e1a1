"""Dumps and smoke tests of labs that are processes: whole ones, half dead ones, and those that never came up."""

from __future__ import annotations

import base64
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.installed import InstalledLabs
from orchestrator.dump import FAILED_DIRECTORY, FAILED_KEPT, dump_failure
from orchestrator.errors import LabNotReady, OrchestratorError
from orchestrator.lab import Lab
from orchestrator.topology import make_spec

OF_A_NODE = {"log.txt", "events.ndjson", "info.json", "peers.json", "kademlia.json", "kademlia.txt", "health.json"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "labs"


@pytest.fixture
def lab(root: Path) -> Iterator[Lab]:
    with Lab.up(make_spec("three", kind="line", n=3, seed=1), runtime="process", state_root=root) as lab:
        yield lab


def secrets_of(lab: Lab) -> list[str]:
    """What must not be in a dump, in all ways to write it."""
    keys = [key.secret for node in lab.spec.nodes for key in (node.node_key, node.bzz_key)]
    return [lab.state.token, *(key.hex() for key in keys), *(base64.b64encode(key).decode() for key in keys)]


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_dump_has_everything_and_no_secret(lab: Lab, tmp_path: Path) -> None:
    lab.send("alice", "bob", b"hello")
    secrets = secrets_of(lab)
    # As a program of the user's might: into the log of a node.
    with open(lab.state.directory / "logs" / "alice.log", "a") as log:
        log.write("".join(f"{secret}\n{secret.upper()}\n" for secret in secrets))
    directory = lab.dump(tmp_path / "out")
    assert names_in(directory) == {
        *("README.txt", "lab.json", "state.json", "status.json", "versions.json", "doctor.txt", "nodes"),
    }
    for name in lab.spec.node_names:
        assert names_in(directory / "nodes" / name) == OF_A_NODE
    for path in directory.rglob("*"):
        if path.is_file():
            text = path.read_text().lower()
            assert [secret for secret in secrets if secret.lower() in text] == [], path
            assert path.stat().st_mode & 0o077 == 0
    log_text = (directory / "nodes" / "alice" / "log.txt").read_text()
    assert log_text.count("[redacted]") == 2 * len(secrets)
    assert "control on unix:" in log_text
    kinds = [json.loads(line)["kind"] for line in (directory / "nodes/bob/events.ndjson").read_text().splitlines()]
    assert "pss.delivered" in kinds
    assert json.loads((directory / "nodes/n01/health.json").read_text()) == {"ready": True, "missing": []}
    assert len(json.loads((directory / "nodes/n01/peers.json").read_text())) == 2
    assert lab.spec.node("n01").overlay.hex() in (directory / "nodes/n01/kademlia.json").read_text()
    assert json.loads((directory / "lab.json").read_text())["links"] == [["alice", "n01"], ["n01", "bob"]]


def test_a_lab_file_that_was_changed_is_said_to_be_so(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "pair.lab.yml"
    file.write_text("apiVersion: lab/v1\nname: pair\ntopology: {kind: line, n: 2}\n")
    with Lab.up(file, runtime="process", state_root=root) as lab:
        directory = lab.dump(tmp_path / "before")
        assert (directory / "lab.yml").read_text() == file.read_text()
        assert not (directory / "missing.txt").exists()
        file.write_text("apiVersion: lab/v1\nname: pair\ntopology: {kind: line, n: 9}\n")
        created = datetime.datetime.fromisoformat(lab.state.load().created)  # type: ignore[union-attr]
        os.utime(file, times=(0, created.timestamp() + 60))
        directory = lab.dump(tmp_path / "after")
    assert "n: 9" in (directory / "lab.yml").read_text()
    assert (
        (directory / "missing.txt").read_text().startswith("lab.yml as it was when the lab was started: the file was")
    )
    assert len(json.loads((directory / "lab.json").read_text())["nodes"]) == 2
    assert "the lab file as it is now" in (directory / "README.txt").read_text()


def test_a_dead_node_does_not_keep_the_others_out(lab: Lab, tmp_path: Path) -> None:
    lab.kill("n01")
    directory = lab.dump(tmp_path / "out")
    assert names_in(directory / "nodes" / "n01") == {"log.txt"}
    assert names_in(directory / "nodes" / "alice") == OF_A_NODE
    assert (directory / "missing.txt").read_text() == "nodes/n01: n01 is stopped\n"
    status = {row["name"]: row for row in json.loads((directory / "status.json").read_text())}
    assert (status["n01"]["state"], status["n01"]["answers"]) == ("stopped", False)
    assert status["alice"]["missing"] == ["alice is not connected with n01"]


def test_a_lab_that_is_gone_leaves_what_is_known(root: Path, tmp_path: Path) -> None:
    lab = Lab.up(make_spec("three", kind="line", n=3, seed=1), runtime="process", state_root=root)
    lab.down()
    directory = lab.dump(tmp_path / "out")
    assert json.loads((directory / "state.json").read_text())["remembered"] is False
    assert "n01 is missing" in (directory / "missing.txt").read_text()
    assert not root.exists()


def test_nothing_is_ever_written_over(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("precious")
    with pytest.raises(OrchestratorError, match="not empty"):
        lab.dump(tmp_path / "out")
    with pytest.raises(OrchestratorError, match="mine"):
        lab.dump(tmp_path / "out" / "mine")
    assert names_in(tmp_path / "out") == {"mine"}


def test_a_lab_that_does_not_come_up_is_written_down(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise LabNotReady("not ready after 1 s")

    monkeypatch.setattr("orchestrator.lab.wait_until_ready", never)
    said: list[str] = []
    with pytest.raises(LabNotReady):
        InstalledLabs(root).up(
            make_spec("never", kind="line", n=3, seed=1),
            runtime="process",
            port=0,
            report=said.append,
            progress=lambda step, done, of: None,
            keep_on_failure=False,
        )
    (directory,) = (root / FAILED_DIRECTORY).iterdir()
    assert said == [f"how it was is written down in {directory}"]
    assert names_in(directory / "nodes" / "bob") == OF_A_NODE
    assert json.loads((directory / "state.json").read_text())["complete"] is False
    assert InstalledLabs(root).saved() == {}


def test_only_the_newest_failures_are_kept(lab: Lab, root: Path) -> None:
    said: list[str] = []
    for _ in range(FAILED_KEPT + 2):
        dump_failure(lab, said.append)
    written = [Path(line.rpartition(" ")[2]) for line in said]
    assert set((root / FAILED_DIRECTORY).iterdir()) == set(written[2:])


def test_a_failure_that_cannot_be_written_down_is_no_second_one(lab: Lab, root: Path) -> None:
    (root / FAILED_DIRECTORY).write_text("in the way")
    said: list[str] = []
    dump_failure(lab, said.append)
    (line,) = said
    assert line.startswith("how it was could not be written down")
    (root / FAILED_DIRECTORY).unlink()


@pytest.mark.parametrize("mode", ["raw", "sym", "asym"])
def test_smoke_counts_what_arrives(lab: Lab, mode: str) -> None:
    progress: list[int] = []
    report = lab.smoke(mode, seed=3, count=40, size=64, progress=progress.append)
    assert (report.sent, report.delivered, report.duplicates, report.strays) == (40, 40, 0, 0)
    assert progress == list(range(1, 41))
    assert report.traced == 40
    assert report.hops == report.ideal_hops > 40  # a line has one way only
    assert report.p50_ms is not None
    assert report.p95_ms is not None
    assert 0 < report.p50_ms <= report.p95_ms


def test_smoke_tells_what_is_lost(lab: Lab) -> None:
    lab.kill("n01")
    report = lab.smoke("asym", count=3, timeout_s=0.3)
    assert (report.sent, report.delivered, report.reliability) == (3, 0, 0.0)
    assert len(report.failures) == 3
    assert "n01" not in "".join(report.failures)
