"""A scenario: a lab and steps in it, kept in a lab file that `lab up` takes too, and played again::

    python -m orchestrator.testing.scenario failed.lab.yml

The steps are under the key `x-steps`, which is not the lab's own, one text each:

    connect A B, disconnect A B, kill A, start A
    partition A,B C,D    nothing passes between the two groups, until: heal
    send A B             a message from A arrives at B
    lose A B             a message from A does not arrive at B
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from node.errors import LabError
from orchestrator.errors import DeliveryFailed, LabFileError, OrchestratorError, UnknownNode
from orchestrator.lab import Lab
from orchestrator.names import select_nodes
from orchestrator.source import resolve
from orchestrator.spec import LabSpec
from orchestrator.testing import expect, lab_text

STEPS_KEY = "x-steps"
STEP_FAILED = 1
"""Exit code."""
ARRIVES_WITHIN_S = 5.0
LOST_AFTER_S = 0.4
"""How long to wait for a message that must not come; one over three hops takes 0.01 s."""
HEADER = """\
# Found by a test: the last step fails. To play it again:
#   python -m orchestrator.testing.scenario {path}
"""


@dataclass(frozen=True)
class Step:
    """One thing to do, or to see."""

    verb: str
    nodes: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``verb name ...``.

        Raises:
            LabFileError: no such verb, or it wants another number of names.
        """
        verb, *nodes = text.split() or [""]
        if verb not in _VERBS:
            raise LabFileError(f"no step {verb!r}", hint=f"steps: {', '.join(_VERBS)}")
        if len(nodes) != _VERBS[verb][0]:
            raise LabFileError(f"step {text!r}: {verb} wants {_VERBS[verb][0]} names")
        return cls(verb, tuple(nodes))

    def __str__(self) -> str:
        return " ".join((self.verb, *self.nodes))

    def check(self, spec: LabSpec) -> None:
        """Whether a lab has the nodes.

        Raises:
            LabFileError: it does not.
        """
        try:
            for name in self.nodes:
                if self.verb in _OF_GROUPS:
                    select_nodes(spec.nodes, [name])
                else:
                    spec.node(name)
        except UnknownNode as error:
            raise LabFileError(f"step {str(self)!r}: {error}", hint=error.hint) from None

    def play(self, lab: Lab) -> None:
        """Do it, and wait until it is done.

        Raises:
            LabError, AssertionError: it fails.
        """
        _VERBS[self.verb][1](lab, *self.nodes)


def _kill(lab: Lab, name: str) -> None:
    lab.kill(name)
    for other in sorted(lab.spec.neighbours(name) & lab.running):
        expect.disconnected(lab[other], lab[name])


def _lose(lab: Lab, a: str, b: str) -> None:
    try:
        delivery = lab.send(a, b, b"lost", timeout_s=LOST_AFTER_S)
    except DeliveryFailed:
        return
    raise AssertionError(f"a message from {a} arrived at {b}, which must not be: {delivery.journey.summary}")


_VERBS: dict[str, tuple[int, Callable[..., object]]] = {
    "connect": (2, lambda lab, a, b: lab.connect(a, b)),
    "disconnect": (2, lambda lab, a, b: lab.disconnect(a, b)),
    "kill": (1, _kill),
    "start": (1, lambda lab, name: lab.start(name)),
    "partition": (2, lambda lab, one, other: lab.partition(one, other)),
    "heal": (0, lambda lab: lab.heal()),
    "send": (2, lambda lab, a, b: lab.send(a, b, b"found", timeout_s=ARRIVES_WITHIN_S)),
    "lose": (2, _lose),
}
"""How many names each takes, and what it does."""
_OF_GROUPS = {"partition"}
"""Verbs whose names are selectors of several nodes."""


def save(path: Path, spec: LabSpec, steps: Sequence[Step]) -> None:
    """Write a scenario; the lab is the same when it is played, keys, addresses and conditions of links included.

    Raises:
        LabFileError: a lab file cannot say what the lab has, see :func:`orchestrator.testing.lab_text.write`.
    """
    lab_text.write(path, spec, header=HEADER.format(path=path.name), more={STEPS_KEY: [str(step) for step in steps]})


def load(path: Path) -> tuple[LabSpec, list[Step]]:
    """Read a scenario.

    Raises:
        LabFileError: the lab or a step makes no sense, or there is no such node.
    """
    spec = resolve(path)
    steps = [Step.parse(str(text)) for text in yaml.safe_load(path.read_text()).get(STEPS_KEY) or ()]
    for step in steps:
        step.check(spec)
    return spec, steps


def replay(
    path: Path,
    *,
    lab: type[Lab] = Lab,
    runtime: str = "auto",
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Start the lab of a scenario, go through its steps, and take it down.

    Args:
        report: gets a line for each step, before it is played, and no others.

    Raises:
        LabError, AssertionError: of the step that fails.
    """
    spec, steps = load(path)
    with tempfile.TemporaryDirectory() as root, lab.up(spec, runtime=runtime, state_root=Path(root)) as running:
        for number, step in enumerate(steps, 1):
            report(f"{number}. {step}")
            step.play(running)


def main(argv: Sequence[str] | None = None) -> int:
    """Play a scenario: 0 if all steps hold, 1 if one fails, and as `lab` has it if it cannot be read or come up."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.testing.scenario", description="Play a scenario.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--runtime", default="auto", choices=("auto", "docker", "process"))
    arguments = parser.parse_args(argv)
    begun: list[str] = []

    def report(line: str) -> None:
        begun.append(line)
        print(line)

    try:
        replay(arguments.file, runtime=arguments.runtime, report=report)
    except (LabError, AssertionError) as error:
        print(f"error: {error}", file=sys.stderr)
        if begun or not isinstance(error, OrchestratorError):
            return STEP_FAILED
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return error.exit_code
    print("all steps hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
