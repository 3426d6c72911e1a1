"""Which lab a marker means, and under which name; nothing is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import LabFileError, OrchestratorError
from orchestrator.lab import Lab
from orchestrator.spec import LabSpec
from orchestrator.testing import factory
from orchestrator.testing.factory import LabFactory
from orchestrator.topology import make_spec


class FakeLab:
    """Remembers how it was started, and whether it is down."""

    def __init__(self, spec: LabSpec, options: dict[str, Any]) -> None:
        self.spec, self.options, self.is_down = spec, options, False

    @classmethod
    def up(cls, spec: LabSpec, **options: Any) -> FakeLab:
        return cls(spec, options)

    def down(self) -> None:
        self.is_down = True
        if self.spec.name == "broken":
            raise OrchestratorError("it does not end")


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LabFactory:
    monkeypatch.setattr(factory, "Lab", FakeLab)
    return LabFactory(runtime="auto", state_root=tmp_path / "labs", directory=tmp_path, worker="gw3")


def started(lab: Lab) -> FakeLab:
    assert isinstance(lab, FakeLab)
    return lab


def test_names_carry_the_worker_and_no_two_are_alike(make: LabFactory) -> None:
    long = make_spec("a" * 29 + "b", kind="line", n=2, seed=1)
    specs = [lab.spec for lab in (make("line3"), make("line3"), make("line3"), make(long), make(long))]
    assert [spec.name for spec in specs] == [
        "line3-gw3",
        "line3-gw3-2",
        "line3-gw3-3",
        "a" * 26 + "-gw3",
        "a" * 24 + "-gw3-2",
    ]
    # The name is another one, the lab is not.
    assert specs[0].node("bob").overlay == specs[1].node("bob").overlay
    assert [node.id for node in specs[3].nodes] == [node.id for node in long.nodes]
    assert specs[3].network_id == long.network_id


def test_runtime_and_topology(make: LabFactory) -> None:
    assert started(make()).options["runtime"] == "auto"
    lab = started(make(topology="tree", nodes=7, branching=3, seed=9, runtime="process", auto_connect=True))
    assert (lab.spec.name, lab.spec.seed, len(lab.spec.nodes), lab.spec.auto_connect) == ("tree7-gw3", 9, 7, True)
    assert lab.options["runtime"] == "process"
    assert make(topology="line", nodes=2, name="mine").spec.name == "mine-gw3"


def test_lab_files_beside_the_test_come_first(make: LabFactory, tmp_path: Path) -> None:
    (tmp_path / "line3.lab.yml").write_text("apiVersion: lab/v1\nname: beside\ntopology: {kind: line, n: 2}\n")
    assert make("line3.lab.yml").spec.name == "beside-gw3"
    assert make("line3").spec.name == "line3-gw3"


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        (("line3",), {"topology": "ring", "nodes": 3}, "source and topology exclude each other"),
        ((), {"topology": "ring"}, "topology 'ring' of how many nodes"),
        (("line3",), {"nodes": 3}, "are for a topology"),
        (("line3",), {"seed": 3}, "are for a topology"),
        (("nothing.lab.yml",), {}, "nothing.lab.yml: no such file"),
    ],
)
def test_what_makes_no_sense(make: LabFactory, arguments: Any, options: Any, text: str) -> None:
    with pytest.raises(LabFileError, match=text):
        make(*arguments, **options)


def test_who_wants_to_look_at_a_lab_that_does_not_come_up_gets_it(make: LabFactory) -> None:
    looked_at: list[Lab] = []
    make.failed = looked_at.append
    lab = make("line3")
    assert looked_at == []
    started(lab).options["on_failure"](lab)
    assert looked_at == [lab]


def test_all_go_down_even_if_one_does_not(make: LabFactory) -> None:
    with pytest.raises(OrchestratorError, match="it does not end"), make:
        labs = [started(make(make_spec(name, kind="line", n=2, seed=1))) for name in ("one", "broken", "two")]
        labs[1].spec = make_spec("broken", kind="line", n=2, seed=1)
    assert all(lab.is_down for lab in labs)
