"""One lab of containers for a module of tests, as somebody writes them: started once, mended in between."""

from __future__ import annotations

import re

import pytest

from orchestrator import labels
from orchestrator.engine import Engine
from tests.e2e.conftest import in_containers

pytest_plugins = ["pytester"]

RUNTIME = ("--lab-runtime", "docker", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error")
TESTS = """
import pytest
from orchestrator.errors import DeliveryFailed
from orchestrator.testing import expect

pytestmark = pytest.mark.lab(topology="line", nodes=3, name="shared-line", scope="module")
made = []

def identity(lab):
    return {name: lab.runtime._find(name).id for name in lab.spec.node_names}

def test_breaks_it(lab):
    made.append(identity(lab))
    lab.cut("n01", "bob")
    lab.conditions("alice", delay_s=0.01)
    with pytest.raises(DeliveryFailed):
        lab.send("alice", "bob", b"x", timeout_s=0.5)
    lab.kill("alice")
    print("id", lab.state.lab_id)

def test_is_whole(lab):
    assert identity(lab) == made[0]
    assert lab.faults.state().clean
    assert lab.send("alice", "bob", b"x").payload == b"x"
    lab.runtime._containers("gateway")[0].kill()

def test_can_be_reached_again(lab):
    assert lab.send("bob", "alice", b"x").payload == b"x"
    with pytest.raises(AssertionError, match="no event pss.delivered in bob"):
        expect.event(lab["bob"], "pss.delivered", within=0.2)
"""


def test_one_lab_for_a_module(
    pytester: pytest.Pytester, docker_engine: Engine, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_containers.add(request.node.nodeid)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess(*RUNTIME, "-rP")
    result.assert_outcomes(passed=3)
    said = result.stdout.str()
    assert re.search(r"faults taken back: cut-1, shape-2\nstarting again: alice\n", said)
    assert "starting the gateway again" in said
    found = re.search(r"^id (\S+)$", said, re.MULTILINE)
    assert found
    mark = labels.filters(found[1])
    assert docker_engine.client.containers.list(all=True, filters=mark) == []
    assert docker_engine.client.networks.list(filters=mark) == []
