"""Labs for the end-to-end tests: real containers where an engine answers, processes otherwise, said aloud.

With LAB_REQUIRE_DOCKER=1 a missing engine fails the tests. When one fails, what each node last said is printed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator import labels
from orchestrator.engine import Engine, engine_required
from orchestrator.errors import RuntimeUnavailable
from orchestrator.lab import Lab
from orchestrator.spec import LabSpec
from tests.e2e.shell import Shell

LOG_LINES = 25
"""Of each node, shown with a test that failed."""

Factory = Callable[..., Lab]

in_containers: set[str] = set()
"""Tests that had a lab, or a node, in containers."""


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine | None]:
    """The container engine; None where none answers and none is required. Nothing of ours may be left in it."""
    try:
        found = Engine()
    except RuntimeUnavailable as error:
        if engine_required():
            pytest.fail(f"LAB_REQUIRE_DOCKER is set: {error}")
        yield None
        return
    before = _ours(found)
    yield found
    left = _ours(found) - before
    found.close()
    assert not left, f"left behind in the engine: {sorted(left)}"


def _ours(engine: Engine) -> set[str]:
    """Containers, networks and volumes with our labels."""
    mark = labels.filters()
    client = engine.client
    containers = client.containers.list(all=True, filters=mark, ignore_removed=True)
    return {str(thing.name) for thing in [*containers, *client.networks.list(filters=mark)]} | {
        str(volume.name) for volume in client.volumes.list(filters=mark)
    }


@pytest.fixture(scope="session")
def docker_engine(engine: Engine | None) -> Engine:
    """For tests that mean nothing without containers."""
    if engine is None:
        pytest.skip("no container engine answers, and LAB_REQUIRE_DOCKER is not set")
    return engine


@pytest.fixture(scope="session")
def default_runtime(engine: Engine | None) -> str:
    return "process" if engine is None else "docker"


@pytest.fixture
def shell(tmp_path: Path, default_runtime: str, request: pytest.FixtureRequest) -> Iterator[Shell]:
    if default_runtime == "docker":
        in_containers.add(request.node.nodeid)
    shell = Shell(tmp_path, LAB_UP_RUNTIME=default_runtime)
    yield shell
    shell("down", "--all")


@pytest.fixture
def lab_factory(request: pytest.FixtureRequest, tmp_path: Path, default_runtime: str) -> Iterator[Factory]:
    """Start labs that end with the test."""
    labs: list[Lab] = []

    def start(source: LabSpec | str | Path, *, runtime: str | None = None) -> Lab:
        kind = runtime or default_runtime
        if kind == "docker":
            in_containers.add(request.node.nodeid)
        lab = Lab.up(source, runtime=kind, state_root=tmp_path / "labs")
        labs.append(lab)
        return lab

    request.node.stash[LABS] = labs
    yield start
    for lab in labs:
        lab.down()


LABS: pytest.StashKey[list[Lab]] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.when == "call" and report.failed:
        for lab in item.stash.get(LABS, []):
            for node in lab.spec.nodes:
                lines = "\n".join(lab.runtime.logs(node, tail=LOG_LINES))
                report.sections.append((f"{lab.spec.name}/{node.name} last said", lines))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran = sum(len(terminalreporter.getreports(kind)) for kind in ("passed", "failed"))
    if not ran:
        return
    if in_containers:
        terminalreporter.write_line(f"{len(in_containers)} end-to-end tests ran in containers")
    else:
        terminalreporter.write_line("NO CONTAINER ENGINE: labs ran as local processes only", red=True, bold=True)
