"""Labs that only pretend, behind the seam of the command line (orchestrator.cli.labs.Labs)."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from node.control.client import Feed, Memory, Position
from node.control.convert import event_to_pb
from node.control.gen import control_pb2 as pb
from node.events import EventFilter, NodeEvent
from node.ids import NodeId
from orchestrator.chapter.examples import Example
from orchestrator.chapter.transcript import Said, Transcript
from orchestrator.doctor.facts import Facts
from orchestrator.doctor.findings import Examination, judge
from orchestrator.errors import LabNotFound, OrchestratorError, UnknownNode
from orchestrator.gc import FoundLab, Leftover
from orchestrator.image import ImageInfo
from orchestrator.journey import Hop, Journey, Note, Outcome
from orchestrator.lab import Delivery, NodeStatus
from orchestrator.runtime import NodeState, Report
from orchestrator.smoke import SmokeReport
from orchestrator.spec import LabSpec, NodeSpec
from orchestrator.state import SavedLab
from orchestrator.stock import load_stock

DIGEST = bytes(range(32))
MEGABYTE = 1024 * 1024
GIGABYTE = 1024 * MEGABYTE
FOLLOW_LIMIT_S = 10.0

T = TypeVar("T")


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
        names = sorted(self._lab.spec.neighbours(self.spec.name))
        return [pb.Peer(node_id=self._lab.spec.node(name).id, caps=["bzz/14", "pss/2"]) for name in names]

    def kademlia(self) -> pb.Kademlia:
        neighbours = [self._lab.spec.node(name).overlay for name in sorted(self._lab.spec.neighbours(self.spec.name))]
        stranger = b"\xab" * 32
        row = pb.Bin(po=1, connected=neighbours, known=[*neighbours, stranger])
        return pb.Kademlia(self=self.spec.overlay, depth=1, bins=[row])

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def id(self) -> NodeId:
        return self.spec.id

    def history(self, *kinds: str, digest: str = "") -> list[NodeEvent]:
        told = self._lab.events.get(self.spec.name, [])
        return [event for event in told if (not kinds or event.kind in kinds) and digest in ("", event.digest)]

    def recall(self, only: EventFilter, *, limit: int | None = None) -> Memory:
        self._lab.calls.append(("recall", self.name, limit))
        told = [event for event in self._lab.events.get(self.name, []) if only.passes(event)]
        return Memory(told[-limit:] if limit else told, Position(1.0, self._last_seq), None)

    @property
    def _last_seq(self) -> int:
        return max((event.seq for event in self._lab.events.get(self.name, [])), default=0)

    @contextlib.contextmanager
    def follow(self, only: EventFilter, *, since: Position | None = None) -> Iterator[Feed]:
        """What happened since, then what happens, then the user interrupts."""
        if self._lab.raises:
            raise self._lab.raises
        past = [event for event in self._lab.events.get(self.name, []) if since is not None and event.seq > since.seq]
        later = self._lab.later.get(self.name, [])
        mark = pb.StreamEventsResponse(started_wall_s=1.0, last_seq=self._last_seq)

        def responses() -> Iterator[pb.StreamEventsResponse]:
            for event in (*past, None, *later):
                if event is None:
                    yield mark
                elif only.passes(event):
                    yield pb.StreamEventsResponse(event=event_to_pb(event, self.name))
            self._lab.closed.wait(FOLLOW_LIMIT_S)

        yield Feed(responses(), self.name, since)

    def close(self) -> None:
        self._lab.closed.set()

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
        self.complete = True
        self.raises: BaseException | None = None
        self.calls: list[tuple[Any, ...]] = []
        self.reasons: dict[str, list[str]] = {}
        self.silent: set[str] = set()
        self.smoke_reports: dict[str, SmokeReport] = {}
        self.events: dict[str, list[NodeEvent]] = {}
        self.later: dict[str, list[NodeEvent]] = {}
        self.closed = threading.Event()

    def __getitem__(self, name: str) -> FakeNode:
        if name not in self.spec.node_names:
            raise UnknownNode(name)
        return FakeNode(self, self.spec.node(name))

    @property
    def nodes(self) -> list[FakeNode]:
        return [self[name] for name in self.spec.node_names]

    @property
    def running(self) -> set[str]:
        return {name for name, state in self.runtime.states.items() if state is NodeState.RUNNING}

    def ask(self, question: Callable[[FakeNode], T], names: Collection[str] | None = None) -> dict[str, T]:
        asked = self.running if names is None else names
        return {node.name: question(node) for node in self.nodes if node.name in asked}

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
        answers = state is NodeState.RUNNING and node.name not in self.silent
        return NodeStatus(
            name=node.name,
            state=state,
            reasons=reasons,
            info=info if answers else None,
            peers=sorted(self.spec.neighbours(node.name)) if answers else (),
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

    def smoke(self, mode: str, *, progress: Callable[[int], None], **options: Any) -> SmokeReport:
        self._act("smoke", mode, options)
        progress(options["count"])
        return self.smoke_reports[mode]

    def dump(self, directory: Path) -> Path:
        self._act("dump", directory)
        directory.mkdir()
        (directory / "README.txt").write_text("what is what")
        return directory

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
        self.facts = Facts(memory_available_bytes=8 * GIGABYTE, memory_total_bytes=16 * GIGABYTE)
        self.dumped: list[str] = []
        self.examined: list[dict[str, Any]] = []
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
            name: SavedLab(
                spec=lab.spec,
                runtime=lab.runtime.name,
                created="2026-01-01T00:00:00+00:00",
                complete=lab.complete,
            )
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

    def dump_failure(self, lab: FakeLab, report: Report) -> None:
        self.dumped.append(lab.spec.name)

    def examine(self, **wanted: Any) -> Examination:
        self.examined.append(wanted)
        return judge(self.facts, runtime=wanted["runtime"], nodes=wanted["nodes"])

    def last_digest(self, name: str) -> str:
        return self.digests.get(name, "")

    def remember_digest(self, name: str, digest: str) -> None:
        self.digests[name] = digest


def elsewhere(name: str, directory: str = "/somewhere/.lab") -> FoundLab:
    """A lab of somebody else."""
    return FoundLab(lab_id=f"{name}-bbbbbb", runtime="docker", directory=Path(directory) / name, running={"alice"})
