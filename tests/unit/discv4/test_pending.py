"""node.discv4.pending: which answer belongs to which question (spec 04 section 4)."""

from __future__ import annotations

from node.discv4.bonds import Peer
from node.discv4.endpoint import Endpoint
from node.discv4.packet import EnrResponse, Neighbors, Pong
from node.discv4.pending import REPLY_TIMEOUT_S, Answer, Pending, Question
from node.discv4.timers import Timers
from node.enode import parse_ip
from node.enr import make_record
from tests.support.keys import make_key

PEER = Peer(make_key(2).public.node_id, parse_ip("10.0.0.1"))
ELSEWHERE = Peer(PEER.id, parse_ip("10.0.0.2"))
SOMEBODY = Peer(make_key(3).public.node_id, PEER.ip)
TOKEN = bytes(range(32))
PONG = Pong(to=Endpoint(), ping_hash=TOKEN, expiration=0)
NEIGHBORS = Neighbors(nodes=[], expiration=0)
RECORD = EnrResponse(request_hash=TOKEN, record=make_record(make_key(2), seq=1, ip=PEER.ip))


class Asked:
    """A question, the answers to it and when it ended."""

    def __init__(
        self, pending: Pending, answer: type[Answer], *, last: bool = True, token: bytes | None = None
    ) -> None:
        self.answers: list[Answer] = []
        self.ends: list[float] = []
        self._last = last
        pending.add(Question(PEER, answer, self._take, self.ends.append, token), now=0.0)

    def _take(self, answer: Answer, now: float) -> bool:
        self.answers.append(answer)
        return self._last


def pending() -> tuple[Pending, Timers]:
    timers = Timers()
    return Pending(timers), timers


def test_an_answer_ends_the_question_once() -> None:
    waiting, timers = pending()
    asked = Asked(waiting, Pong, token=TOKEN)
    assert waiting.answered(PEER, PONG, 0.1)
    assert (asked.answers, asked.ends, len(waiting)) == ([PONG], [0.1], 0)
    assert not waiting.answered(PEER, PONG, 0.2)
    timers.run(10.0)
    assert asked.ends == [0.1]


def test_time_ends_the_question() -> None:
    waiting, timers = pending()
    asked = Asked(waiting, Pong, token=TOKEN)
    assert timers.next_deadline() == REPLY_TIMEOUT_S == 0.5
    timers.run(0.5)
    assert (asked.answers, asked.ends) == ([], [0.5])
    assert not waiting.answered(PEER, PONG, 0.6)


def test_sender_address_type_and_token_must_fit() -> None:
    waiting, _ = pending()
    asked = [Asked(waiting, Pong, token=bytes(32)), Asked(waiting, EnrResponse, token=bytes(32))]
    assert not waiting.answered(PEER, PONG, 0.1)
    assert not waiting.answered(PEER, RECORD, 0.1)
    assert not waiting.answered(PEER, NEIGHBORS, 0.1)
    right = Asked(waiting, EnrResponse, token=TOKEN)
    for peer in (ELSEWHERE, SOMEBODY):
        assert not waiting.answered(peer, RECORD, 0.1)
    assert waiting.answered(PEER, RECORD, 0.1)
    assert [one.answers for one in (*asked, right)] == [[], [], [RECORD]]


def test_neighbors_go_to_everybody_who_asked_and_may_come_in_parts() -> None:
    waiting, timers = pending()
    first, second = Asked(waiting, Neighbors, last=False), Asked(waiting, Neighbors)
    assert waiting.answered(PEER, NEIGHBORS, 0.1)
    assert waiting.answered(PEER, NEIGHBORS, 0.2)
    timers.run(0.5)
    assert (len(first.answers), first.ends) == (2, [0.5])
    assert (len(second.answers), second.ends) == (1, [0.1])
