"""The pytest plugin `pss_lab`: fixtures `lab` and `lab_factory`, and a report of every node when a test fails.

It is loaded in every run of pytest where the project is installed, so nothing heavy is imported before a test wants
a lab.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from orchestrator.lab import Lab
    from orchestrator.testing.factory import LabFactory

RUNTIME_VARIABLE = "LAB_UP_RUNTIME"
"""The same as for `lab up`."""
MARKER = (
    "lab(source, *, topology, nodes, seed, runtime, ...): the lab that the fixture `lab` starts: a stock lab, a lab "
    "file beside the test, or a topology"
)

LABS: pytest.StashKey[list[Lab]] = pytest.StashKey()
"""Labs of a test, reported on when it fails. A fixture that shares a lab between tests may put it there."""
DUMPS: pytest.StashKey[Path] = pytest.StashKey()
"""Where they are dumped to then."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pss lab")
    group.addoption(
        "--lab-runtime",
        choices=("auto", "docker", "process"),
        default=None,
        help=f"what the nodes of labs are: containers or processes (default: ${RUNTIME_VARIABLE}, or auto)",
    )
    group.addoption("--lab-dumps", metavar="DIR", default=None, help="where failed tests leave dumps of their labs")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def lab_runtime(pytestconfig: pytest.Config) -> str:
    """What labs run on unless a test says otherwise: auto, docker or process."""
    chosen: str | None = pytestconfig.getoption("--lab-runtime")
    return chosen or os.environ.get(RUNTIME_VARIABLE) or "auto"


@pytest.fixture
def lab_factory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, lab_runtime: str
) -> Iterator[LabFactory]:
    """Starts labs that end with the test: `lab_factory("line3")`, `lab_factory(topology="ring", nodes=8)`."""
    from orchestrator.testing.factory import LabFactory

    with LabFactory(
        runtime=lab_runtime,
        state_root=tmp_path_factory.mktemp("labs"),
        directory=request.path.parent,
        worker=os.environ.get("PYTEST_XDIST_WORKER", ""),
    ) as factory:
        request.node.stash[LABS] = factory.labs
        dumps = request.config.getoption("--lab-dumps")
        request.node.stash[DUMPS] = Path(dumps) if dumps else tmp_path_factory.getbasetemp() / "lab-dumps"
        yield factory


@pytest.fixture
def lab(request: pytest.FixtureRequest, lab_factory: LabFactory) -> Lab:
    """A lab of the test's own, as its marker `lab` says; without one the stock lab `default`."""
    from orchestrator.errors import OrchestratorError

    marker = request.node.get_closest_marker("lab")
    try:
        return lab_factory(*marker.args, **marker.kwargs) if marker else lab_factory()
    except OrchestratorError as error:
        text = f"{error}\nhint: {error.hint}" if error.hint else str(error)
    pytest.fail(text, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    # At tear-down the labs are gone.
    if report.failed and report.when != "teardown" and (labs := item.stash.get(LABS, [])):
        from orchestrator.testing.report import report_on

        report.sections += report_on(labs, item.stash.get(DUMPS, None), item.nodeid)
    return report
