"""Labs for the end-to-end tests: real containers where an engine answers, processes otherwise, said aloud.

With LAB_REQUIRE_DOCKER=1 a missing engine fails the tests. The fixtures `lab` and `lab_factory`, and what is printed of
each node when a test fails, are those of the plugin that users have (orchestrator/testing).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from orchestrator import labels
from orchestrator.engine import Engine, engine_required
from orchestrator.errors import RuntimeUnavailable
from orchestrator.lab import Lab
from orchestrator.testing.plugin import LABS
from tests.e2e.shell import Shell

__all__ = ["LABS", "Factory", "in_containers"]

Factory = Callable[..., Lab]
"""Of the fixture `lab_factory`."""

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


@pytest.fixture(scope="session")
def lab_runtime(default_runtime: str) -> str:
    """What the labs of the fixtures `lab` and `lab_factory` run on; these come from our own plugin."""
    return default_runtime


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if any(lab.runtime.name == "docker" for lab in item.stash.get(LABS, [])):
        in_containers.add(item.nodeid)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran = sum(len(terminalreporter.getreports(kind)) for kind in ("passed", "failed"))
    if not ran:
        return
    if in_containers:
        terminalreporter.write_line(f"{len(in_containers)} end-to-end tests ran in containers")
    else:
        terminalreporter.write_line("NO CONTAINER ENGINE: labs ran as local processes only", red=True, bold=True)
