"""A lab that is not ready in time: what is missing, and where to look for the cause."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import cast

import grpc
import pytest

from node.control.client import ControlError
from orchestrator.errors import LabNotReady
from orchestrator.node_handle import NodeHandle
from orchestrator.readiness import wait_until_ready
from orchestrator.topology import make_spec

SPEC = make_spec("late", kind="line", n=3, seed=1)


class Silent:
    """A node and its control, which fails."""

    def __init__(self, name: str, code: grpc.StatusCode) -> None:
        self.name, self.control, self._code = name, self, code

    def peers(self) -> None:
        raise ControlError(self.name, self._code, "no")


@pytest.mark.parametrize(
    ("code", "doctor"), [(grpc.StatusCode.DEADLINE_EXCEEDED, True), (grpc.StatusCode.UNAUTHENTICATED, False)]
)
def test_the_machine_may_be_the_cause(code: grpc.StatusCode, doctor: bool) -> None:
    nodes = {name: cast(NodeHandle, Silent(name, code)) for name in SPEC.node_names}
    with ThreadPoolExecutor(1) as pool, pytest.raises(LabNotReady, match="not ready after 0 s: alice does") as failed:
        wait_until_ready(SPEC, nodes, pool, timeout_s=0.0)
    assert ("lab doctor --nodes 3 tells" in failed.value.hint) is doctor
