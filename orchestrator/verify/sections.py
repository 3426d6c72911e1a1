"""The keys of a lab file's `verify:`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orchestrator.labfile_section import MAX_NAME_CHARS, Seconds, Section, Selectors, Share, Text
from orchestrator.shot import DEFAULT_BYTES, Mode
from orchestrator.traffic.model import DEFAULT_MODE
from orchestrator.traffic.sections import Bytes, Count
from orchestrator.verify.model import DEFAULT_COUNT, DEFAULT_POINTS, DEFAULT_WITHIN_S, MAX_POINTS

MAX_HOPS = 255


class DeliverySection(Section):
    """Messages, and how many of them are to arrive."""

    from_: Annotated[Selectors, Field(alias="from")]
    to: Selectors
    mode: Mode = DEFAULT_MODE
    count: Count = DEFAULT_COUNT
    """From each sender to each receiver."""
    bytes: Bytes = DEFAULT_BYTES
    min: Share | None = None
    """Share that has to arrive: all of it, unless `max` is given."""
    max: Share | None = None
    """Share that may arrive; 0% for none."""
    hops: Annotated[int, Field(ge=1, le=MAX_HOPS)] | None = None
    """That no message may need more of."""


class ExpectSection(Section):
    """How it is to be; exactly one of these."""

    healthy: Selectors | None = None
    """Nodes whose kademlia tables are what they should be, as the oracle says."""
    connected: Annotated[list[Selectors], Field(min_length=2, max_length=2)] | None = None
    """Each of the first with each of the second."""
    apart: Annotated[list[Selectors], Field(min_length=2, max_length=2)] | None = None
    """None of the first with any of the second."""
    delivery: DeliverySection | None = None


class VerifyEntry(Section):
    """One thing that `lab verify` checks."""

    planned = frozenset({"band"})

    id: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
    expect: ExpectSection
    within: Seconds = DEFAULT_WITHIN_S
    """How long it may take until it is so; of delivery, each message."""
    points: Annotated[int, Field(ge=0, le=MAX_POINTS)] = DEFAULT_POINTS
    hint: Text = ""
    """For whoever fails it."""


SECTIONS: dict[str, type[Section]] = {"expect": ExpectSection, "delivery": DeliverySection}
"""Which keys are known below a key."""
