"""Joins what the nodes say of one pss message, by its digest, into its journey.

Every event tells half of a hop; the other half may be missing, and clocks of different machines disagree. Order inside
a node is taken from its sequence numbers, order between nodes from who heard it from whom. Clocks only say how long
things took, and what they claim impossibly is clamped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from math import inf

from node.events import Kind, NodeEvent
from orchestrator.journey import (
    SHORT_HEX_DIGITS,
    Attempt,
    Forgetful,
    Hop,
    Journey,
    Note,
    Outcome,
    Sending,
    Why,
    format_journey,
)

__all__ = ["Journey", "format_journey", "join_events"]

ARRIVALS = {
    Kind.PSS_RECEIVED: Outcome.AGAIN,
    Kind.PSS_DUPLICATE: Outcome.DUPLICATE,
    Kind.PSS_DROPPED: Outcome.DROPPED,
}
"""A node says exactly one of these, with the peer it came from, for each message that arrives."""
MS_PER_S = 1000.0

Having = tuple[str, int | None]
"""How a node came to have the message: its name, and the seq of its event that says so; None if nobody tells."""


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
    sender: str = "",
    since: Mapping[str, float] | None = None,
) -> Journey:
    """Join what the nodes say of one message.

    Args:
        digest: of the message, 64 hex digits; events of other messages are ignored.
        events: with the name of the node that said it, in any order; the same one several times does no harm.
        names: of nodes by node ID in hex; a peer that is not there is shown by the beginning of its ID.
        silent: names of nodes that report nothing. One that somebody had the message from had it, from whoever sent
            it there first.
        arrived: those of them that are known to have had it for another reason.
        sender: who sent it, if that is known for another reason; counts only if no node tells.
        since: Unix time since when each node remembers what happened; nodes that are not there remember everything.
    """
    told = {(name, event.seq, event.wall_s): event for name, event in events if event.digest == digest}
    by_node: dict[str, list[NodeEvent]] = {}
    for (name, _, _), event in sorted(told.items(), key=lambda item: item[0][:2]):
        by_node.setdefault(name, []).append(event)
    return _Joiner(digest, by_node, names, silent, arrived, sender, since or {}).journey()


class _Joiner:
    """Builds one journey from the events of its message, by node and in each node's order."""

    def __init__(
        self,
        digest: str,
        by_node: Mapping[str, list[NodeEvent]],
        names: Mapping[str, str],
        silent: Collection[str],
        arrived: Collection[str],
        sender: str,
        since: Mapping[str, float],
    ) -> None:
        self._digest, self._by_node, self._names = digest, by_node, names
        self._silent, self._since = tuple(sorted(silent)), since
        self._havings = {name: found for name, events in by_node.items() if (found := list(filter(_has_it, events)))}
        oldest_s = min((event.wall_s for events in by_node.values() for event in events), default=0.0)
        # Whoever had it from somebody before it sent it is not where it began; nor need be, who has forgotten that.
        began = [
            (events[0].wall_s, name)
            for name, events in self._havings.items()
            if events[0].kind is Kind.PSS_SENT and since.get(name, 0.0) <= oldest_s
        ]
        self._started_s, self._origin = min(began) if began else (oldest_s, "" if sender in by_node else sender)
        self._had_ms = {self._origin: 0.0}
        """When each node had the message first."""
        self._had_again_ms: dict[Having, float] = {}
        """When it had it each time, the first included."""
        self._first = {name: events[0] for name, events in self._havings.items() if events[0].kind is Kind.PSS_RECEIVED}
        """By which event each node that did not begin it first had the message."""
        self._flights = self._pair_up()
        senders = {name for name, _ in self._flights}
        self._presumed = {name for name in self._silent if name in arrived or name in senders}
        """Silent nodes that had it, though they do not say from whom; each is taken out when it is known."""

    def journey(self) -> Journey:
        sendings, hops = self._walk_all()
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
            sendings=tuple(sendings),
            hops=tuple(hops),
            deliveries=self._notes(self._all(Kind.PSS_DELIVERED)),
            drops=self._notes(drops),
            queued=self._notes(self._all(Kind.PSS_QUEUED)),
            silent=self._silent,
            forgetful=tuple(
                Forgetful(node=name, since_s=since_s)
                for name, since_s in sorted(self._since.items())
                if self._by_node and self._forgot(name)
            ),
            attempts=self._attempts(),
        )

    # -- putting the two ends together

    def _pair_up(self) -> dict[Having, list[_Flight]]:
        """Flights by how their sender had the message, in the order in which it sent them."""
        departures: dict[tuple[str, str], list[NodeEvent]] = {}
        arrivals: dict[tuple[str, str], list[NodeEvent]] = {}
        for name, events in self._by_node.items():
            for event in events:
                if event.kind is Kind.PSS_FORWARDED:
                    departures.setdefault((name, self._name(event.peer)), []).append(event)
                elif event.kind in ARRIVALS and event.peer:
                    arrivals.setdefault((self._name(event.peer), name), []).append(event)
        flights = [
            _Flight(sender=sender, receiver=receiver, departure=departure, arrival=arrival)
            for sender, receiver in dict.fromkeys([*departures, *arrivals])
            for departure, arrival in self._pairs(
                sender, receiver, departures.get((sender, receiver), []), arrivals.get((sender, receiver), [])
            )
        ]
        found: dict[Having, list[_Flight]] = {}
        for flight in sorted(flights, key=lambda flight: flight.order):
            found.setdefault(self._cause(flight), []).append(flight)
        return found

    def _pairs(
        self, sender: str, receiver: str, departures: list[NodeEvent], arrivals: list[NodeEvent]
    ) -> Iterator[tuple[NodeEvent | None, NodeEvent | None]]:
        """The two ends of what went over one link."""
        if len(departures) != len(arrivals):
            # One end has forgotten some. What is left there must not be taken for the other end of those.
            before = [event for event in arrivals if event.wall_s < self._since.get(sender, 0.0)]
            unheard = [event for event in departures if event.wall_s < self._since.get(receiver, 0.0)]
            yield from ((None, arrival) for arrival in before)
            yield from ((departure, None) for departure in unheard)
            departures, arrivals = departures[len(unheard) :], arrivals[len(before) :]
        yield from zip_longest(departures, arrivals)

    def _cause(self, flight: _Flight) -> Having:
        """How the sender had the message that it sent there."""
        havings = self._havings.get(flight.sender, [])
        if flight.departure is not None:
            earlier = [event for event in havings if event.seq < flight.departure.seq]
        else:
            assert flight.arrival is not None
            earlier = [event for event in havings if event.wall_s <= flight.arrival.wall_s]
        if not earlier and not self._forgot(flight.sender):
            earlier = havings[:1]  # clocks disagree
        return flight.sender, earlier[-1].seq if earlier else None

    # -- the tree

    def _walk_all(self) -> tuple[list[Sending], list[Hop]]:
        """Hops from where it began; then from senders that nothing leads to, because those events are missing."""
        sendings: list[Sending] = []
        hops: list[Hop] = []
        walked: set[Having] = set()
        sent = {(name, event.seq): event for name, event in self._all(Kind.PSS_SENT)}
        unseen_start = (self._origin, None)
        starts = {having: min(flight.told_s for flight in flights) for having, flights in self._flights.items()}
        starts |= {having: event.wall_s for having, event in sent.items()}
        if self._origin and self._origin not in self._havings:
            starts.setdefault(unseen_start, self._started_s)

        def rank(having: Having) -> tuple[bool, bool, float, str]:
            # Whoever received it comes last: that is walked from its sender, unless events contradict each other.
            name, seq = having
            return name != self._origin, seq is not None and having not in sent, starts[having], name

        for root in sorted(starts, key=rank):
            if root in walked:
                continue
            name, _ = root
            had_ms = max(self._ms(starts[root]), self._had_ms.get(name, 0.0))
            self._had_ms.setdefault(name, had_ms)
            self._had_again_ms[root] = had_ms
            if begun := root in sent or root == unseen_start:
                sendings.append(Sending(node=name, at_ms=had_ms if root in sent else None, first_hop=len(hops)))
            hops += self._walk(root, walked, detached=not begun)
        return sendings, hops

    def _walk(self, root: Having, walked: set[Having], *, detached: bool) -> list[Hop]:
        hops = []
        walked.add(root)
        self._presumed.discard(root[0])  # it had it before all others here
        ahead = [(flight, root, 0) for flight in reversed(self._flights.get(root, []))]
        while ahead:
            flight, having, level = ahead.pop()
            hop, onward = self._hop(flight, having, level, detached=detached and not level)
            hops.append(hop)
            if onward is not None and onward not in walked:
                walked.add(onward)
                ahead += [(later, onward, level + 1) for later in reversed(self._flights.get(onward, []))]
        return hops

    def _hop(self, flight: _Flight, having: Having, level: int, *, detached: bool) -> tuple[Hop, Having | None]:
        """A hop, and how the receiver had the message by it; None if it was no news there, or lost."""
        had_ms = self._had_again_ms[having]
        departure, arrival = flight.departure, flight.arrival
        # When it began there, nobody says.
        unknown = level == 0 and (detached or having[1] is None)
        # Nobody can send or receive it before the sender had it, whatever the clocks say.
        arrived_ms = max(self._ms(arrival.wall_s), had_ms) if arrival else None
        sent_ms = max(self._ms(departure.wall_s), had_ms) if departure else None
        if sent_ms is not None and arrived_ms is not None:
            sent_ms = min(sent_ms, arrived_ms)  # "forwarded" is reported after sending, often after the arrival
        outcome = Outcome.UNSEEN
        onward: Having | None = None
        if arrival is not None:
            outcome = ARRIVALS[arrival.kind]
            if self._first.get(flight.receiver) is arrival:
                outcome = Outcome.FIRST
                self._had_ms[flight.receiver] = arrived_ms or 0.0
            if arrival.kind is Kind.PSS_RECEIVED:
                onward = flight.receiver, arrival.seq
                self._had_again_ms[onward] = max(arrived_ms or 0.0, self._had_ms.get(flight.receiver, 0.0))
        elif flight.receiver in self._presumed:
            self._presumed.remove(flight.receiver)
            outcome = Outcome.FIRST
            onward = flight.receiver, None
            self._had_ms[flight.receiver] = self._had_again_ms[onward] = sent_ms or had_ms
        hop = Hop(
            sender=flight.sender,
            receiver=flight.receiver,
            level=level,
            sent_ms=sent_ms,
            arrived_ms=arrived_ms,
            took_ms=None if arrived_ms is None or unknown else arrived_ms - had_ms,
            outcome=outcome,
            detached=detached,
            reason=arrival.reason if arrival is not None and outcome is Outcome.DROPPED else "",
            why=_why(departure),
        )
        return hop, onward

    # -- small things

    def _all(self, kind: Kind) -> list[tuple[str, NodeEvent]]:
        return [(name, event) for name, events in self._by_node.items() for event in events if event.kind is kind]

    def _forgot(self, name: str) -> bool:
        """Whether a node remembers nothing of the time when it was sent."""
        return self._since.get(name, 0.0) > self._started_s

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


def _has_it(event: NodeEvent) -> bool:
    """Whether a node has the message, maybe once more, since then."""
    return event.kind is Kind.PSS_SENT or (event.kind is Kind.PSS_RECEIVED and bool(event.peer))


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
