"""Labs that only pretend, behind the seam of the command line (orchestrator.cli.labs.Labs)."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.control.gen import control_pb2 as pb
from orchestrator.chapter.examples import Example
from orchestrator.chapter.transcript import Said, Transcript
from orchestrator.errors import LabNotFound, OrchestratorError, UnknownNode
from orchestrator.gc import FoundLab, Leftover
from orchestrator.image import ImageInfo
from orchestrator.journey import Hop, Journey, Note, Outcome
from orchestrator.lab import Delivery, NodeStatus
from orchestrator.runtime import NodeState, Report
from orchestrator.spec import LabSpec, NodeSpec
from orchestrator.state import SavedLab
from orchestrator.stock import load_stock

DIGEST = bytes(range(32))
MEGABYTE = 1024 * 1024


def make_journey(spec: LabSpec) -> Journey:
    """From the first to the last node of a line, 1 ms a hop."""
    names = spec.node_names
    hops = tuple(
        Hop(
            sender=a,
            receiver=b,
            level=level,
            sent_ms=float(level),
            arrived_ms=level + 1.0,
            took_ms=1.0,
            outcome=Outcome.FIRST,
        )
        for level, (a, b) in enumerate(itertools.pairwise(names))
    )
    delivered = Note(node=names[-1], at_ms=float(len(hops)), text="1 handler")
    return Journey(digest=DIGEST.hex(), origin=names[0], mode="asymmetric", size=2, hops=hops, deliveries=(delivered,))


@dataclass
class FakeRuntime:
    """Says what it was told to say."""

    name: str = "process"
    states: dict[str, NodeState] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    exit_code: int = 0
    executed: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    raises: Exception | None = None

    def node_states(self) -> dict[str, NodeState]:
        return self.states

    def logs(self, node: NodeSpec, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        lines = self.lines.get(node.name, [])
        yield from lines if tail is None else lines[len(lines) - tail :]

    def execute(self, node: NodeSpec, command: Sequence[str]) -> tuple[int, str]:
        if self.raises:
            raise self.raises
        self.executed.append((node.name, tuple(command)))
        return self.exit_code, f"ran on {node.name}\n"


class FakeNode:
    """A node whose peers are its neighbours."""

    def __init__(self, lab: FakeLab, spec: NodeSpec) -> None:
        self._lab, self.spec = lab, spec
        self.control = self

    def peers(self) -> list[pb.Peer]:
        return [pb.Peer(node_id=self._lab.spec.node(n).id) for n in sorted(self._lab.spec.neighbours(self.spec.name))]

    def kademlia(self) -> pb.Kademlia:
        neighbours = [self._lab.spec.node(name).overlay for name in sorted(self._lab.spec.neighbours(self.spec.name))]
        stranger = b"\xab" * 32
        row = pb.Bin(po=1, connected=neighbours, known=[*neighbours, stranger])
        return pb.Kademlia(self=self.spec.overlay, depth=1, bins=[row])

    def rpc(self, method: str, *params: object) -> Any:
        if self._lab.raises:
            raise self._lab.raises
        return {"method": method, "params": list(params)}


class FakeLab:
    """A lab that runs nowhere."""

    def __init__(self, spec: LabSpec) -> None:
        self.spec = spec
        self.runtime = FakeRuntime(states=dict.fromkeys(spec.node_names, NodeState.RUNNING))
        self.adopted = False
        self.raises: BaseException | None = None
        self.calls: list[tuple[Any, ...]] = []
        self.reasons: dict[str, list[str]] = {}

    def __getitem__(self, name: str) -> FakeNode:
        if name not in self.spec.node_names:
            raise UnknownNode(name)
        return FakeNode(self, self.spec.node(name))

    def _act(self, *call: Any) -> None:
        self.calls.append(call)
        if self.raises:
            raise self.raises

    def send(self, sender: str, receiver: str, payload: bytes, **options: Any) -> Delivery:
        self._act("send", sender, receiver, payload, options)
        return Delivery(digest=DIGEST, payload=payload, seconds=0.0042, journey=make_journey(self.spec))

    def trace(self, digest: bytes) -> Journey:
        self._act("trace", digest)
        return make_journey(self.spec) if digest == DIGEST else Journey(digest=digest.hex())

    def status(self) -> list[NodeStatus]:
        self._act("status")
        return [self._status(node) for node in self.spec.nodes]

    def _status(self, node: NodeSpec) -> NodeStatus:
        state, reasons = self.runtime.states[node.name], self.reasons.get(node.name, [])
        info = pb.NodeInfo(overlay=node.overlay, enode="enode://x", rss_bytes=60 * MEGABYTE, uptime_s=125)
        return NodeStatus(
            name=node.name,
            state=state,
            reasons=reasons,
            info=info if state is NodeState.RUNNING else None,
            peers=sorted(self.spec.neighbours(node.name)) if state is NodeState.RUNNING else (),
        )

    def connect(self, a: str, b: str) -> None:
        self._act("connect", a, b)

    def disconnect(self, a: str, b: str) -> None:
        self._act("disconnect", a, b)

    def start(self, name: str) -> None:
        self._act("start", name)

    def stop(self, name: str) -> None:
        self._act("stop", name)

    def kill(self, name: str) -> None:
        self._act("kill", name)

    def down(self) -> list[str]:
        self.calls.append(("down",))
        return []

    def close(self) -> None:
        self.calls.append(("close",))


class FakeLabs:
    """A state directory with labs."""

    def __init__(self, *names: str) -> None:
        self.labs: dict[str, FakeLab] = {}
        self.damaged: dict[str, OrchestratorError] = {}
        self.elsewhere: list[FoundLab] = []
        self.rubbish: list[Leftover] = []
        self.up_calls: list[dict[str, Any]] = []
        self.on_up: Callable[[FakeLab], None] = lambda lab: None
        self.digests: dict[str, str] = {}
        self.removed: list[str] = []
        self.raises: Exception | None = None
        self.played: list[tuple[str, str]] = []
        self.performance = Transcript()
        for name in names:
            self.add(name)

    def add(self, name: str, stock: str = "line3") -> FakeLab:
        lab = self.labs[name] = FakeLab(dataclasses.replace(load_stock(stock), name=name))
        return lab

    def up(
        self, spec: LabSpec, *, report: Report, progress: Callable[[str, int, int], None], **options: Any
    ) -> FakeLab:
        self.up_calls.append({"spec": spec, **options})
        report("networks and gateway")
        progress("starting nodes", len(spec.nodes), len(spec.nodes))
        lab = self.labs.get(spec.name)
        if lab is not None:
            lab.adopted = True
        else:
            lab = FakeLab(spec)
        self.on_up(lab)
        self.labs[spec.name] = lab
        return lab

    def play(self, example: Example, *, runtime: str, show: Callable[[Said], None], report: Report) -> Transcript:
        self.played.append((example.name, runtime))
        for said in self.performance.said:
            show(said)
        return self.performance

    def open(self, name: str) -> FakeLab:
        if self.raises:
            raise self.raises
        if name not in self.labs:
            raise LabNotFound(f"no lab {name!r} is running", hint="lab ls; lab up")
        return self.labs[name]

    def saved(self) -> dict[str, SavedLab | OrchestratorError]:
        labs: dict[str, SavedLab | OrchestratorError] = {
            name: SavedLab(spec=lab.spec, runtime=lab.runtime.name, created="2026-01-01T00:00:00+00:00")
            for name, lab in self.labs.items()
        }
        return labs | self.damaged

    def lab_id(self, name: str) -> str:
        return f"{name}-aaaaaa"

    def found(self, report: Report) -> list[FoundLab]:
        here = [
            FoundLab(lab_id=self.lab_id(name), runtime="process", running=set(lab.spec.node_names))
            for name, lab in self.labs.items()
        ]
        return here + self.elsewhere

    def remove(self, name: str, report: Report) -> list[str]:
        self.removed.append(name)
        if self.raises:
            raise self.raises
        return ["process alice", "process bob", "directory /x"] if self.labs.pop(name, None) else []

    def remove_found(self, lab: FoundLab) -> list[str]:
        self.removed.append(lab.lab_id)
        return ["container x"]

    def leftovers(self, report: Report) -> list[Leftover]:
        return self.rubbish

    def remove_leftover(self, leftover: Leftover) -> list[str]:
        if self.raises:
            raise self.raises
        self.removed.append(leftover.id)
        return [f"{leftover.kind} {leftover.id}"]

    def image(self, report: Report, *, rebuild: bool) -> ImageInfo:
        if self.raises:
            raise self.raises
        report("building")
        return ImageInfo(tag="pss-lab-node:abc", id="sha256:1", size_bytes=121_000_000, built=rebuild)

    def last_digest(self, name: str) -> str:
        return self.digests.get(name, "")

    def remember_digest(self, name: str, digest: str) -> None:
        self.digests[name] = digest


def elsewhere(name: str, directory: str = "/somewhere/.lab") -> FoundLab:
    """A lab of somebody else."""
    return FoundLab(lab_id=f"{name}-bbbbbb", runtime="docker", directory=Path(directory) / name, running={"alice"})
