"""A running lab: the one object with state. Everything is synchronous outside and concurrent inside::

with Lab.up("line3") as lab:
    delivery = lab.send("alice", "bob", b"hello")
    print(delivery.journey)
"""

from __future__ import annotations

import dataclasses
import datetime
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from node.control.client import ControlError
from node.control.gen import control_pb2 as pb
from orchestrator import delivery, identity, observe, recovery
from orchestrator.dump import write_dump
from orchestrator.errors import DeliveryFailed, LabFileError, LabNotFound, LabNotReady
from orchestrator.faults.control import Faults
from orchestrator.faults.verbs import FaultVerbs
from orchestrator.node_handle import NodeHandle
from orchestrator.play import play
from orchestrator.process_runtime import ProcessRuntime
from orchestrator.readiness import missing, no_answer, refuses_token, wait_until_ready
from orchestrator.runtime import NodeState, Report, Runtime
from orchestrator.runtimes import open_runtime
from orchestrator.smoke_run import run_smoke
from orchestrator.source import resolve
from orchestrator.spec import LabSpec, Link, NodeSpec
from orchestrator.state import SavedLab, StateDir
from orchestrator.trace import Journey
from orchestrator.verify.run import verify
from orchestrator.waiting_up import wait_until_up

WORKERS = 8
"""Calls to the engine and to nodes at the same time; more only queue up in the engine."""
NODE_UP_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 20.0
DELIVERY_TIMEOUT_S = 10.0

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message that arrived."""

    digest: bytes
    payload: bytes
    seconds: float
    """From handing it to the sender until the receiver told us, control calls included."""
    journey: Journey


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """How one node is."""

    name: str
    state: NodeState
    reasons: list[str]
    """What it lacks to be as it should; empty if nothing."""
    info: pb.NodeInfo | None = None
    peers: Sequence[str] = ()
    """Names of the connected nodes."""
    depth: int = 0


class Lab(FaultVerbs):
    """Use :meth:`up` to start one, :meth:`open` for one that runs."""

    def __init__(self, spec: LabSpec, runtime: Runtime, state: StateDir) -> None:
        self.spec, self.runtime, self.state = spec, runtime, state
        self.adopted = False
        """Whether it ran already when :meth:`up` was called."""
        self.down_at_exit = True
        self._nodes: dict[str, NodeHandle] = {}
        self._pool: Executor = ThreadPoolExecutor(WORKERS, thread_name_prefix=f"lab {spec.name}")
        self._lock = threading.Lock()
        self.faults = Faults(self)

    # -- coming and going

    @classmethod
    def up(
        cls,
        source: LabSpec | str | Path = "default",
        *,
        runtime: str = "auto",
        state_root: Path | None = None,
        port: int = 0,
        report: Report = lambda line: None,
        progress: Callable[[str, int, int], None] = lambda step, done, of: None,
        keep_on_failure: bool = False,
        on_failure: Callable[[Self], None] = lambda lab: None,
    ) -> Self:
        """Start a lab and wait until it is ready; one that runs already is taken as it is.

        Args:
            source: a spec, a lab file, or the name of a stock lab.
            runtime: "docker", "process", or "auto": docker if an engine answers.
            state_root: where labs are remembered; default :func:`orchestrator.state.default_root`.
            port: of the gateway on 127.0.0.1; 0 for any.
            report: gets lines for people.
            progress: gets (step, done, of) while many things happen.
            keep_on_failure: leave a lab that did not come up for inspection.
            on_failure: gets a lab whose nodes did not come up, before it is removed.

        Raises:
            OrchestratorError: one of its subclasses; nothing is left behind unless `keep_on_failure`.
        """
        spec = source if isinstance(source, LabSpec) else resolve(source)
        state = StateDir(spec.name, state_root)
        with state.lock():
            saved = state.load()
            if saved is not None and saved.complete:
                return recovery.adopt(
                    saved, spec, lambda: cls.open(spec.name, state_root=state.root), port=port, report=report
                )
            if saved is not None:
                recovery.clear(saved, state, report)
            else:
                state.clear()  # what a command left that was at it while the lab went
            try:
                lab = cls(spec, open_runtime(runtime, state, port, report), state)
            except BaseException:
                state.remove()
                raise
            if port and isinstance(lab.runtime, ProcessRuntime):
                report("--port means nothing for processes")
            try:
                lab._start(report, progress)
            except BaseException as error:
                if isinstance(error, LabNotReady | ControlError):  # there is something to look at
                    on_failure(lab)
                if keep_on_failure:
                    lab.close()
                else:
                    lab._remove()
                raise
            return lab

    @classmethod
    def open(cls, name: str, *, state_root: Path | None = None) -> Self:
        """A lab that was started before.

        Raises:
            LabNotFound: there is none of that name.
        """
        state = StateDir(name, state_root)
        saved = state.load()
        if saved is None:
            raise LabNotFound(f"no lab {name!r} is running", hint="lab ls; lab up")
        lab = cls(saved.spec, open_runtime(saved.runtime, state, 0, lambda line: None), state)
        lab.adopted, lab.down_at_exit = True, False
        lab.runtime.prepare(saved.spec, lambda line: None)
        return lab

    def _start(self, report: Report, progress: Callable[[str, int, int], None]) -> None:
        saved = SavedLab(
            spec=self.spec,
            runtime=self.runtime.name,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            complete=False,
        )
        self.state.save(saved)
        recovery.remove_leftovers(self.spec.name, self.runtime, report)
        self.runtime.prepare(self.spec, report)
        nodes = self.spec.nodes
        progress("starting nodes", 0, len(nodes))
        self.start_nodes(nodes, lambda n: progress("starting nodes", n, len(nodes)))
        self.connect_links(self.spec.links, lambda n: progress("connecting", n, len(self.spec.links)))
        self.wait_ready(progress=lambda n: progress("waiting for tables", n, len(nodes)))
        self.faults.set_file_conditions()
        self.state.save(dataclasses.replace(saved, spec=self.spec, complete=True))

    def down(self) -> list[str]:
        """Remove everything of the lab; the names of what was removed. Twice is fine."""
        with self.state.lock():
            return self._remove()

    def _remove(self) -> list[str]:
        # What is being created just now must exist before it can be found and removed.
        self._pool.shutdown(wait=True, cancel_futures=True)
        for node in self._nodes.values():
            node.close()
        try:
            removed = self.runtime.down()
            self.state.remove()
            # Another command may have started a node since the first look; without the state nobody does any more.
            removed += self.runtime.down()
        finally:
            self.runtime.close()
        return removed

    def close(self) -> None:
        """Let go of a lab that goes on running."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for node in self._nodes.values():
            node.close()
        self.runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.down_at_exit:
            self.down()
        else:
            self.close()

    # -- nodes

    def __getitem__(self, name: str) -> NodeHandle:
        """A node by its name.

        Raises:
            UnknownNode: there is none of that name.
        """
        spec = self.spec.node(name)
        with self._lock:
            handle = self._nodes.get(name)
            if handle is None:
                handle = self._nodes[name] = NodeHandle(spec, self.runtime.control_address(spec))
            return handle

    def another_handle(self, name: str) -> NodeHandle:
        """A handle of a node for the caller, who closes it."""
        spec = self.spec.node(name)
        return NodeHandle(spec, self.runtime.control_address(spec))

    @property
    def nodes(self) -> list[NodeHandle]:
        return [self[name] for name in self.spec.node_names]

    @property
    def running(self) -> set[str]:
        """Names of the nodes that run, as the runtime says."""
        return {name for name, state in self.runtime.node_states().items() if state is NodeState.RUNNING}

    def start(self, name: str) -> None:
        """Start a node that was stopped, and connect it as the lab wants it."""
        self._start_one(self.spec.node(name))
        running = self.running
        links = [link for link in self.spec.links if name in (link.a, link.b) and {link.a, link.b} <= running]
        self.connect_links(self.faults.open_links(links))

    def start_nodes(self, nodes: Sequence[NodeSpec], progress: Callable[[int], None] = lambda done: None) -> None:
        """Start several nodes at once and wait until they answer; their links are not made.

        Raises:
            LabNotReady: one does not come up.
        """
        self._each(nodes, self._start_one, progress)

    def wait_until_up(self, nodes: Sequence[NodeSpec]) -> None:
        """Wait until nodes that run answer.

        Raises:
            LabNotReady: one does not.
        """
        self._each(nodes, self._wait_up)

    def stop(self, name: str) -> None:
        """Stop a node with SIGTERM."""
        self.runtime.stop_node(self.spec.node(name))

    def kill(self, name: str) -> None:
        """Kill a node with SIGKILL."""
        self.runtime.stop_node(self.spec.node(name), kill=True)

    def connect(self, a: str, b: str) -> None:
        """Let node `a` dial node `b`; returns when both are connected and shook hands.

        Raises:
            LabNotReady: not in time, with the reason.
        """
        try:
            self[a].control.connect(self[b].info.enode, wait_s=CONNECT_TIMEOUT_S)
        except ControlError as error:
            raise LabNotReady(f"connecting {a} to {b}: {error.details}") from None

    def connect_links(self, links: Iterable[Link], progress: Callable[[int], None] = lambda done: None) -> None:
        """Connect several pairs at once, as :meth:`connect`."""
        self._each(list(links), lambda link: self.connect(link.a, link.b), progress)

    def disconnect(self, a: str, b: str) -> None:
        """Take a connection down on both sides, so that neither dials again."""
        self[a].control.disconnect(self[b].id, wait_s=CONNECT_TIMEOUT_S)
        self[b].control.disconnect(self[a].id, wait_s=CONNECT_TIMEOUT_S)

    def wait_ready(
        self, *, timeout_s: float | None = None, progress: Callable[[int], None] = lambda ready: None
    ) -> None:
        """Wait until every node is connected as planned and its table is what the oracle says.

        Raises:
            LabNotReady: not in time; says what is missing.
        """
        wait_until_ready(
            self.spec,
            {node.name: node for node in self.nodes},
            self._pool,
            timeout_s=timeout_s if timeout_s is not None else self.spec.ready_timeout_s,
            progress=progress,
        )

    def status(self) -> list[NodeStatus]:
        """How every node is."""
        states = self.runtime.node_states()
        names = {node.id: node.name for node in self.spec.nodes}

        def one(node: NodeHandle) -> NodeStatus:
            state = states.get(node.name, NodeState.MISSING)
            if state is not NodeState.RUNNING:
                return NodeStatus(name=node.name, state=state, reasons=[f"{node.name} is {state}"])
            try:
                info, peers, table = node.info, node.control.peers(), node.control.kademlia()
            except ControlError as error:
                return NodeStatus(name=node.name, state=state, reasons=[no_answer(node, error)])
            return NodeStatus(
                name=node.name,
                state=state,
                reasons=missing(self.spec, node),
                info=info,
                peers=[names.get(peer.node_id, peer.node_id.hex()[:8]) for peer in peers],  # type: ignore[call-overload]
                depth=table.depth,
            )

        return list(self._pool.map(one, self.nodes))

    # -- messages

    def send(
        self, sender: str, receiver: str, payload: bytes, *, mode: str = "asym", timeout_s: float = DELIVERY_TIMEOUT_S
    ) -> Delivery:
        """Send one pss message and wait until it is there.

        Args:
            mode: "asym", "sym" or "raw".

        Raises:
            LabFileError: there is no such mode, or sender and receiver are the same.
            DeliveryFailed: not in time; says how far it came.
        """
        if sender == receiver:
            raise LabFileError(f"sender and receiver are the same node: {sender}")
        arrived = delivery.deliver(self[sender], self[receiver], payload, mode=mode, timeout_s=timeout_s)
        reached = () if arrived.payload is None else (receiver,)
        journey = observe.trace(self, arrived.digest, sender=sender, arrived=reached)
        if arrived.payload is None:
            text, hint = observe.why_not(journey)
            text = f"{receiver} did not get the message from {sender} within {timeout_s:g} s; {text}"
            raise DeliveryFailed(text, digest=arrived.digest, hint=hint)
        return Delivery(digest=arrived.digest, payload=arrived.payload, seconds=arrived.seconds, journey=journey)

    def trace(self, digest: bytes, *, arrived: Collection[str] = ()) -> Journey:
        """The journey of a message, as far as the nodes that run remember it, beside the ideal one.

        Args:
            arrived: nodes of kind reference that are known to have had it; they report nothing themselves.
        """
        return observe.trace(self, digest, arrived=arrived)

    smoke = run_smoke
    play = play
    verify = verify
    dump = write_dump

    def ask(self, question: Callable[[NodeHandle], T], names: Collection[str] | None = None) -> dict[str, T]:
        """Ask nodes something at once: answers by name, without those of nodes that do not answer.

        Args:
            names: of whom to ask; by default all nodes that run.

        Raises:
            ControlError: one refuses our token.
        """

        def one(node: NodeHandle) -> list[tuple[str, T]]:
            try:
                return [(node.name, observe.patiently(question, node))]
            except ControlError as error:
                if refuses_token(error):
                    raise
                return []

        asked = [self[name] for name in (self.running if names is None else names)]
        return dict(pair for pairs in self._pool.map(one, asked) for pair in pairs)

    # -- inside

    def _start_one(self, node: NodeSpec) -> None:
        with recovery.unless_gone(self):
            self.runtime.start_node(node)
            info = self._wait_up(node)
            if isinstance(self.runtime, ProcessRuntime):
                self.runtime.remember_port(node, int(info.enode.partition("?")[0].rpartition(":")[2]))
            self.faults.node_started(node.name)

    def _wait_up(self, node: NodeSpec) -> pb.NodeInfo:
        """Wait until a node answers.

        Raises:
            LabNotReady: not in time, with what it last said.
        """
        info = wait_until_up(self[node.name], self.runtime, NODE_UP_TIMEOUT_S)
        if node.reference is not None:
            self._learn(identity.of_reference(node, info))
        return info

    def _learn(self, node: NodeSpec) -> None:
        """Take over who a node says it is; nothing happens where that is known."""
        with self._lock:
            if node == self.spec.node(node.name):
                return
            nodes = tuple(node if known.name == node.name else known for known in self.spec.nodes)
            self.spec = dataclasses.replace(self.spec, nodes=nodes)
            if (handle := self._nodes.get(node.name)) is not None:
                handle.spec = node
            if (saved := self.state.load()) is not None:
                self.state.save(dataclasses.replace(saved, spec=self.spec))

    def _each(
        self,
        items: Sequence[T],
        act: Callable[[T], object],
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Do something with all items at once; the first failure is raised when none runs any more."""
        futures = [self._pool.submit(act, item) for item in items]
        done = 0
        try:
            for future in futures:
                future.result()
                done += 1
                progress(done)
        finally:
            for future in futures:
                future.cancel()
