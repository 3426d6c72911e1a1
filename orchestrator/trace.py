"""Joins what the nodes say of one pss message, by its digest, into its journey.

Every event tells half of a hop; the other half may be missing, and clocks of different machines disagree. Order inside
a node is taken from its sequence numbers, order between nodes from who heard it from whom. Clocks only say how long
things took, and what they claim impossibly is clamped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from math import inf

from node.events import Kind, NodeEvent
from orchestrator.journey import SHORT_HEX_DIGITS, Attempt, Hop, Journey, Note, Outcome, Why, format_journey

__all__ = ["Journey", "format_journey", "join_events"]

ARRIVALS = {
    Kind.PSS_RECEIVED: Outcome.AGAIN,
    Kind.PSS_DUPLICATE: Outcome.DUPLICATE,
    Kind.PSS_DROPPED: Outcome.DROPPED,
}
"""A node says exactly one of these, with the peer it came from, for each message that arrives."""
MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Flight:
    """Both ends of one message on one link, as far as they are known."""

    sender: str
    receiver: str
    departure: NodeEvent | None
    arrival: NodeEvent | None

    @property
    def order(self) -> tuple[float, float]:
        """What the flights of one sender are sorted by."""
        return (
            self.departure.seq if self.departure else inf,
            self.arrival.wall_s if self.arrival else inf,
        )

    @property
    def told_s(self) -> float:
        """When somebody first spoke of it."""
        return min(event.wall_s for event in (self.departure, self.arrival) if event)


def join_events(
    digest: str,
    events: Iterable[tuple[str, NodeEvent]],
    names: Mapping[str, str],
    *,
    silent: Collection[str] = (),
    arrived: Collection[str] = (),
) -> Journey:
    """Join what the nodes say of one message.

    Args:
        digest: of the message, 64 hex digits; events of other messages are ignored.
        events: with the name of the node that said it, in any order; the same one several times does no harm.
        names: of nodes by node ID in hex; a peer that is not there is shown by the beginning of its ID.
        silent: names of nodes that report nothing. One that somebody had the message from had it, from whoever sent
            it there first.
        arrived: those of them that are known to have had it for another reason.
    """
    told = {(name, event.seq, event.wall_s): event for name, event in events if event.digest == digest}
    by_node: dict[str, list[NodeEvent]] = {}
    for (name, _, _), event in sorted(told.items(), key=lambda item: item[0][:2]):
        by_node.setdefault(name, []).append(event)
    return _Joiner(digest, by_node, names, silent, arrived).journey()


class _Joiner:
    """Builds one journey from the events of its message, by node and in each node's order."""

    def __init__(
        self,
        digest: str,
        by_node: Mapping[str, list[NodeEvent]],
        names: Mapping[str, str],
        silent: Collection[str],
        arrived: Collection[str],
    ) -> None:
        self._digest, self._by_node, self._names = digest, by_node, names
        self._silent = tuple(sorted(silent))
        sent = [(event.wall_s, name) for name, event in self._all(Kind.PSS_SENT)]
        self._origin = min(sent)[1] if sent else ""
        everything = [event.wall_s for events in by_node.values() for event in events]
        self._started_s = min(sent)[0] if sent else min(everything, default=0.0)
        self._had_ms = {self._origin: 0.0}
        """When each node had the message first."""
        self._flights = self._pair_up()
        self._first = self._first_arrivals()
        self._presumed = {name for name in self._silent if name in arrived or name in self._flights}
        """Silent nodes that had it, though they do not say from whom; each is taken out when it is known."""

    def journey(self) -> Journey:
        hops = tuple(self._walk_all())
        sent = next((event for event in self._by_node.get(self._origin, ()) if event.kind is Kind.PSS_SENT), None)
        anybody = [event for events in self._by_node.values() for event in events]
        drops = [(name, event) for name, event in self._all(Kind.PSS_DROPPED) if not event.peer]
        return Journey(
            digest=self._digest,
            origin=self._origin,
            mode=next((str(event.data["mode"]) for event in anybody if _names_encryption(event)), ""),
            to=next((str(event.data["to"]) for event in anybody if "to" in event.data), None),
            size=sent.size if sent else None,
            started_s=self._started_s,
            hops=hops,
            deliveries=self._notes(self._all(Kind.PSS_DELIVERED)),
            drops=self._notes(drops),
            queued=self._notes(self._all(Kind.PSS_QUEUED)),
            silent=self._silent,
            attempts=self._attempts(),
        )

    # -- putting the two ends together

    def _pair_up(self) -> dict[str, list[_Flight]]:
        """Flights by sender, in the order in which it sent them."""
        departures: dict[tuple[str, str], list[NodeEvent]] = {}
        arrivals: dict[tuple[str, str], list[NodeEvent]] = {}
        for name, events in self._by_node.items():
            for event in events:
                if event.kind is Kind.PSS_FORWARDED:
                    departures.setdefault((name, self._name(event.peer)), []).append(event)
                elif event.kind in ARRIVALS and event.peer:
                    arrivals.setdefault((self._name(event.peer), name), []).append(event)
        flights: dict[str, list[_Flight]] = {}
        for sender, receiver in dict.fromkeys([*departures, *arrivals]):
            link = (sender, receiver)
            for departure, arrival in zip_longest(departures.get(link, ()), arrivals.get(link, ())):
                flight = _Flight(sender=sender, receiver=receiver, departure=departure, arrival=arrival)
                flights.setdefault(sender, []).append(flight)
        return {sender: sorted(found, key=lambda flight: flight.order) for sender, found in flights.items()}

    def _first_arrivals(self) -> dict[str, NodeEvent]:
        """By which event each node but the origin first had the message."""
        first: dict[str, NodeEvent] = {}
        for name, event in self._all(Kind.PSS_RECEIVED):
            if name != self._origin and event.peer:
                first.setdefault(name, event)
        return first

    # -- the tree

    def _walk_all(self) -> list[Hop]:
        """Hops from the origin; then from senders that nothing leads to, because those events are missing."""
        hops: list[Hop] = []
        walked: set[str] = set()
        starts = {sender: min(flight.told_s for flight in flights) for sender, flights in self._flights.items()}
        for root in sorted(starts, key=lambda name: (name != self._origin, name in self._first, starts[name], name)):
            if root not in walked:
                self._had_ms.setdefault(root, self._ms(starts[root]))
                hops += self._walk(root, walked)
        return hops

    def _walk(self, root: str, walked: set[str]) -> list[Hop]:
        hops = []
        walked.add(root)
        self._presumed.discard(root)  # it had it before all others here
        ahead = [(flight, 0) for flight in reversed(self._flights[root])]
        while ahead:
            flight, level = ahead.pop()
            hop = self._hop(flight, level)
            hops.append(hop)
            if hop.outcome is Outcome.FIRST and hop.receiver not in walked:
                walked.add(hop.receiver)
                ahead += [(onward, level + 1) for onward in reversed(self._flights.get(hop.receiver, []))]
        return hops

    def _hop(self, flight: _Flight, level: int) -> Hop:
        had_ms = self._had_ms[flight.sender]
        departure, arrival = flight.departure, flight.arrival
        # When it began there, a silent node does not say.
        unknown = level == 0 and flight.sender in self._silent
        # Nobody can send or receive it before the sender had it, whatever the clocks say.
        arrived_ms = max(self._ms(arrival.wall_s), had_ms) if arrival else None
        sent_ms = max(self._ms(departure.wall_s), had_ms) if departure else None
        if sent_ms is not None and arrived_ms is not None:
            sent_ms = min(sent_ms, arrived_ms)  # "forwarded" is reported after sending, often after the arrival
        outcome = Outcome.UNSEEN if arrival is None else ARRIVALS[arrival.kind]
        if arrival is not None and self._first.get(flight.receiver) is arrival:
            outcome = Outcome.FIRST
            self._had_ms[flight.receiver] = arrived_ms or 0.0
        elif arrival is None and flight.receiver in self._presumed:
            self._presumed.remove(flight.receiver)
            outcome = Outcome.FIRST
            self._had_ms[flight.receiver] = sent_ms or had_ms
        return Hop(
            sender=flight.sender,
            receiver=flight.receiver,
            level=level,
            sent_ms=sent_ms,
            arrived_ms=arrived_ms,
            took_ms=None if arrived_ms is None or unknown else arrived_ms - had_ms,
            outcome=outcome,
            reason=arrival.reason if arrival is not None and outcome is Outcome.DROPPED else "",
            why=_why(departure),
        )

    # -- small things

    def _all(self, kind: Kind) -> list[tuple[str, NodeEvent]]:
        return [(name, event) for name, events in self._by_node.items() for event in events if event.kind is kind]

    def _attempts(self) -> tuple[Attempt, ...]:
        """One of each node: that with which it came furthest, if it had the message several times."""
        best: dict[str, Attempt] = {}
        for name, event in self._all(Kind.PSS_RECEIVED):
            tried, opened = event.data.get("keys_tried"), event.data.get("opened")
            if not isinstance(tried, int) or not isinstance(opened, bool):  # another implementation's node
                continue
            attempt = Attempt(
                node=name, keys_tried=tried, opened=opened, passed_on=str(event.data.get("passed_on", ""))
            )
            known = best.get(name)
            if known is None or (opened, tried) > (known.opened, known.keys_tried):
                best[name] = attempt
        return tuple(best[name] for name in sorted(best))

    def _notes(self, told: Iterable[tuple[str, NodeEvent]]) -> tuple[Note, ...]:
        notes = [
            Note(
                node=name,
                at_ms=max(self._ms(event.wall_s), self._had_ms.get(name, 0.0)),
                text=event.reason or _handlers_text(event),
            )
            for name, event in told
        ]
        return tuple(sorted(notes, key=lambda note: (note.at_ms, note.node)))

    def _ms(self, wall_s: float) -> float:
        return max(0.0, (wall_s - self._started_s) * MS_PER_S)

    def _name(self, peer: str) -> str:
        return self._names.get(peer) or f"{peer[:SHORT_HEX_DIGITS]}…"


def _why(departure: NodeEvent | None) -> Why | None:
    if departure is None:
        return None
    try:
        numbers = {key: int(departure.data[key]) for key in ("po", "own_po", "depth", "threshold")}
        return Why(mode=str(departure.data["mode"]), **numbers)
    except (KeyError, TypeError, ValueError):  # another implementation's node may give no reasons
        return None


def _names_encryption(event: NodeEvent) -> bool:
    # "mode" of a forwarded event is how it was routed.
    return event.kind in (Kind.PSS_SENT, Kind.PSS_DELIVERED) and "mode" in event.data


def _handlers_text(event: NodeEvent) -> str:
    count = event.data.get("handlers")
    return "" if count is None else f"{count} handler{'' if count == 1 else 's'}"
