"""The journey of one pss message, as data and as text; how it is put together is :mod:`orchestrator.trace`."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from node.ids import OVERLAY_ADDRESS_BYTES

SHORT_HEX_DIGITS = 8
INDENT = "  "
MAX_INDENTS = 20
"""Deeper hops stay in that column, or a line of a hundred nodes would be two hundred columns wide."""

MAX_TIMES = 4
"""Of more, since when nodes remember, one line holds only the first."""


class Outcome(StrEnum):
    """What became of a message on one link."""

    FIRST = "first"
    """News to the receiver."""
    AGAIN = "again"
    """The receiver had seen it and took it nevertheless: it was sent twice, or forgotten in between."""
    DUPLICATE = "duplicate"
    DROPPED = "dropped"
    UNSEEN = "unseen"
    """Sent, but nobody told us that it arrived: lost, under way, or the receiver is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a node chose this next hop (spec 06 section 4).

    Attributes:
        mode: "one", "all" or "exact" (node.pss.routing.ForwardMode).
        po: proximity order of the chosen peer to the message's address.
        own_po: that of the sender.
        depth: the sender's neighbourhood depth.
        threshold: proximity order from which peers counted as near enough.
    """

    mode: str
    po: int
    own_po: int
    depth: int
    threshold: int

    def __str__(self) -> str:
        match self.mode:
            case "exact":
                return "has the very address"
            case "all":
                return f"all peers with {_bits(self.threshold)} or more in common: has {self.po} (depth {self.depth})"
            case "one":
                return f"nearest peer: {_bits(self.po)} in common, sender {self.own_po}"
        return self.mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One message on one link. Times are milliseconds since the message was sent first, never negative.

    Attributes:
        level: 0 for hops from where it began; a hop's branches follow it one level deeper.
        sent_ms, arrived_ms: None if that end did not report.
        took_ms: from when the sender had the message until the receiver had it.
        detached: nobody tells how its sender came to have the message; only at level 0.
        reason: why it was dropped.
        why: None if the sender did not report.
    """

    sender: str
    receiver: str
    level: int
    sent_ms: float | None
    arrived_ms: float | None
    took_ms: float | None
    outcome: Outcome
    detached: bool = False
    reason: str = ""
    why: Why | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Somebody sent it. A raw message can be sent several times, by several nodes, and is still the same one.

    Attributes:
        at_ms: since it was sent first; None if the node does not report.
        first_hop: index among all hops of the first that came of it, or of the next after none did.
    """

    node: str
    at_ms: float | None
    first_hop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetful:
    """A node whose memory begins after the message: it was restarted, or has had more to remember than it can.

    Attributes:
        since_s: Unix time.
    """

    node: str
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that one node did with the message.

    Attributes:
        at_ms: since the message was sent first.
        text: the reason, or for a delivery how many handlers took it.
    """

    node: str
    at_ms: float
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Whether a node that got the message tried to read it.

    Attributes:
        keys_tried: 0 if it did not try; 1 for its own private key, or how many symmetric keys.
        opened: it could read it, or it was raw and for this node.
        passed_on: why it went on unread; empty if it was read.
    """

    node: str
    keys_tried: int
    opened: bool
    passed_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ideal:
    """The way to one node that took the message, beside the best there is (:mod:`orchestrator.ideal`).

    Attributes:
        hops: of the way it took.
        shortest: names along a shortest path over the lab's connections, both ends included; empty if there is none.
        greedy: the same, of the shortest way that the rules of pss allow over these connections.
        by_rules: every hop it took is one that the rules allow over these connections.
    """

    node: str
    hops: int
    shortest: tuple[str, ...]
    greedy: tuple[str, ...]
    by_rules: bool

    @property
    def ideal_hops(self) -> int | None:
        """Hops of the shortest path; None if there is none, as when connections were cut since."""
        return len(self.shortest) - 1 if self.shortest else None

    def __str__(self) -> str:
        took = f"{self.node}: {_hops(self.hops)}"
        if not self.shortest:
            return f"{took}; the connections there are now have no way there"
        detour = "" if self.hops <= len(self.shortest) - 1 else f": {' -> '.join(self.shortest)}"
        parts = [took, f"ideal {len(self.shortest) - 1}{detour}"]
        parts.append(
            f"by the rules of pss {len(self.greedy) - 1}" if self.greedy else "the rules of pss lead elsewhere"
        )
        if not self.by_rules:
            parts.append("it went a way that the rules do not give with the connections there are now")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Everything known of one message.

    Attributes:
        digest: 64 hex digits.
        origin: who sent it first; empty if no node said so.
        mode: "raw", "symmetric" or "asymmetric"; empty if unknown.
        to: the address on it, in hex; may be a part of an address or empty. None if unknown.
        size: of the plaintext in bytes.
        started_s: Unix time at which it was sent first, by the origin's clock; of the first event if no node said so.
        sendings: each time that it was sent, in the order of the hops that came of it.
        hops: the tree, each hop followed by its branches.
        deliveries: where handlers took it.
        drops: where a node gave it up that had meant to send it on.
        queued: where it had to wait for somebody to send it to.
        silent: nodes of the lab that report nothing, whatever they did: those of kind reference.
        unanswered: nodes that do not run or did not answer, so that something may be missing.
        forgetful: nodes that remember nothing of the time when it was sent, with the same effect.
        attempts: who of those that got it tried to read it, in the order of their names.
        ideals: the way to each node that took it, compared; empty if nobody compared them.
    """

    digest: str
    origin: str = ""
    mode: str = ""
    to: str | None = None
    size: int | None = None
    started_s: float = 0.0
    sendings: tuple[Sending, ...] = ()
    hops: tuple[Hop, ...] = ()
    deliveries: tuple[Note, ...] = ()
    drops: tuple[Note, ...] = ()
    queued: tuple[Note, ...] = ()
    silent: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    forgetful: tuple[Forgetful, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    ideals: tuple[Ideal, ...] = ()

    @property
    def duplicates(self) -> int:
        """Arrivals that were no news."""
        return sum(hop.outcome is Outcome.DUPLICATE for hop in self.hops)

    @property
    def relays(self) -> list[str]:
        """Who passed it on, other than the origin, in the order of the tree."""
        return [name for name in _unique(hop.sender for hop in self.hops) if name != self.origin]

    def path_to(self, receiver: str) -> list[Hop]:
        """The hops by which it first came to a node; empty if it never came, or nobody tells from whom.

        They begin where it was sent, or else with one that is detached: how it came there, nobody tells.
        """
        return self._path_to(receiver, {Outcome.FIRST}, 0)

    def last_path_to(self, receiver: str) -> list[Hop]:
        """The same, of what was sent last, to a node that may have had it before; empty if that never came."""
        began = self.sendings[-1].first_hop if self.sendings else 0
        return self._path_to(receiver, {Outcome.FIRST, Outcome.AGAIN}, began)

    def _path_to(self, receiver: str, outcomes: Collection[Outcome], began: int) -> list[Hop]:
        path: list[Hop] = []
        for index in range(began, len(self.hops)):
            hop = self.hops[index]
            # Branches follow their hop, so above each stands the last one before it that is less deep.
            path[hop.level :] = [hop]
            if hop.receiver == receiver and hop.outcome in outcomes:
                return path
        return []

    @property
    def summary(self) -> str:
        """How far it came, in one sentence."""
        if not self.digest:
            return "its way is unknown, as a reference node does not tell the digest of what it sends"
        if self.deliveries:
            seen = [note.node for note in self.deliveries]
            return "; ".join(
                f"delivered to {note.node} again, after {note.at_ms:.1f} ms"
                if note.node in seen[:index]
                else self._delivery_text(note)
                for index, note in enumerate(self.deliveries)
            )
        reached = _unique(hop.receiver for hop in self.hops if hop.outcome is Outcome.FIRST)
        unseen = _unique(hop.receiver for hop in self.hops if hop.outcome is Outcome.UNSEEN)
        parts = [f"it came as far as {_listed(reached)}"] if reached else []
        parts += [f"{note.node} dropped it: {note.text}" for note in self.drops]
        parts += [f"{hop.receiver} dropped it: {hop.reason}" for hop in self.hops if hop.outcome is Outcome.DROPPED]
        parts += [f"it was sent to {_listed(unseen)}, who did not report it"] if unseen else []
        parts += [f"{name} found nobody to send it to" for name in _unique(note.node for note in self.queued)]
        return "; ".join(parts) or ("it never left " + self.origin if self.origin else "no node knows of it")

    @property
    def gaps(self) -> list[str]:
        """Sentences on whose events are missing, and why."""
        lines = []
        if self.unanswered:
            lines.append(f"no answer from {_listed(list(self.unanswered))}: what they did is missing here")
        if self.forgetful:
            lines.append(f"{_forgetful_text(self.forgetful)}: what happened there before is missing here")
        if self.silent:
            lines.append(f"no events from reference nodes: {_listed(list(self.silent))}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """The journey as JSON types; hops as a list with levels."""
        ideals = [{**asdict(ideal), "ideal_hops": ideal.ideal_hops} for ideal in self.ideals]
        more = {"duplicates": self.duplicates, "relays": self.relays, "summary": self.summary}
        return {**asdict(self), "ideals": ideals, **more}

    def __str__(self) -> str:
        return format_journey(self)

    def _delivery_text(self, note: Note) -> str:
        path = self.path_to(note.node)
        if not path:
            return f"delivered to {note.node}; its way there is not known"
        way = " -> ".join([path[0].sender, *(hop.receiver for hop in path)])
        if path[0].detached:
            return f"delivered to {note.node}; its way is known only from {path[0].sender} on: {way}"
        began_ms = self._began_ms(path[0])
        took = "" if began_ms is None else f" in {max(0.0, note.at_ms - began_ms):.1f} ms"
        return f"delivered to {note.node} after {_hops(len(path))}{took}: {way}"

    def _began_ms(self, first: Hop) -> float | None:
        """When that was sent of which a hop came."""
        index = next(index for index, hop in enumerate(self.hops) if hop is first)
        sendings = [sending for sending in self.sendings if sending.first_hop <= index]
        return sendings[-1].at_ms if sendings else 0.0


def format_journey(journey: Journey) -> str:
    """The journey as lines of plain text: when, how long since the hop before, who, why."""
    lines = [_heading(journey), *_rows(journey), journey.summary, *map(str, journey.ideals)]
    lines += [text] if (text := _reading(journey.attempts)) else []
    return "\n".join([*lines, *journey.gaps])


def _heading(journey: Journey) -> str:
    parts = [journey.mode] if journey.mode else []
    if journey.size is not None:
        parts.append(f"{journey.size} bytes")
    if journey.to is not None:
        parts.append(_address_text(journey.to))
    return f"message {journey.digest[:SHORT_HEX_DIGITS]}… " + ", ".join(parts)


def _reading(attempts: tuple[Attempt, ...]) -> str:
    """Who tried to read it and who could, in one line; empty if nobody said."""
    groups = (
        ("read by", [attempt.node for attempt in attempts if attempt.opened]),
        (
            "could not read it",
            [
                f"{attempt.node} ({attempt.keys_tried} key{'' if attempt.keys_tried == 1 else 's'} tried)"
                for attempt in attempts
                if attempt.keys_tried and not attempt.opened
            ],
        ),
        ("did not try", [attempt.node for attempt in attempts if not attempt.keys_tried and not attempt.opened]),
    )
    return "; ".join(f"{what}: {_listed(who)}" for what, who in groups if who)


def _address_text(to: str) -> str:
    known = len(to) // 2
    if not known:
        return "to everybody (no address)"
    shown = to if len(to) <= SHORT_HEX_DIGITS else f"{to[:SHORT_HEX_DIGITS]}…"
    return f"to {shown}" + ("" if known == OVERLAY_ADDRESS_BYTES else f" ({known} bytes of an address)")


def _rows(journey: Journey) -> Iterator[str]:
    lines = [("", "", "?", "sent it: no node tells who, or when")] if journey.hops and not journey.origin else []
    for index in range(len(journey.hops) + 1):
        for number, sending in enumerate(journey.sendings):
            if sending.first_hop == index:
                again = sending.node in [earlier.node for earlier in journey.sendings[:number]]
                lines.append((_ms(sending.at_ms), "", sending.node, "sends it again" if again else "sends it"))
        lines += [_row(journey, hop) for hop in journey.hops[index : index + 1]]
    width = max((len(who) for _, _, who, _ in lines), default=0)
    for at, took, who, text in lines:
        yield f"{at:>10}  {took:>10}  {who:<{width}}  {text}".rstrip()


def _row(journey: Journey, hop: Hop) -> tuple[str, str, str, str]:
    indent = INDENT * min(hop.level + 1, MAX_INDENTS)
    # The root of a tree that does not hang together with the rest is named, the others stand under their sender.
    who = f"{indent}{hop.sender} -> {hop.receiver}" if hop.detached else f"{indent}-> {hop.receiver}"
    took = "" if hop.took_ms is None else f"+{_ms(hop.took_ms)}"
    return _ms(hop.arrived_ms), took, who, _hop_text(journey, hop)


def _hop_text(journey: Journey, hop: Hop) -> str:
    parts = []
    if hop.outcome is Outcome.FIRST:
        parts += [str(hop.why)] if hop.why else []
        parts += [_attempt_text(attempt) for attempt in journey.attempts if attempt.node == hop.receiver]
        parts = [part for part in parts if part]
        parts += [f"delivered to {note.text}" for note in journey.deliveries if note.node == hop.receiver][:1]
    else:
        parts.append(hop.outcome.value + (f": {hop.reason}" if hop.reason else ""))
    return "; ".join(parts)


def _attempt_text(attempt: Attempt) -> str:
    if not attempt.keys_tried:
        return ""
    keys = "1 key" if attempt.keys_tried == 1 else f"{attempt.keys_tried} keys"
    return f"tried {keys}: {'opened it' if attempt.opened else 'in vain'}"


def _hops(count: int) -> str:
    return f"{count} hop{'' if count == 1 else 's'}"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms"


def _forgetful_text(forgetful: tuple[Forgetful, ...]) -> str:
    names: dict[str, list[str]] = {}
    for told in sorted(forgetful, key=lambda told: told.since_s):
        names.setdefault(_clock(told.since_s), []).append(told.node)
    verbs = {clock: "remembers" if len(who) == 1 else "remember" for clock, who in names.items()}
    parts = [f"{_listed(who)} {verbs[clock]} nothing before {clock}" for clock, who in names.items()]
    if len(parts) > MAX_TIMES:
        first = next(iter(names))
        parts = [f"{_listed([told.node for told in forgetful])} remember nothing before {first} or later times"]
    return ", ".join(parts)


def _clock(unix_s: float) -> str:
    return datetime.datetime.fromtimestamp(unix_s).astimezone().strftime("%H:%M:%S")


def _bits(count: int) -> str:
    return f"{count} bit" if count == 1 else f"{count} bits"


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
