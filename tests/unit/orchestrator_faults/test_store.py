"""orchestrator.faults.store: what outlives a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.faults.apply import route_script
from orchestrator.faults.model import Conditions, Fault
from orchestrator.faults.store import FaultState, FaultStore
from orchestrator.faults.wanted import NodeFaults

STATE = FaultState(
    faults=[Fault(name="cut-1", kind="cut", groups=(("a",), ("b",)))],
    actual={"a": NodeFaults(frozenset({"b"}), {"c": Conditions(delay_s=0.5)}, paused=True)},
    unsure={"b"},
    severed={("a", "b")},
    before={"a>b": 0.001},
    count=1,
)


def test_saved_and_loaded(tmp_path: Path) -> None:
    store = FaultStore(tmp_path)
    assert (store.exists(), store.load()) == (False, FaultState())
    with store.lock():
        store.save(STATE)
    assert store.exists()
    assert FaultStore(tmp_path).load() == STATE


def test_without_faults_there_is_no_file(tmp_path: Path) -> None:
    store = FaultStore(tmp_path)
    store.save(STATE)
    store.save(FaultState(count=3))
    assert not store.exists()


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_a_damaged_file(tmp_path: Path, text: str) -> None:
    store = FaultStore(tmp_path)
    store.path.write_text(text)
    with pytest.raises(OrchestratorError, match=r"faults\.json is damaged"):
        store.load()


def test_names() -> None:
    state = FaultState(faults=[Fault(name="cut-1", kind="cut")])
    assert [state.new_name("cut"), state.new_name("pause")] == ["cut-2", "pause-3"]


def test_route_scripts_touch_nothing_but_our_routes() -> None:
    script = route_script(["10.1.0.5", "10.1.0.6"])
    assert "replace blackhole $a proto 201" in script
    assert "for a in 10.1.0.5 10.1.0.6;" in script
    assert "flush" not in script
