"""What StreamEvents answers: what the node remembers, a mark, then what happens."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator

from node.control.convert import event_to_pb, filter_from_pb
from node.control.gen import control_pb2 as pb
from node.events import EventBus, EventFilter, EventStream, NodeEvent

POSITION_S = 1.0
"""After so long without an event that is wanted the caller hears how far the node has come, if it has. One who comes
back after an interruption can then be told how much is forgotten of what he did not hear of."""


async def answers(
    bus: EventBus, request: pb.StreamEventsRequest, *, node: str
) -> AsyncGenerator[pb.StreamEventsResponse, None]:
    """The responses to a request; `node` is this node's name in the lab.

    Raises:
        ValueError: no such kind of event. The text names the field.
    """
    only = filter_from_pb(request)
    async with bus.stream(only=only) as events:
        # Nothing can happen between the beginning of the stream and this: there is no await.
        after = request.after_seq if request.started_wall_s == bus.started_wall_s else 0
        past = _remembered(bus, only, after, request.limit) if request.history else []
        mark = pb.StreamEventsResponse(
            last_seq=bus.last_seq,
            started_wall_s=bus.started_wall_s,
            oldest_wall_s=bus.oldest_wall_s or 0.0,
            forgotten=bus.forgotten_after(after),
        )
        for event in past:
            yield pb.StreamEventsResponse(event=event_to_pb(event, node))
        yield mark
        if not request.follow:
            return
        lost, told = 0, mark.last_seq
        while True:
            found = await _next(events)
            if found is not None:
                told = found.seq
                yield pb.StreamEventsResponse(event=event_to_pb(found, node), lost=events.lost - lost)
                lost = events.lost
            elif told != bus.last_seq:
                told = bus.last_seq
                yield pb.StreamEventsResponse(last_seq=told)


def _remembered(bus: EventBus, only: EventFilter, after: int, limit: int) -> list[NodeEvent]:
    latest_first = (event for event in reversed(bus.history) if event.seq > after and only.passes(event))
    return list(itertools.islice(latest_first, limit or None))[::-1]


async def _next(events: EventStream) -> NodeEvent | None:
    try:
        async with asyncio.timeout(POSITION_S):
            return await anext(events)
    except TimeoutError:
        return None
