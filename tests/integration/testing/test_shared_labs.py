"""Labs that tests share, as somebody else's tests see them: what one test does to a lab is not there in the next."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from orchestrator.process_runtime import find_lab_processes

pytest_plugins = ["pytester"]

RUNTIME = ("--lab-runtime", "process", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error")
DEADLINE_S = 60.0
POLL_S = 0.02
SHARED = """
import pytest
from orchestrator.testing import expect

pytestmark = pytest.mark.lab("line3", scope="module")
"""


def node_processes(pytester: pytest.Pytester) -> list[int]:
    """Nodes of labs that a run of pytest in this directory started."""
    ours = []
    for pid in find_lab_processes():
        try:
            if str(pytester.path) in psutil.Process(pid).environ()["PSS_DATADIR"]:
                ours.append(pid)
        except psutil.NoSuchProcess:
            continue
    return ours


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run inside is no worker, though the one outside may be."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.fixture(autouse=True)
def no_process_is_left(pytester: pytest.Pytester) -> Iterator[None]:
    yield
    assert node_processes(pytester) == []


def test_one_lab_for_a_module_and_its_own_for_who_says_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_one=SHARED
        + """
labs = []

def test_first(lab):
    labs.append(lab.state.directory)

def test_second(lab):
    assert [lab.state.directory] == labs
    assert lab.send("alice", "bob", b"x").payload == b"x"

@pytest.mark.lab("line3")
def test_its_own(lab):
    assert lab.state.directory not in labs

@pytest.mark.lab(topology="line", nodes=2, scope="module")
def test_another(lab, lab_factory):
    assert lab.spec.name == "line2"
    assert lab_factory("line3").state.directory not in labs

class TestGroup:
    pytestmark = pytest.mark.lab("line3", scope="class")
    def test_one(self, lab):
        assert lab.state.directory not in labs
        labs.append(lab.state.directory)
    def test_two(self, lab):
        assert lab.state.directory == labs[-1]
""",
        test_two=SHARED
        + """
from test_one import labs

def test_another_module(lab):
    assert len(labs) == 2
    assert not labs[0].exists() and not labs[1].exists()
    assert lab.state.directory not in labs
""",
    )
    pytester.runpytest_subprocess(*RUNTIME, "--strict-markers").assert_outcomes(passed=7)


def test_a_session_has_one_for_all_modules(pytester: pytest.Pytester) -> None:
    module = """
import pytest, os, pathlib

@pytest.mark.lab("line3", scope="session")
def test_it(lab, tmp_path_factory):
    (tmp_path_factory.getbasetemp() / __name__).write_text(str(lab.state.directory))
    seen = {file.read_text() for file in tmp_path_factory.getbasetemp().glob("test_?")}
    assert len(seen) == 1
"""
    pytester.makepyfile(test_a=module, test_b=module)
    pytester.runpytest_subprocess(*RUNTIME).assert_outcomes(passed=2)


def test_what_a_test_did_is_undone_before_the_next(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
streams = []

def test_breaks_it(lab):
    lab.partition(["alice"], ["n01", "bob"])
    lab.kill("bob")
    lab.conditions("n01", delay_s=0.01)
    subscription = lab["alice"].subscribe("chat", raw=True)
    stream = subscription.__enter__()
    streams.append((subscription, stream))

def test_is_whole(lab):
    assert lab.running == {"alice", "n01", "bob"}
    assert lab.faults.state().clean
    assert lab.send("alice", "bob", b"x").payload == b"x"
    lab.disconnect("alice", "n01")
    lab.connect("alice", "bob")

def test_is_connected_as_planned(lab):
    assert {peer.node_id for peer in lab["alice"].control.peers()} == {lab["n01"].id}
    assert {peer.node_id for peer in lab["bob"].control.peers()} == {lab["n01"].id}

def test_streams_of_the_first_ended(lab):
    assert list(streams[0][1]) == []

def test_takes_it_down(lab):
    lab.down()

def test_gets_a_new_one(lab):
    assert lab.send("alice", "bob", b"x").payload == b"x"
"""
    )
    result = pytester.runpytest_subprocess(*RUNTIME, "-rP")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(
        [
            "*lab, mended after the test*",
            "faults taken back: partition-1, shape-2",
            "starting again: bob",
            "*lab, mended after the test*",
            "disconnected, as they are not linked: alice, bob",
            "*lab, mended after the test*",
            "the test took the lab down; the next one gets a new one",
        ]
    )


def test_what_happened_before_does_not_count(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
def test_sends(lab):
    lab.send("alice", "bob", b"x")
    expect.event(lab["bob"], "pss.delivered")

def test_looks(lab):
    with pytest.raises(AssertionError, match="no event pss.delivered in bob"):
        expect.event(lab["bob"], "pss.delivered", within=0.2)

def test_fails(lab):
    lab.disconnect("alice", "n01")
    assert False
"""
    )
    result = pytester.runpytest_subprocess(*RUNTIME, "--lab-dumps", "dumps")
    result.assert_outcomes(passed=2, failed=1)
    (events,) = re.findall(r"-+ line3/alice: last events -+\n(.*?)\n-+ ", result.stdout.str(), re.DOTALL)
    assert "kad.off" in events
    assert "pss.sent" not in events
    assert "kad.on" not in events
    assert list(pytester.path.glob("dumps/*test_fails/line3/nodes/bob/log.txt"))


def test_a_lab_that_cannot_be_mended_is_the_fault_of_the_test_that_broke_it(pytester: pytest.Pytester) -> None:
    (pytester.path / "own.py").write_text(
        "from pathlib import Path\n"
        "from node.service.service import Service\n"
        "class Own(Service):\n"
        "    def __init__(self, context):\n"
        "        assert not Path(__file__).with_name('broken').exists(), 'it is broken'\n"
    )
    (pytester.path / "own.lab.yml").write_text(
        "apiVersion: lab/v1\nname: own\ntopology: {kind: line, n: 2}\ndefaults: {services: ['own:Own']}\n"
    )
    pytester.makepyfile(
        """
        from pathlib import Path
        import pytest

        pytestmark = pytest.mark.lab("own.lab.yml", scope="module")
        MARK = Path(__file__).with_name("broken")

        def test_breaks_it(lab):
            MARK.touch()
            lab.kill("bob")

        def test_gets_a_new_one(lab):
            assert lab.running == {"alice", "bob"}

        @pytest.fixture(autouse=True)
        def unbroken():
            MARK.unlink(missing_ok=True)
        """
    )
    result = pytester.runpytest_subprocess(*RUNTIME, "--lab-dumps", "dumps")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_breaks_it*",
            "the lab that tests share cannot be mended after this one: node bob does not come up: it ended; *",
            "the next test gets a new lab",
            "*own/alice last said*",
            "*dumped to dumps/*test_breaks_it/own*",
        ]
    )


def test_a_lab_that_does_not_come_up_is_tried_once(pytester: pytest.Pytester) -> None:
    (pytester.path / "own.py").write_text(
        "from pathlib import Path\nwith open(Path(__file__).with_name('tries'), 'a') as f: f.write('x')\nOwn = 5\n"
    )
    (pytester.path / "own.lab.yml").write_text(
        "apiVersion: lab/v1\nname: own\nnodes: {alice: {services: ['own:Own']}, bob: {}}\nlinks: [alice-bob]\n"
    )
    pytester.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.lab("own.lab.yml", scope="module")
        def test_one(lab): pass
        def test_two(lab): pass

        @pytest.mark.lab("line3", scope="modul")
        def test_no_such_scope(lab): pass
        """
    )
    result = pytester.runpytest_subprocess(*RUNTIME)
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["*node alice does not come up: it ended*expected a Protocol*"] * 2)
    result.stdout.fnmatch_lines(["no scope 'modul' of a lab", "hint: scopes: function, class, module, *"])
    assert (pytester.path / "tries").read_text() == "x"


def test_each_worker_has_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
@pytest.mark.parametrize("number", range(6))
def test_one(lab, number, worker_id):
    assert lab.spec.name == f"line3-{worker_id}"
    assert lab.send("alice", "bob", b"x").payload == b"x"
    lab.kill("n01")
    print("ran on", worker_id, lab.state.directory)
"""
    )
    result = pytester.runpytest_subprocess(*RUNTIME, "-n", "2", "-rP")
    result.assert_outcomes(passed=6)
    ran = set(re.findall(r"ran on (\w+) (\S+)", result.stdout.str()))
    assert len(ran) == len({worker for worker, _ in ran}) == 2


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_it_is_gone_after_the_first_failure(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    pytester.makepyfile(
        SHARED
        + """
def test_fails(lab):
    lab.kill("n01")
    assert False

def test_next(lab): pass
def test_last(lab): pass
"""
    )
    result = pytester.runpytest_subprocess(*RUNTIME, "-x", *workers)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["*line3*/alice last said*"])


def test_it_is_gone_where_other_modules_cannot_be_collected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_a=SHARED + "def test_it(lab): pass\n", test_b="import nothing_of_that_name\n")
    pytester.runpytest_subprocess(*RUNTIME, "--continue-on-collection-errors").assert_outcomes(passed=1, errors=1)
    pytester.runpytest_subprocess(*RUNTIME).assert_outcomes(errors=1)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_it_is_gone_after_ctrl_c(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """The signal goes to everybody in the terminal's foreground, as ctrl-C does."""
    pytester.makepyfile(
        SHARED
        + """
import pathlib, threading

@pytest.mark.parametrize("number", range(2))
def test_waits(lab, number):
    lab.kill("n01")
    pathlib.Path(f"waits-{number}").touch()
    threading.Event().wait(60)
"""
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *RUNTIME, "--basetemp", str(pytester.path / "base"), *workers],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    begun = max(len(workers), 1)
    deadline = time.monotonic() + DEADLINE_S
    while len(list(pytester.path.glob("waits-*"))) < begun:
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(POLL_S)
    assert node_processes(pytester)
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=DEADLINE_S)
    assert "KeyboardInterrupt" in said
    assert run.returncode == pytest.ExitCode.INTERRUPTED
