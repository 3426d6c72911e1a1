"""What the actors of an example said and what became of their messages, from the JSON lines that they print.

The lines are those of examples/stage.py with ``--json``. Anything else in their output is shown as it is: it is what an
actor printed by itself, or why it failed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from node.events import Kind, NodeEvent
from orchestrator.trace import Journey, join_events


@dataclass(frozen=True, slots=True)
class Said:
    """One line of one actor."""

    actor: str
    text: str
    at_s: float | None
    """Unix time; None for what the actor did not say but printed."""


@dataclass(slots=True)
class Transcript:
    """Everything that was said, and the events of the nodes."""

    said: list[Said] = field(default_factory=list)
    finished: set[str] = field(default_factory=set)
    """Actors that came to the end of their part."""
    _events: list[tuple[str, NodeEvent]] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)

    def add(self, actor: str, line: str) -> Said | None:
        """Take one line of output; what is to be shown of it."""
        record = _record(line)
        if record is None:
            said = Said(actor, line, None)
        elif "say" in record:
            said = Said(actor, str(record["say"]), float(record["at"]))
        else:
            self._note(actor, record)
            return None
        self.said.append(said)
        return said

    def _note(self, actor: str, record: dict[str, Any]) -> None:
        if "event" in record:
            event = record["event"]
            self._events.append((actor, NodeEvent(**(event | {"kind": Kind(event["kind"])}))))
        elif "node_id" in record:
            self._names[str(record["node_id"])] = actor
        elif record.get("end") is True:
            self.finished.add(actor)

    @property
    def journeys(self) -> list[Journey]:
        """The way of every message that somebody sent, in the order of sending."""
        sent = sorted((event.wall_s, event.digest) for _, event in self._events if event.kind is Kind.PSS_SENT)
        return [join_events(digest, self._events, self._names) for digest in dict.fromkeys(d for _, d in sent)]


def _record(line: str) -> dict[str, Any] | None:
    """The JSON object in a line, if it is one of ours."""
    if not line.startswith("{"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.keys() & {"say", "event", "node_id", "end"} else None
