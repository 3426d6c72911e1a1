"""The lab that tests of faults pretend to have."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.faults.store import LAB_FILE
from orchestrator.labfile import load_lab_file
from orchestrator.runtime import NodeState
from tests.unit.orchestrator_faults.fakes import LAB, FakeLab


@pytest.fixture
def lab(tmp_path: Path) -> FakeLab:
    spec = load_lab_file(LAB)
    (tmp_path / LAB_FILE).touch()
    states = dict.fromkeys(spec.node_names, NodeState.RUNNING)
    runtime = SimpleNamespace(node_states=lambda: states)
    return FakeLab(spec=spec, runtime=runtime, state=SimpleNamespace(directory=tmp_path), running=set(spec.node_names))
