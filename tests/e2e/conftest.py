"""Labs for the end-to-end tests: real containers where an engine answers, processes otherwise, said aloud.

With LAB_REQUIRE_DOCKER=1 a missing engine fails the tests. The fixtures `lab` and `lab_factory`, and what is printed of
each node when a test fails, are those of the plugin that users have (orchestrator/testing).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Set
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestrator import labels
from orchestrator.engine import Engine, engine_required
from orchestrator.errors import RuntimeUnavailable
from orchestrator.lab import Lab
from orchestrator.state import STATE_VARIABLE
from orchestrator.testing.plugin import LABS
from tests.e2e.shell import Shell

__all__ = ["LABS", "Factory", "in_containers"]

Factory = Callable[..., Lab]
"""Of the fixture `lab_factory`."""

LABLESS_GONE_AFTER_S = 30.0
"""A doctor's helper ends after 20 s at the latest (orchestrator.doctor.kernel) and is removed."""
POLL_S = 0.2

in_containers: set[str] = set()
"""Tests that had a lab, or a node, in containers."""


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine | None]:
    """The container engine; None where none answers and none is required. Nothing of ours may be left in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(STATE_VARIABLE, raising=False)  # all labs are remembered below the directory of this run
        try:
            found = Engine()
        except RuntimeUnavailable as error:
            if engine_required():
                pytest.fail(f"LAB_REQUIRE_DOCKER is set: {error}")
            yield None
            return
        before = set(_things(found))
        yield found
    base = tmp_path_factory.getbasetemp()
    deadline = time.monotonic() + LABLESS_GONE_AFTER_S
    while (left := left_behind(_things(found), before, base)).labless and time.monotonic() < deadline:
        time.sleep(POLL_S)
    found.close()
    assert left == LeftBehind([], []), f"left behind in the engine: {left}"


class LeftBehind(NamedTuple):
    """Names of things in the engine that a run has left."""

    of_labs: list[str]
    labless: list[str]


def left_behind(things: Mapping[str, Mapping[str, str]], before: Set[str], base: Path) -> LeftBehind:
    """What of all that carries our labels this run has made.

    Everything of a lab or of a chapter (containers, gateway, helpers, networks) says where its lab is remembered, and
    the labs of this run are remembered below its own directory: those of other people, who may start and end theirs
    on the same engine at any time, are not. What belongs to no lab, such as a doctor's helper or a Compose project,
    does not say whose it is: all of it counts that was not there before. The caller gives it the time after which a
    doctor's helper of somebody else is gone; what is still there then is a leak, whoever's.

    Args:
        things: their labels, by name.
        before: names of those that were there when the run began.
        base: the directory of this run.
    """
    found = LeftBehind([], [])
    for name, carried in sorted(things.items()):
        place = carried.get(labels.STATE_DIR)
        if name in before:
            continue
        if place is None:
            found.labless.append(name)
        elif Path(place).is_relative_to(base):
            found.of_labs.append(name)
    return found


def _things(engine: Engine) -> dict[str, Mapping[str, str]]:
    """Labels of containers, networks and volumes that carry ours, by name."""
    mark = {"label": labels.KIND}
    client = engine.client
    containers = client.containers.list(all=True, filters=mark, ignore_removed=True)
    things: dict[str, Mapping[str, str]] = {str(container.name): container.labels for container in containers}
    for thing in [*client.networks.list(filters=mark), *client.volumes.list(filters=mark)]:
        things[str(thing.name)] = thing.attrs["Labels"]
    return things


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
