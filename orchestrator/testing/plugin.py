"""The pytest plugin `pss_lab`: fixtures `lab` and `lab_factory`, and a report of every node when a test fails.

A lab is a test's own unless its marker says `scope="module"`, or another of pytest's scopes. The scope is the marker's,
as the `loop_scope` of pytest-asyncio is, and not a fixture's of another name: what a lab is and how long it lives are
said in one place, tests ask for `lab` either way, and one marker on a module gives all of its tests the same lab.

It is loaded in every run of pytest where the project is installed, so nothing heavy is imported before a test wants
a lab.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from orchestrator.lab import Lab
    from orchestrator.testing.factory import LabFactory
    from orchestrator.testing.shared import SharedLab, SharedLabs

RUNTIME_VARIABLE = "LAB_UP_RUNTIME"
"""The same as for `lab up`."""
WORKER_VARIABLE = "PYTEST_XDIST_WORKER"
OWN_SCOPE = "function"
SCOPES = (OWN_SCOPE, "class", "module", "package", "session")
MARKER = (
    "lab(source, *, topology, nodes, seed, runtime, scope, ...): the lab that the fixture `lab` starts: a stock lab, a "
    'lab file beside the test, or a topology; tests share it within a scope, such as "module"'
)

LABS: pytest.StashKey[list[Lab]] = pytest.StashKey()
"""Labs of a test, reported on when it fails. A fixture that shares a lab between tests may put it there."""
DUMPS: pytest.StashKey[Path] = pytest.StashKey()
"""Where they are dumped to then."""
NOT_UP: pytest.StashKey[list[tuple[str, str]]] = pytest.StashKey()
"""The report of labs that did not come up; they are gone when the test is reported on."""
SHARED: pytest.StashKey[SharedLab] = pytest.StashKey()
"""What a test was lent."""
NOT_MENDED: pytest.StashKey[Iterable[tuple[str, str]]] = pytest.StashKey()
"""The report of a shared lab that could not be mended after a test."""


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
        worker=os.environ.get(WORKER_VARIABLE, ""),
        started=_reported_on(request, tmp_path_factory).append,
        failed=lambda lab: _keep_report(request.node, lab),
    ) as factory:
        yield factory


def _labs_of(scope: Literal["class", "module", "package", "session"]) -> Any:
    """A fixture that keeps the labs which tests share within a scope."""

    @pytest.fixture(scope=scope, name=f"_labs_of_{scope}")
    def keep(tmp_path_factory: pytest.TempPathFactory, lab_runtime: str) -> Iterator[SharedLabs]:
        from orchestrator.testing.shared import SharedLabs

        with SharedLabs(
            runtime=lab_runtime,
            new_root=lambda: tmp_path_factory.mktemp("labs"),
            worker=os.environ.get(WORKER_VARIABLE, ""),
        ) as labs:
            yield labs

    return keep


_labs_of_class, _labs_of_module = _labs_of("class"), _labs_of("module")
_labs_of_package, _labs_of_session = _labs_of("package"), _labs_of("session")


@pytest.fixture
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The lab that the test's marker `lab` says; without one the stock lab `default`.

    It is the test's own unless the marker has a `scope`. One that tests share is mended after each of them: faults,
    nodes that are down, connections and streams.
    """
    marker = request.node.get_closest_marker("lab")
    arguments, options = (marker.args, dict(marker.kwargs)) if marker else ((), {})
    scope = options.pop("scope", OWN_SCOPE)
    if scope not in SCOPES:
        pytest.fail(f"no scope {scope!r} of a lab\nhint: scopes: {', '.join(SCOPES)}", pytrace=False)
    if scope == OWN_SCOPE:
        factory: LabFactory = request.getfixturevalue("lab_factory")
        return _in_one_line(lambda: factory(*arguments, **options))
    labs: SharedLabs = request.getfixturevalue(f"_labs_of_{scope}")
    shared = labs.of(request.path.parent, arguments, options)
    reported_on = _reported_on(request, tmp_path_factory)
    lent = _in_one_line(lambda: shared.lend(lambda lab: _keep_report(request.node, lab)))
    request.node.stash[SHARED] = shared
    reported_on.append(lent)
    return lent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    # Once the fixtures of the test are gone: some of them may use the lab. After the last test of a scope the lab is
    # gone as well, and after ctrl-C nobody comes here: nothing is mended that nobody uses.
    try:
        return (yield)
    finally:
        if (shared := item.stash.get(SHARED, None)) is not None:
            _mend(item, shared)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "teardown":  # the test's labs are gone
        if NOT_MENDED in item.stash:
            report.sections += item.stash[NOT_MENDED]
    elif report.failed:
        not_up = item.stash.get(NOT_UP, None)
        report.sections += not_up or []
        if labs := item.stash.get(LABS, []):
            from orchestrator.testing.report import report_on

            report.sections += report_on(labs, item.stash.get(DUMPS, None), item.nodeid)
    return report


def _reported_on(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Lab]:
    """The labs of the test, to add one."""
    dumps = request.config.getoption("--lab-dumps")
    request.node.stash[DUMPS] = Path(dumps) if dumps else tmp_path_factory.getbasetemp() / "lab-dumps"
    labs: list[Lab] = request.node.stash.setdefault(LABS, [])
    return labs


def _keep_report(item: pytest.Item, lab: Lab) -> None:
    """Write down how a lab is that did not come up, for the test's report: afterwards it is gone."""
    from orchestrator.testing.report import report_on

    item.stash.setdefault(NOT_UP, []).extend(report_on([lab], item.stash.get(DUMPS, None), item.nodeid))


def _in_one_line(start: Callable[[], Lab]) -> Lab:
    """That a lab does not come up is no error of the test: what is wrong, and no trace of calls."""
    from orchestrator.errors import OrchestratorError

    try:
        return start()
    except OrchestratorError as error:
        text = f"{error}\nhint: {error.hint}" if error.hint else str(error)
    pytest.fail(text, pytrace=False)


def _mend(item: pytest.Item, shared: SharedLab) -> None:
    """Mend a shared lab after a test; one that cannot be is removed, and the test is to blame."""
    from node.errors import LabError
    from orchestrator.testing.report import report_on

    try:
        done = shared.mend()
    except LabError as error:
        item.stash[NOT_MENDED] = report_on(shared.labs, item.stash.get(DUMPS, None), item.nodeid)
        shared.discard()
        text = f"the lab that tests share cannot be mended after this one: {error}"
    else:
        if done:
            item.add_report_section("teardown", "lab, mended after the test", "\n".join(done))
        return
    pytest.fail(f"{text}\nthe next test gets a new lab", pytrace=False)
