"""Whatever is done to a lab, a message arrives exactly if there is a way; if not, what is left is a short scenario."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from orchestrator.errors import DeliveryFailed
from orchestrator.lab import Delivery, Lab
from orchestrator.testing import scenario
from orchestrator.topology import make_spec
from tests.integration.testing.lab_machine import LabMachine

SPEC = make_spec("machine", kind="ring", n=4, seed=3)
EXAMPLES, STEPS = int(os.environ.get("LAB_MACHINE_EXAMPLES", 0)), 8
FEW = 8
"""Half a second each, and always the same. For others, and as many as you like, which stops at the first that fails::

LAB_MACHINE_EXAMPLES=500 pytest -o timeout=0 tests/integration/testing/test_lab_machine.py -k exactly
"""
SETTINGS = settings(
    max_examples=EXAMPLES or FEW,
    stateful_step_count=STEPS,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
SHORT = 5
EVERYTHING = {"connect", "disconnect", "kill", "start", "partition", "heal", "send", "lose"}


class ForgetfulLab(Lab):
    """A lab with a bug: once two nodes were disconnected, messages are lost until two are connected again."""

    forgets = False

    def disconnect(self, a: str, b: str) -> None:
        super().disconnect(a, b)
        self.forgets = True

    def connect(self, a: str, b: str) -> None:
        super().connect(a, b)
        self.forgets = False

    def send(self, sender: str, receiver: str, payload: bytes, **options: Any) -> Delivery:
        if self.forgets:
            raise DeliveryFailed(f"{receiver} did not get the message from {sender}")
        return super().send(sender, receiver, payload, **options)


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[type[LabMachine]]:
    kind: type[Lab] = request.param
    with kind.up(SPEC, runtime="process", state_root=tmp_path / "labs") as running:

        class Machine(LabMachine):
            lab = running
            failure = tmp_path / "failure.lab.yml"
            played: ClassVar[set[str]] = set()

        yield Machine


@pytest.mark.parametrize("machine", [Lab], indirect=True)
def test_a_message_arrives_exactly_if_there_is_a_way(machine: type[LabMachine]) -> None:
    run_state_machine_as_test(machine, settings=SETTINGS)
    assert not machine.failure.exists()
    assert machine.played == EVERYTHING


@pytest.mark.parametrize("machine", [ForgetfulLab], indirect=True)
def test_a_bug_is_found_and_shrinks_to_a_short_scenario(
    machine: type[LabMachine], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeliveryFailed):
        # Few steps: what is found is short already, and shrinking it takes less.
        few = settings(SETTINGS, max_examples=FEW, stateful_step_count=SHORT, derandomize=True)
        run_state_machine_as_test(machine, settings=few)
    spec, steps = scenario.load(machine.failure)
    assert spec.links == SPEC.links
    assert [node.id for node in spec.nodes] == [node.id for node in SPEC.nodes]
    assert len(steps) <= SHORT
    assert steps[-1].verb == "send"
    assert "disconnect" in [step.verb for step in steps]
    with pytest.raises(DeliveryFailed):
        scenario.replay(machine.failure, lab=ForgetfulLab, runtime="process")
    # The real lab has no such bug.
    assert scenario.main([str(machine.failure), "--runtime", "process"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "all steps hold"
