"""Questions that wait for their answer (spec 04 section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.discv4.bonds import Peer
from node.discv4.packet import EnrResponse, Neighbors, Packet, Pong
from node.discv4.timers import Timers

REPLY_TIMEOUT_S = 0.5
Answer = Pong | Neighbors | EnrResponse


@dataclass(slots=True, eq=False)
class Question:
    """What was asked and what to do with the answers."""

    peer: Peer
    answer: type[Answer]
    take: Callable[[Answer, float], bool]
    """Gets every answer; returns whether it was the last."""
    ended: Callable[[float], None]
    """Called once: after the last answer, or when time is over."""
    token: bytes | None = None
    """The hash of the question if answers quote it."""


class Pending:
    """The open questions. Answers match by sender, address, type and, where there is one, token; not by port."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._open: list[Question] = []

    def __len__(self) -> int:
        return len(self._open)

    def add(self, question: Question, now: float) -> None:
        self._open.append(question)
        self._timers.at(now + REPLY_TIMEOUT_S, lambda then: self._end(question, then))

    def answered(self, peer: Peer, packet: Answer, now: float) -> bool:
        """Hand an answer to whoever waits for it.

        NEIGHBORS do not say which question they answer: all that are open get them.

        Returns:
            False if nobody asked.
        """
        matching = [question for question in self._open if _fits(question, peer, packet)]
        for question in matching:
            if question.take(packet, now):
                self._end(question, now)
        return bool(matching)

    def _end(self, question: Question, now: float) -> None:
        if question in self._open:
            self._open.remove(question)
            question.ended(now)


def _fits(question: Question, peer: Peer, packet: Packet) -> bool:
    if question.peer != peer or not isinstance(packet, question.answer):
        return False
    match packet:
        case Pong():
            return packet.ping_hash == question.token
        case EnrResponse():
            return packet.request_hash == question.token
    return True
