"""The keys of a lab file's `traffic:`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orchestrator.labfile_section import MAX_NAME_CHARS, Moment, Seconds, Section, Selectors, Share
from orchestrator.shot import DEFAULT_BYTES, DEFAULT_TIMEOUT_S, MAX_MESSAGE_BYTES, MIN_MESSAGE_BYTES, Mode
from orchestrator.traffic.model import DEFAULT_COUNT, DEFAULT_EVERY_S, DEFAULT_MODE, MAX_MESSAGES

Bytes = Annotated[int, Field(ge=MIN_MESSAGE_BYTES, le=MAX_MESSAGE_BYTES)]
Count = Annotated[int, Field(ge=1, le=MAX_MESSAGES)]


class TrafficEntry(Section):
    """Messages from some nodes to some nodes, at regular times."""

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)] | None = None
    from_: Annotated[Selectors, Field(alias="from")]
    to: Selectors
    mode: Mode = DEFAULT_MODE
    at: Moment = 0.0
    every: Seconds = DEFAULT_EVERY_S
    count: Count = DEFAULT_COUNT
    """Times; each time every sender writes to every receiver but itself."""
    bytes: Bytes = DEFAULT_BYTES
    timeout: Seconds = DEFAULT_TIMEOUT_S
    """In which a message has to arrive."""
    min: Share | None = None
    """Share that has to arrive, or `lab play` fails."""
