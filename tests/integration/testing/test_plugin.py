"""The plugin as somebody else's tests see it: pytest in a directory of its own, labs as processes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from orchestrator.process_runtime import find_lab_processes

pytest_plugins = ["pytester"]

IMPORT_LIMIT_S = 0.02
"""Every run of pytest in this environment pays for the plugin, whatever it tests."""
RUNTIME = ("--lab-runtime", "process", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run inside is no worker, though the one outside may be."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.fixture(autouse=True)
def no_process_is_left(pytester: pytest.Pytester) -> Iterator[None]:
    yield
    ours = [pid for pid in find_lab_processes() if str(pytester.path) in psutil.Process(pid).environ()["PSS_DATADIR"]]
    assert ours == []


def test_markers_say_which_lab_and_it_is_gone_afterwards(pytester: pytest.Pytester) -> None:
    (pytester.path / "own.lab.yml").write_text("apiVersion: lab/v1\nname: mine\ntopology: {kind: line, n: 2}\n")
    pytester.makepyfile(
        """
        import pytest
        from orchestrator.testing import expect

        @pytest.mark.lab("line3")
        def test_stock(lab):
            assert lab.send("alice", "bob", b"x").payload == b"x"

        @pytest.mark.lab(topology="ring", nodes=3, seed=5, runtime="process")
        def test_topology(lab):
            assert lab.spec.name == "ring3"
            assert lab.spec.seed == 5
            assert lab.runtime.name == "process"

        @pytest.mark.lab("own.lab.yml")
        def test_file_beside_the_test(lab):
            expect.connected(lab["alice"], lab["bob"])

        def test_factory(lab_factory):
            one, two = lab_factory("line3"), lab_factory("line3")
            assert [one.spec.name, two.spec.name] == ["line3", "line3-2"]
            assert one["alice"].id == two["alice"].id
        """
    )
    pytester.runpytest_subprocess(*RUNTIME, "--strict-markers").assert_outcomes(passed=4)


def test_a_failure_shows_what_every_node_said_and_did(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from orchestrator.testing import expect

        @pytest.mark.lab("line3")
        def test_fails(lab):
            lab.kill("n01")
            with expect.message(lab, "bob", "chat", "hi", within=0.2):
                pass
        """
    )
    result = pytester.runpytest_subprocess(*RUNTIME, "--lab-dumps", "dumps")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*AssertionError: no message on topic 'chat' with b'hi' reached bob within 0.2 s",
            "*last events of bob:",
            "*- line3/alice last said -*",
            "*node alice is up*",
            "*- line3/alice: last events -*",
            "*kad.on*n01*",
            "*- line3/n01: last events -*",
            "(it does not tell: n01: *",
            "dumped to dumps/*",
        ]
    )
    (log,) = pytester.path.glob("dumps/*test_fails/line3/nodes/bob/log.txt")
    assert "node bob is up" in log.read_text()
    assert "Traceback" not in result.stdout.str().partition("last said")[2]


SCOPES = pytest.mark.parametrize("scope", ["function", "module"])


@SCOPES
def test_a_lab_that_does_not_come_up_shows_and_dumps_what_it_was(pytester: pytest.Pytester, scope: str) -> None:
    (pytester.path / "own.py").write_text("raise RuntimeError('it is broken')\n")
    (pytester.path / "own.lab.yml").write_text(
        "apiVersion: lab/v1\nname: mine\nnodes: {alice: {}, bob: {services: ['own:Own']}}\nlinks: [alice-bob]\n"
    )
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.lab("own.lab.yml", scope="{scope}")
        def test_one(lab):
            pass

        def test_expects_it(lab_factory):
            with pytest.raises(Exception, match="node bob does not come up"):
                lab_factory("own.lab.yml")
        """
    )
    result = pytester.runpytest_subprocess(*RUNTIME, "--lab-dumps", "dumps")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_one*",
            "node bob does not come up: *",
            "*- mine/alice last said -*",
            "*node alice is up*",
            "*- mine/bob last said -*",
            "*it is broken*",
            "dumped to dumps/*",
        ]
    )
    (log,) = pytester.path.glob("dumps/*test_one/mine/nodes/bob/log.txt")
    assert "it is broken" in log.read_text()
    assert result.stdout.str().count("mine/bob last said") == 1


def test_a_lab_that_makes_no_sense_is_one_clear_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.lab("lien3")
        def test_one(lab): pass

        @pytest.mark.lab(topology="ring")
        def test_two(lab): pass
        """
    )
    result = pytester.runpytest_subprocess(*RUNTIME)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["no lab file and no stock lab 'lien3'", "hint: did you mean 'line3'?"])
    result.stdout.fnmatch_lines(["topology 'ring' of how many nodes?"])
    result.stdout.no_fnmatch_line("*During handling*")


def test_two_workers_have_labs_of_their_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os
        import pytest

        @pytest.mark.lab("line3")
        @pytest.mark.parametrize("number", range(4))
        def test_one(lab, number, worker_id):
            assert lab.spec.name == f"line3-{worker_id}"
            assert lab.send("alice", "bob", b"x").payload == b"x"
            print("ran on", worker_id)
        """
    )
    result = pytester.runpytest_subprocess(*RUNTIME, "-n", "2", "-rP")
    result.assert_outcomes(passed=4)
    assert set(re.findall(r"ran on (\w+)", result.stdout.str())) == {"gw0", "gw1"}


def test_expectations(pytester: pytest.Pytester) -> None:
    """One lab for all: each helper where it holds, and where it does not."""
    pytester.makepyfile(
        """
        import pytest
        from orchestrator.testing import expect

        @pytest.mark.lab("line3")
        def test_all(lab):
            alice, n01, bob = lab.nodes

            def send(payload):
                chat = bob.topic("chat")
                alice.rpc("pss_sendRaw", "0x" + bob.overlay.hex(), "0x" + chat.hex(), "0x" + payload.hex())

            with expect.message(lab, "bob", "chat", "hi") as expected:
                send(b"other")
                send(b"hi")
            assert expected.received.payload == b"hi"
            with expect.message(lab, "bob", bob.topic("chat")):
                send(b"whatever")
            with pytest.raises(AssertionError, match=r"others that came: \\[b'no'\\]"):
                with expect.message(lab, "bob", "chat", b"yes", within=0.3):
                    send(b"no")
            with expect.no_message(lab, "bob", "chat", b"yes", during=0.3):
                send(b"still no")
            with pytest.raises(AssertionError, match="which must not be"):
                with expect.no_message(lab, "bob", "chat"):
                    send(b"not this")
            with pytest.raises(ZeroDivisionError):
                with expect.message(lab, "bob", "chat"):
                    1 / 0
            with pytest.warns(RuntimeWarning, match="nothing without 'with'"):
                expect.message(lab, "bob", "chat")

            assert expect.event(bob, "kad.on", peer=n01, control=False).peer == n01.id.hex()
            digest = lab.send("alice", "bob", b"x").digest.hex()
            expect.event(n01, "pss.forwarded", digest=digest)
            with pytest.raises(AssertionError, match="(?s)no event pss.delivered.*last events of n01:.*kad.on"):
                expect.event(n01, "pss.delivered", digest=digest, within=0.2)

            expect.connected(alice, n01)
            with pytest.raises(AssertionError, match="alice is not connected with bob within 0.2 s"):
                expect.connected(alice, bob, within=0.2)
            with pytest.raises(AssertionError, match="alice is still connected with n01"):
                expect.disconnected(alice, n01, within=0.2)
            lab.kill("n01")
            expect.disconnected(alice, n01)

            assert expect.answer(alice, "admin_peers", gives=[]) == []
            expect.answer(alice, "pss_baseAddr", gives=lambda address: len(address) == 66)
            with pytest.raises(AssertionError, match="admin_peers of alice does not give 1 within 0.1 s"):
                expect.answer(alice, "admin_peers", gives=1, within=0.1)
        """
    )
    pytester.runpytest_subprocess(*RUNTIME).assert_outcomes(passed=1)


def test_a_node_that_is_not_there_proves_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import threading
        import pytest
        from orchestrator.testing import expect

        pytestmark = pytest.mark.lab("line3", scope="module")

        @pytest.mark.parametrize("end", ["kill", "stop"])
        def test_it_goes_away(lab, end):
            with pytest.raises(AssertionError, match="bob went away while nothing was to arrive on topic 'chat': bob"):
                with expect.no_message(lab, "bob", "chat", during=60):
                    getattr(lab, end)("bob")
            with pytest.raises(AssertionError, match="n01 went away before a message on topic 'chat' with b'x'"):
                with expect.message(lab, "n01", "chat", b"x", within=60):
                    getattr(lab, end)("n01")

        def test_it_is_down(lab):
            alice, n01, bob = lab.nodes
            lab.kill("bob")
            down = "(?s)bob: .*last events of bob:.*it does not tell"
            for look in (
                lambda: expect.answer(bob, "admin_peers", gives=[], within=0.2),
                lambda: expect.connected(bob, n01, within=0.2),
                lambda: expect.disconnected(bob, n01, within=0.2),
                lambda: expect.event(bob, "kad.on", within=0.2),
                lambda: expect.message(lab, "bob", "chat").__enter__(),
                lambda: expect.no_message(lab, "bob", bob.id[:4]).__enter__(),
            ):
                with pytest.raises(AssertionError, match=down):
                    look()

        def test_it_comes_back(lab):
            alice, n01, bob = lab.nodes
            for look in (
                lambda: expect.answer(bob, "admin_peers", gives=lambda peers: len(peers) == 1, within=20),
                lambda: expect.connected(bob, n01, within=20),
                lambda: expect.disconnected(bob, alice, within=20),
                lambda: expect.event(bob, "kad.on", peer=n01, within=20),
            ):
                lab.kill("bob")
                starting = threading.Timer(0.3, lab.start, ("bob",))
                starting.start()
                try:
                    look()
                finally:
                    starting.join()
        """
    )
    pytester.runpytest_subprocess(*RUNTIME).assert_outcomes(passed=4)


LOAD = """
import sys, time
import pytest
before, begun = set(sys.modules), time.perf_counter()
import orchestrator.testing.plugin
print(time.perf_counter() - begun, *sorted(set(sys.modules) - before))
"""


def test_loading_the_plugin_costs_nothing_to_speak_of() -> None:
    runs = [subprocess.check_output([sys.executable, "-c", LOAD], text=True).split() for _ in range(3)]
    assert min(float(run[0]) for run in runs) < IMPORT_LIMIT_S
    assert runs[0][1:] == ["orchestrator", "orchestrator.testing", "orchestrator.testing.plugin"]
