"""What a verb would do, without doing it: the same planning, on a copy of what is noted, with hands that only say.

Nodes are asked who they are connected with, and the kernel what it can do, if nobody knows yet; nothing is changed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from node.control.gen import control_pb2 as pb
from orchestrator.docker_runtime import DockerRuntime
from orchestrator.faults.apply import HELPER_ROLE, Hands
from orchestrator.faults.control import Faults
from orchestrator.faults.model import Conditions
from orchestrator.faults.store import FaultState, FaultStore, state_from_json, state_to_json
from orchestrator.faults.wanted import Edge, NodeFaults, Step

if TYPE_CHECKING:
    from orchestrator.lab import Lab


class Rehearsal(Faults):
    """Of one verb."""

    def __init__(self, lab: Lab) -> None:
        """What the lab has noted of its faults is read once."""
        store = FaultStore(lab.state.directory)
        state = store.load()
        self._saying = SayingHands(lab, state)
        super().__init__(lab, store=CopiedStore(store, state), hands=self._saying)

    @property
    def lines(self) -> list[str]:
        """What would be done, node by node, as lines for people."""
        order = {name: index for index, name in enumerate(self._lab.spec.node_names)}
        peers: dict[tuple[str, str], set[str]] = {}
        for where, what, peer in self._saying.said:
            peers.setdefault((where, what), set()).add(peer)
        lines = sorted(peers.items(), key=lambda one: order.get(one[0][0], len(order)))
        return [f"{where}: {what} {', '.join(sorted(names))}".rstrip() for (where, what), names in lines]


class SayingHands(Hands):
    """Say what they are to do."""

    def __init__(self, lab: Lab, before: FaultState) -> None:
        super().__init__(lab)
        self._before = before
        self.said: list[tuple[str, str, str]] = []
        """Node or helper, what is done to it, and a peer if that is about one."""

    def do(self, step: Step) -> None:
        was = self._before.actual.get(step.node, NodeFaults())
        self.said += [(step.node, line, "") for line in describe(step, was, blocking_shapes=self.blocking_shapes)]

    def look(self, name: str, mute: Collection[str] = ()) -> list[pb.LinkState]:
        return self.connections(name)

    def sever(self, edge: Edge) -> None:
        self.said.append((edge[0], "is disconnected from", edge[1]))

    def join(self, edge: Edge) -> None:
        self.said.append((edge[0], "is connected again with", edge[1]))

    def start(self, name: str) -> None:
        self.said.append((name, "is started", ""))

    def remove_helpers(self) -> list[str]:
        runtime = self._lab.runtime
        left = runtime.remove_helpers(HELPER_ROLE, only_look=True) if isinstance(runtime, DockerRuntime) else []
        self.said += [(helper, "is removed", "") for helper in left]
        return left


class CopiedStore(FaultStore):
    """Keeps what is saved to itself."""

    def __init__(self, store: FaultStore, state: FaultState) -> None:
        super().__init__(store.path.parent)
        self._text = json.dumps(state_to_json(state)) if store.exists() else ""

    def exists(self) -> bool:
        return bool(self._text)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        yield

    def load(self) -> FaultState:
        return state_from_json(json.loads(self._text)) if self._text else FaultState()

    def save(self, state: FaultState) -> None:
        self._text = "" if state.clean else json.dumps(state_to_json(state))


def describe(step: Step, was: NodeFaults, *, blocking_shapes: bool) -> list[str]:
    """What a step is, in lines without the node's name.

    Args:
        was: what the node did before, as far as that is known.
        blocking_shapes: the shaper blocks too, so there are no routes.
    """
    will = step.wanted
    if step.action in ("pause", "unpause"):
        return ["is frozen" if step.action == "pause" else "goes on"]
    if step.action == "shape":
        lines = [f"shaper: blocked to {', '.join(sorted(will.blocked))}"] if will.blocked and blocking_shapes else []
        return [*lines, *_by_conditions("shaper", will.shaped)] or ["its shaper lets everything pass"]
    same = will.blocked == was.blocked and dict(will.traffic) == dict(was.traffic)  # so it is not known
    lines = []
    if same or will.blocked != was.blocked:
        lines.append(f"blackhole routes to {', '.join(sorted(will.blocked)) or 'nobody'}")
    if same or dict(will.traffic) != dict(was.traffic):
        lines += _by_conditions("tc", will.traffic) or ["tc: nothing to anybody"]
    return lines


def _by_conditions(how: str, conditions: Mapping[str, Conditions]) -> list[str]:
    peers: dict[str, list[str]] = {}
    for peer, one in sorted(conditions.items()):
        peers.setdefault(str(one), []).append(peer)
    return [f"{how}: {text} to {', '.join(names)}" for text, names in peers.items()]
