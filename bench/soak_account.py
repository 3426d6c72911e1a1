"""The strict account of a soak: which messages had to arrive, and which did. Pure: times and tables are arguments.

**A message must arrive, exactly once and in time, if its path was up.** Its path was up if, at every moment of its
window (from GUARD_S before it was handed to the sender until DEADLINE_S after the sender took it):

1. sender and receiver were up: not killed, not stopped, and introduced to the others since their last start;
2. there was a route: starting at the sender, each node's next hop is the receiver if they are connected, otherwise any
   of those connected peers that have the highest proximity order to the receiver, which must be higher than the node's
   own (which one it is depends on use counts, so all count); every way through them ends at the receiver;
3. every hop of every such way is a connection that both its ends have in their tables, between nodes that were up;
4. the route was the same at all moments: no table of a node on it changed so that there are other next hops.

Whether the message arrived plays no part in it, and neither do nodes and connections that are not on the route: a kill
elsewhere excuses nothing. All other messages are counted apart by what they lacked. *Twice* means: twice to the same
incarnation of the receiver; that is a failure for every message, whether its path was up or not.

Tables are known from what nodes report when it happens (events kad.on and kad.off with their times), deaths from the
moment before the signal is sent. Times are Unix seconds of clocks that agree to a fraction of GUARD_S.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from node.ids import OverlayAddress
from node.swarm.proximity import proximity_order

GUARD_S = 0.5
"""A connection counts from so long after both tables show it: pss starts on it at about the same time as hive."""
DEADLINE_S = 5.0
"""For a message to arrive. It takes milliseconds; a busy machine may take longer."""

Route = Mapping[str, frozenset[str]]
"""Next hops by node, from the sender to the receiver, which has none."""

SENDER_DOWN, RECEIVER_DOWN = (
    "sender killed, stopped or not introduced yet",
    "receiver killed, stopped or not introduced yet",
)
NO_ROUTE, ROUTE_CHANGED = "no route when it was sent", "route changed on the way"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A message's path during its window.

    Attributes:
        lacks: why it was not up; "" if it was.
        nodes: how many nodes the route may touch, both ends included.
    """

    lacks: str = ""
    nodes: int = 0


class Timeline:
    """Which nodes were up and whom they were connected with, at any time. Thread-safe."""

    def __init__(self, overlays: Mapping[str, OverlayAddress]) -> None:
        self._overlays = dict(overlays)
        self._names = {overlay: name for name, overlay in overlays.items()}
        self._times: dict[str, list[float]] = {name: [] for name in overlays}
        self._tables: dict[str, list[frozenset[str] | None]] = {name: [] for name in overlays}
        self._up: dict[str, list[tuple[float, bool]]] = {name: [(0.0, False)] for name in overlays}
        self._incarnation = dict.fromkeys(overlays, 0)
        self._lock = threading.Lock()

    def incarnation(self, name: str) -> int:
        """How often a node went down."""
        return self._incarnation[name]

    def down(self, name: str, at: float) -> None:
        """A node is about to be ended; what its old self may still report does not count."""
        with self._lock:
            self._incarnation[name] += 1
            self._change(name, at, None)
            self._up[name].append((at, False))

    def introduced(self, name: str, at: float) -> None:
        """From now on a node takes part: it can be written to, and what it gets is seen."""
        with self._lock:
            self._up[name].append((at, True))

    def table(self, name: str, incarnation: int, overlay: bytes, at: float, *, on: bool) -> None:
        """A peer entered or left the live table of a node."""
        with self._lock:
            if incarnation != self._incarnation[name]:
                return
            peer = self._names.get(OverlayAddress(overlay))
            if peer is not None:
                now = (self._tables[name][-1] if self._tables[name] else None) or frozenset()
                self._change(name, at, now | {peer} if on else now - {peer})

    def _change(self, name: str, at: float, table: frozenset[str] | None) -> None:
        times = self._times[name]
        # A clock that was set back must not turn the order around.
        times.append(max(at, times[-1]) if times else at)
        self._tables[name].append(table)

    def path(self, sender: str, receiver: str, begin: float, end: float) -> Path:
        """Whether the path of a message was up between two moments."""
        with self._lock:
            if not self._was_up(sender, begin, end):
                return Path(lacks=SENDER_DOWN)
            if not self._was_up(receiver, begin, end):
                return Path(lacks=RECEIVER_DOWN)
            route = self._route(sender, receiver, begin)
            if route is None:
                return Path(lacks=NO_ROUTE)
            moments = {at for name in route for at in self._times[name] if begin < at <= end}
            if any(self._route(sender, receiver, at) != route for at in moments):
                return Path(lacks=ROUTE_CHANGED)
            return Path(nodes=len(route))

    def _was_up(self, name: str, begin: float, end: float) -> bool:
        states = self._up[name]
        last = max(index for index, (at, _) in enumerate(states) if at <= begin)
        return all(up for at, up in states[last:] if at <= end)

    def _table_at(self, name: str, at: float) -> frozenset[str] | None:
        """Connected peers; None for a node that is down."""
        index = bisect_right(self._times[name], at)
        return self._tables[name][index - 1] if index else None

    def _route(self, sender: str, receiver: str, at: float) -> Route | None:
        """The route at one moment; None if there is none."""
        route: dict[str, frozenset[str]] = {}
        waiting = [sender]
        while waiting:
            node = waiting.pop()
            if node in route:
                continue
            table = self._table_at(node, at)
            if table is None:
                return None
            route[node] = frozenset() if node == receiver else self._next_hops(node, table, receiver)
            if node != receiver and not route[node]:
                return None
            for hop in route[node]:
                if node not in (self._table_at(hop, at) or ()):
                    return None
                waiting.append(hop)
        return route

    def _next_hops(self, node: str, table: frozenset[str], receiver: str) -> frozenset[str]:
        if receiver in table:
            return frozenset({receiver})
        target = self._overlays[receiver]
        orders = {peer: proximity_order(self._overlays[peer], target) for peer in table}
        nearest = max(orders.values(), default=0)
        if nearest <= proximity_order(self._overlays[node], target):
            return frozenset()
        return frozenset(peer for peer, order in orders.items() if order == nearest)


@dataclass(slots=True, kw_only=True)
class Message:
    """One message and what became of it; times are Unix seconds."""

    number: int
    sender: str
    receiver: str
    mode: str
    sent_at: float
    taken_at: float = 0.0
    """When the sender had accepted it; 0 if it did not."""
    refusal: str = ""
    digest: bytes = b""
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    """When, and to which incarnation of the receiver."""

    @property
    def in_time(self) -> bool:
        return any(at <= (self.taken_at or self.sent_at) + DEADLINE_S for at, _ in self.arrivals)

    @property
    def duplicates(self) -> int:
        return len(self.arrivals) - len({incarnation for _, incarnation in self.arrivals})

    def __str__(self) -> str:
        what = self.refusal or ("late" if self.arrivals else "lost")
        return f"{self.mode} message {self.number} {self.sender} -> {self.receiver}, sent at {self.sent_at:.3f}: {what}"


class Account:
    """All messages of a soak. Thread-safe."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._open: dict[int, Message] = {}
        """By number: not judged yet."""
        self._judged: dict[int, Message] = {}
        self._lock = threading.Lock()
        self.deliverable = 0
        """Messages whose path was up."""
        self.relayed = 0
        """Those of them that had to pass through other nodes."""
        self.failures: list[Message] = []
        """Those of them that did not arrive in time."""
        self.apart: dict[str, list[int]] = {}
        """Messages whose path was not up: by what it lacked, how many, and how many of them arrived all the same."""
        self.strays: list[str] = []
        """Arrivals of what was never sent, or not to this node."""
        self.broken: list[str] = []
        """Messages that the soak itself failed to send: they may be missing in all other figures."""
        self.latencies_s: list[float] = []
        """Of the messages whose path was up, from handing them to the sender."""

    @property
    def sent(self) -> int:
        return len(self._open) + len(self._judged)

    @property
    def duplicates(self) -> list[Message]:
        with self._lock:
            return [message for message in [*self._judged.values(), *self._open.values()] if message.duplicates]

    def add(self, message: Message) -> None:
        """Know of a message before it is handed over."""
        with self._lock:
            self._open[message.number] = message

    def broke(self, what: str) -> None:
        """A message was to be sent, and this program failed to."""
        with self._lock:
            self.broken.append(what)

    def arrived(self, number: int, node: str, incarnation: int, at: float) -> None:
        """A message came to a node."""
        with self._lock:
            message = self._open.get(number) or self._judged.get(number)
            if message is None or message.receiver != node:
                self.strays.append(f"message {number} at {node}")
                return
            message.arrivals.append((at, incarnation))

    def judge(self, now: float) -> list[Message]:
        """Decide about all messages whose window is over; the failures among them."""
        with self._lock:
            due = [m for m in self._open.values() if (m.taken_at or m.sent_at) + DEADLINE_S + GUARD_S < now]
            failed = []
            for message in due:
                del self._open[message.number]
                self._judged[message.number] = message
                if not self._judge(message):
                    failed.append(message)
            self.failures += failed
            return failed

    def _judge(self, message: Message) -> bool:
        """Whether a message arrived or did not have to."""
        begin, end = message.sent_at - GUARD_S, (message.taken_at or message.sent_at) + DEADLINE_S
        path = self._timeline.path(message.sender, message.receiver, begin, end)
        if path.lacks:
            counts = self.apart.setdefault(path.lacks, [0, 0])
            counts[0] += 1
            counts[1] += bool(message.arrivals)
            return True
        self.deliverable += 1
        self.relayed += path.nodes > 2
        if not message.in_time:
            return False
        self.latencies_s.append(message.arrivals[0][0] - message.sent_at)
        return True
