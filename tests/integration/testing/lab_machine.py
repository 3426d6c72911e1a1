"""What may happen to a lab, as rules for Hypothesis, beside a model that knows which messages must arrive."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from node.errors import LabError
from orchestrator.lab import Lab
from orchestrator.spec import Link
from orchestrator.testing.scenario import Step, save

LEAST_UP = 2


def pick(choices: str) -> st.SearchStrategy[object]:
    """One of what a property of the machine lists at that moment."""
    return st.runner().flatmap(lambda machine: st.sampled_from(getattr(machine, choices)))


class LabMachine(RuleBasedStateMachine):
    """Does things to one lab that all runs share; a run that fails is saved."""

    lab: ClassVar[Lab]
    failure: ClassVar[Path]
    """Where to save it. Hypothesis plays the shortest one last."""
    played: ClassVar[set[str]]
    """Verbs of all steps of all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.down: list[str] = []
        self.cut: list[Link] = []
        self.group: set[str] = set()
        """One side of the partition, if there is one."""
        self.severed: list[Link] = []
        """What it took down, and what healing it brings back."""
        self.lab.heal()
        for name in self.lab.spec.node_names:
            if name not in self.lab.running:
                self.lab.start(name)
        self.lab.connect_links(self.lab.spec.links)
        self.lab.wait_ready()

    # -- the model

    @property
    def up(self) -> list[str]:
        return [name for name in self.lab.spec.node_names if name not in self.down]

    @property
    def linked(self) -> list[Link]:
        """Links between nodes that run, less those that were cut."""
        return [link for link in self.lab.spec.links if link not in self.cut and self.possible(link)]

    @property
    def mendable(self) -> list[Link]:
        return [link for link in self.cut if self.possible(link)]

    @property
    def groups(self) -> list[list[str]]:
        """What can be one side of a partition."""
        first, *others = self.lab.spec.node_names
        return [[first, *some] for some in ([], *([other] for other in others))]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(a, b) for a in self.up for b in self.up if a != b]

    def crossing(self, link: Link) -> bool:
        return bool(self.group) and (link.a in self.group) != (link.b in self.group)

    def possible(self, link: Link) -> bool:
        return not {link.a, link.b} & {*self.down} and not self.crossing(link)

    def reached(self, name: str) -> set[str]:
        found, waiting = {name}, [name]
        while waiting:
            at = waiting.pop()
            near = {link.b if link.a == at else link.a for link in self.linked if at in (link.a, link.b)} - found
            found |= near
            waiting += near
        return found

    # -- the rules

    @precondition(lambda self: self.linked)
    @rule(link=pick("linked"))
    def disconnect(self, link: Link) -> None:
        self.play("disconnect", link.a, link.b)
        self.cut.append(link)

    @precondition(lambda self: self.mendable)
    @rule(link=pick("mendable"))
    def connect(self, link: Link) -> None:
        self.play("connect", link.a, link.b)
        self.cut.remove(link)

    @precondition(lambda self: len(self.up) > LEAST_UP)
    @rule(name=pick("up"))
    def kill(self, name: str) -> None:
        self.play("kill", name)
        self.down.append(name)

    @precondition(lambda self: self.down)
    @rule(name=pick("down"))
    def start(self, name: str) -> None:
        self.play("start", name)
        self.down.remove(name)
        # A node that starts is connected as the lab wants it, whatever was cut before.
        self.cut = [link for link in self.cut if name not in (link.a, link.b) or not self.possible(link)]
        # What cannot be made now nobody makes later: healing brings back what the partition took, and no more.
        missed = [link for link in self.lab.spec.links if name in (link.a, link.b) and self.crossing(link)]
        self.cut += [link for link in missed if link not in (*self.cut, *self.severed)]

    @precondition(lambda self: not self.group)
    @rule(group=pick("groups"))
    def partition(self, group: list[str]) -> None:
        was = self.linked
        self.play(
            "partition", ",".join(group), ",".join(name for name in self.lab.spec.node_names if name not in group)
        )
        self.group = set(group)
        self.severed = [link for link in was if self.crossing(link)]

    @precondition(lambda self: self.group)
    @rule()
    def heal(self) -> None:
        self.play("heal")
        self.group, self.severed = set(), []

    @rule(pair=pick("pairs"))
    def send(self, pair: tuple[str, str]) -> None:
        self.play("send" if pair[1] in self.reached(pair[0]) else "lose", *pair)

    def play(self, verb: str, *nodes: str) -> None:
        step = Step(verb, nodes)
        self.steps.append(step)
        self.played.add(verb)
        try:
            step.play(self.lab)
        except (LabError, AssertionError):
            save(self.failure, self.lab.spec, self.steps)
            raise
