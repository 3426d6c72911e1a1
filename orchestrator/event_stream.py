"""The events of many nodes as one stream in time order: which to take, how to merge, how to go on without a node."""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.control.client import ControlError, Feed, Position
from node.events import EventFilter, Kind, NodeEvent
from orchestrator.errors import LabFileError
from orchestrator.names import did_you_mean
from orchestrator.readiness import refuses_token

if TYPE_CHECKING:
    from orchestrator.node_handle import NodeHandle

REORDER_S = 0.15
"""How long an event waits for earlier ones of other nodes; they take a few ms to come here."""
RETRY_S = 0.25
"""Between two attempts to reach a node that went away."""
PATIENCE_S = 1.0
"""For how long nothing is said of a node that does not answer: on a busy machine it may take several attempts."""
POLL_S = 0.05
"""How long Ctrl-C may wait for our attention."""
JOIN_S = 2.0
"""For threads to notice that their stream was ended."""
ANY_CODE = "*"
UNTOLD_PROTOCOL = "p2p"
"""Its messages (hello, ping, disconnect) belong to no protocol of the node, which therefore does not tell of them."""
FOLLOWED, BACK, AWAY = "is followed", "is back", "does not answer, and is waited for"
RESTARTED = "is back, after a restart"
NO_MESSAGES = "tells no messages of the time between: it does not remember them"
NEVER = Position(0.0, 0)
"""Of no run of a node: from there on everything is new."""
NO_EVENTS = "is a reference node and tells no events"


@dataclass(frozen=True, slots=True)
class Told:
    """An event and the name of the node whose it is."""

    node: str
    event: NodeEvent


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a node's stream, for people: it began, it ended."""

    node: str
    text: str


# -- what to take


def parse_filters(texts: Iterable[str]) -> dict[str, frozenset[int] | None]:
    """Message codes by protocol, None for all of one: ``pss``, ``pss:*``, ``bzz:0,1``; several widen each other.

    Raises:
        LabFileError: of another form, or of a protocol whose messages nodes do not tell.
    """
    wanted: dict[str, frozenset[int] | None] = {}
    for text in texts:
        protocol, colon, codes = text.strip().partition(":")
        words = codes.split(",")
        if not protocol or (
            colon and codes != ANY_CODE and not all(word.isascii() and word.isdigit() for word in words)
        ):
            raise _wrong_filter(text)
        if protocol == UNTOLD_PROTOCOL:
            raise LabFileError(
                f"filter {text[:60]!r}: nodes do not tell of the messages of devp2p itself, hello, ping and disconnect",
                hint="connections that begin and end: --kind add,drop,dial,dialfailed",
            )
        known = wanted.get(protocol, frozenset())
        if not colon or codes == ANY_CODE or known is None:
            wanted[protocol] = None
        else:
            wanted[protocol] = known | frozenset(map(int, words))
    return wanted


def _wrong_filter(text: str) -> LabFileError:
    return LabFileError(f"filter {text[:60]!r}: expected PROTOCOL or PROTOCOL:CODES, such as pss or bzz:0,1")


def parse_kinds(texts: Sequence[str]) -> list[Kind]:
    """Kinds of events: their names, or the part before the dot for several: ``pss``.

    Raises:
        LabFileError: there are none of that name.
    """
    chosen: list[Kind] = []
    for word in ",".join(texts).split(",") if texts else ():
        text = word.strip()
        found = [kind for kind in Kind if kind == text or kind.startswith(f"{text}.")]
        if not found:
            hint = did_you_mean(text, Kind) or "kinds: " + ", ".join(Kind)
            raise LabFileError(f"no event of kind {text[:40]!r}", hint=hint)
        chosen += [kind for kind in found if kind not in chosen]
    return chosen


# -- time order


class Merger:
    """Puts events of many nodes into one order by time, each held back for a moment.

    Those of one node stay in the order in which the node told them, whatever its clock says.
    """

    def __init__(self, hold_s: float = REORDER_S) -> None:
        self._hold_s = hold_s
        self._heap: list[tuple[float, int, float, Told]] = []
        self._latest: dict[str, float] = {}
        self._count = 0

    def add(self, told: Told, *, now: float) -> None:
        """Take an event that came at `now`, in seconds of any clock."""
        at = max(told.event.wall_s, self._latest.get(told.node, 0.0))
        self._latest[told.node] = at
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, now, told))

    def ready(self, *, now: float) -> Iterator[Told]:
        """Those that waited long enough, and what is earlier than they."""
        due = max((at for at, _, came, _ in self._heap if came + self._hold_s <= now), default=None)
        while due is not None and self._heap and self._heap[0][0] <= due:
            yield heapq.heappop(self._heap)[3]

    def rest(self) -> Iterator[Told]:
        """All that are left."""
        while self._heap:
            yield heapq.heappop(self._heap)[3]


def merge(told: Iterable[Told]) -> list[Told]:
    """All events of a list in time order."""
    merger = Merger()
    for one in sorted(told, key=lambda one: (one.node, one.event.wall_s, one.event.seq)):
        merger.add(one, now=0.0)
    return list(merger.rest())


# -- following


class Follower:
    """Follows the events of several nodes; use as a context, so that nothing stays when it ends.

    A node that goes away is tried again until it is back; what it remembers of the time between comes late.
    """

    def __init__(
        self, nodes: Sequence[NodeHandle], only: EventFilter, *, seen: Mapping[str, Position] | None = None
    ) -> None:
        """Nothing is asked yet.

        Args:
            only: the events to follow.
            seen: by node, up to where its events are known; what it remembers of later ones comes first.
        """
        self._nodes, self._only = nodes, only
        self._seen = dict(seen or {})
        self._queue: queue.Queue[Told | Notice | ControlError] = queue.Queue()
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(node,), name=f"events of {node.name}", daemon=True)
            for node in nodes
        ]

    def __enter__(self) -> Follower:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for node in self._nodes:
            node.close()  # ends its stream
        deadline = time.monotonic() + JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def __iter__(self) -> Iterator[Told | Notice]:
        """Events in time order and notices at once, without end.

        Raises:
            ControlError: a node refuses our token.
        """
        merger = Merger()
        while True:
            try:
                item = self._queue.get(timeout=POLL_S)
            except queue.Empty:
                pass
            else:
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, Told):
                    merger.add(item, now=time.monotonic())
                else:
                    yield item
            yield from merger.ready(now=time.monotonic())

    def _read(self, node: NodeHandle) -> None:
        if node.spec.reference is not None:
            self._queue.put(Notice(node.name, NO_EVENTS))
            return
        began_s = time.time()
        since = self._seen.get(node.name)
        lost_at, told_away, begun = None, False, False
        while not self._ending.is_set():
            feed = None
            try:
                with node.control.follow(self._only, since=since) as feed:
                    for text in self._on_return(feed, told_away) if begun else [FOLLOWED]:
                        self._queue.put(Notice(node.name, text))
                    # A node that answers late tells what we would have heard of, had it answered at once.
                    self._take(node.name, feed, earliest_s=began_s if since == NEVER else 0.0)
                reason = "its events ended"
            except ControlError as error:
                if refuses_token(error):
                    self._queue.put(error)
                    return
                reason = error.details or error.code.name.lower()
            except ValueError:  # gRPC, of a channel that was closed meanwhile
                return
            if feed is not None:
                since, lost_at, told_away, begun = feed.position, None, False, True
            since = since or NEVER
            lost_at = lost_at or time.monotonic()
            if not told_away and time.monotonic() - lost_at > PATIENCE_S and not self._ending.is_set():
                told_away = True
                self._queue.put(Notice(node.name, f"{AWAY}: {reason}"))
            self._ending.wait(RETRY_S)

    def _on_return(self, feed: Feed, told_away: bool) -> Iterator[str]:
        """What is to be said of a node that was away."""
        if feed.restarted or told_away:
            yield RESTARTED if feed.restarted else BACK
        if feed.forgotten:
            yield f"up to {feed.forgotten} of its events are lost: it has forgotten them"
        if self._only.wants_messages:
            yield NO_MESSAGES

    def _take(self, name: str, feed: Feed, *, earliest_s: float) -> None:
        remembered, lost = feed.position.seq, 0
        for event in feed:
            if feed.lost > lost:
                self._queue.put(
                    Notice(name, f"{feed.lost - lost} of its events are lost: they came faster than they were read")
                )
                lost = feed.lost
            if event.seq > remembered or event.wall_s > earliest_s:
                self._queue.put(Told(name, event))
