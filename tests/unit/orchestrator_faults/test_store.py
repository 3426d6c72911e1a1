"""orchestrator.faults.store: what outlives a command."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import pytest

from orchestrator.errors import LabNotFound, OrchestratorError
from orchestrator.faults.apply import route_script
from orchestrator.faults.model import Conditions, Fault
from orchestrator.faults.store import LAB_FILE, FaultState, FaultStore, state_to_json
from orchestrator.faults.tc import Kernel
from orchestrator.faults.wanted import NodeFaults

STATE = FaultState(
    faults=[Fault(name="cut-1", kind="cut", groups=(("a",), ("b",)))],
    actual={
        "a": NodeFaults(
            frozenset({"b"}), {"c": Conditions(delay_s=0.5)}, paused=True, traffic={"d": Conditions(rate_bps=1e6)}
        )
    },
    unsure={"b"},
    severed={("a", "b")},
    to_sever={("b", "a")},
    before={"a>b": 0.001},
    count=1,
    kernel=Kernel(htb=True),
)


def test_saved_and_loaded(tmp_path: Path) -> None:
    (tmp_path / LAB_FILE).touch()
    store = FaultStore(tmp_path)
    assert (store.exists(), store.load()) == (False, FaultState())
    with store.lock():
        store.save(STATE)
    assert store.exists()
    assert FaultStore(tmp_path).load() == STATE


def test_without_faults_there_is_no_file(tmp_path: Path) -> None:
    store = FaultStore(tmp_path)
    store.save(STATE)
    store.save(FaultState(count=3, kernel=Kernel(htb=True)))
    assert not store.exists()


def test_of_a_lab_that_is_gone_nothing_is_made_again(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    for there in (False, True):
        if there:
            gone.mkdir()
        with pytest.raises(LabNotFound, match="lab 'gone' is gone"), FaultStore(gone).lock():
            pytest.fail("nobody has the lock")
    assert list(gone.iterdir()) == []
    gone.rmdir()
    with pytest.raises(LabNotFound):
        FaultStore(gone).save(STATE)


def test_a_lab_that_goes_while_somebody_waits_for_the_lock(tmp_path: Path) -> None:
    (tmp_path / LAB_FILE).touch()
    outcome: list[str] = []

    def wait() -> None:
        try:
            with FaultStore(tmp_path).lock():
                outcome.append("locked")
        except LabNotFound:
            outcome.append("gone")

    waiting = threading.Thread(target=wait)
    with FaultStore(tmp_path).lock():
        waiting.start()
        (tmp_path / LAB_FILE).unlink()
    waiting.join()
    assert outcome == ["gone"]


def test_files_from_before_there_was_something_to_sever_are_read(tmp_path: Path) -> None:
    store = FaultStore(tmp_path)
    record = state_to_json(STATE)
    del record["to_sever"]
    store.path.write_text(json.dumps(record))
    assert store.load() == dataclasses.replace(STATE, to_sever=set())


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
