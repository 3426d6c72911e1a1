"""What is shown with a test that failed; labs that answer nothing must not hide the failure."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc

from node.control.client import ControlError
from node.events import Kind, NodeEvent
from orchestrator.errors import LabNotReady
from orchestrator.lab import Lab
from orchestrator.testing.report import MAX_NODES, describe, report_on

PEER, DIGEST, ADDRESS = "ab" * 32, "cd" * 32, "ef" * 32


def event(**fields: Any) -> NodeEvent:
    return NodeEvent(seq=1, wall_s=0.0, mono_s=12.5, **fields)


def test_events_in_one_line() -> None:
    sent = event(
        kind=Kind.PSS_FORWARDED, peer=PEER, protocol="pss", code=0, digest=DIGEST, data={"to": ADDRESS, "po": 3}
    )
    assert describe(sent, {PEER: "bob"}, begun=12.0) == (
        "    0.500 s pss.forwarded  bob pss:0 message cdcdcdcd to=efefefef po=3"
    )
    assert describe(event(kind=Kind.DROP, peer=PEER, reason="EOF"), {}) == "   12.500 s drop           abababab EOF"


class BrokenLab:
    """Of many nodes, none of which answers, and with nothing that works."""

    def __init__(self) -> None:
        self.runtime = self
        self.nodes = [
            SimpleNamespace(name=f"n{number}", id=bytes([number]) * 32, control=self, spec=None)
            for number in range(MAX_NODES + 4)
        ]
        self.spec = SimpleNamespace(name="broken", nodes=self.nodes)

    def logs(self, node: object, *, tail: int) -> list[str]:
        raise OSError("no such file")

    def history(self) -> list[NodeEvent]:
        raise ControlError("n0", grpc.StatusCode.UNAVAILABLE, "gone")

    def dump(self, directory: Path) -> Path:
        raise RuntimeError("disk full")


def test_nothing_in_it_raises(tmp_path: Path) -> None:
    sections = report_on([cast(Lab, BrokenLab())], tmp_path, "tests/test_x.py::test_y[1]")
    assert sections[:2] == [
        ("broken/n0 last said", "(its log cannot be read: no such file)"),
        ("broken/n0: last events", "(it does not tell: n0: gone)"),
    ]
    assert sections[-2:] == [
        ("lab broken", "... and 4 nodes more"),
        ("lab broken", "it could not be dumped: disk full"),
    ]
    assert len(sections) == 2 * MAX_NODES + 2


def test_a_lab_whose_nodes_cannot_be_reached_at_all(tmp_path: Path) -> None:
    class GatewaylessLab(BrokenLab):
        def __init__(self) -> None:
            self.runtime = self
            self.spec = SimpleNamespace(name="broken", nodes=[None] * (MAX_NODES + 4))

        @property
        def nodes(self) -> list[object]:  # type: ignore[override]
            raise LabNotReady("the lab has no gateway")

    assert report_on([cast(Lab, GatewaylessLab())], tmp_path, "a.py::test_y") == [
        ("lab broken", "its nodes cannot be asked: the lab has no gateway"),
        ("lab broken", "it could not be dumped: disk full"),
    ]


def test_a_second_dump_has_a_directory_of_its_own(tmp_path: Path) -> None:
    class DumpingLab(BrokenLab):
        def dump(self, directory: Path) -> Path:
            directory.mkdir(parents=True)
            return directory

    lab = cast(Lab, DumpingLab())
    said = [report_on([lab], tmp_path, "a.py::test_y[1/2]")[-1][1] for _ in range(3)]
    assert said == [f"dumped to {tmp_path}/a.py_test_y_1_2_/broken{end}" for end in ("", ".2", ".3")]
