"""orchestrator.chapter.transcript: from lines of output to what was said and what became of messages."""

from __future__ import annotations

import json
import time

import pytest

from orchestrator.chapter.play import InOrder
from orchestrator.chapter.transcript import Said, Transcript

DIGEST = "ab" * 32
IDS = {"alice": "01" * 32, "bob": "02" * 32}


def event(seq: int, kind: str, wall_s: float, **fields: object) -> str:
    body = {"seq": seq, "kind": kind, "wall_s": wall_s, "mono_s": wall_s, "digest": DIGEST, **fields}
    return json.dumps({"event": body})


def test_what_is_said_and_what_is_printed() -> None:
    transcript = Transcript()
    assert transcript.add("alice", '{"at": 5.5, "say": "hello"}') == Said("alice", "hello", 5.5)
    assert transcript.add("alice", "Traceback (most recent call last):") == Said(
        "alice", "Traceback (most recent call last):", None
    )
    assert transcript.add("alice", '{"end": true}') is None
    assert [said.text for said in transcript.said] == ["hello", "Traceback (most recent call last):"]
    assert transcript.finished == {"alice"}


@pytest.mark.parametrize("line", ["{", "{}", "[1]", '{"other": 1}', "", '{"say"'])
def test_lines_that_only_look_like_ours_are_shown_as_they_are(line: str) -> None:
    assert Transcript().add("bob", line) == Said("bob", line, None)


def test_the_way_of_a_message() -> None:
    transcript = Transcript()
    for actor, node_id in IDS.items():
        transcript.add(actor, json.dumps({"node_id": node_id}))
    why = {"mode": "exact", "own_po": 0, "threshold": 0, "depth": 0, "refused": 0, "po": 256}
    transcript.add("alice", event(1, "pss.sent", 1.0, data={"mode": "raw", "to": "ff"}, control=True))
    transcript.add("alice", event(2, "pss.forwarded", 1.1, peer=IDS["bob"], data=why))
    transcript.add("bob", event(1, "pss.received", 1.2, peer=IDS["alice"], data={"to": "ff"}))
    transcript.add("bob", event(2, "pss.delivered", 1.2, peer=IDS["alice"], data={"mode": "raw", "handlers": 1}))
    (journey,) = transcript.journeys
    assert (journey.digest, journey.origin) == (DIGEST, "alice")
    assert [hop.receiver for hop in journey.path_to("bob")] == ["bob"]


def test_lines_are_shown_in_the_order_in_which_they_were_said() -> None:
    shown: list[Said] = []
    order = InOrder(shown.append)
    late, early = Said("alice", "second", 2.0), Said("bob", "first", 1.0)
    order.add(late)
    order.add(early)
    assert shown == []
    order.release(before_s=1.5)
    assert shown == [early]
    printed = Said("bob", "printed just now", None)
    order.add(printed)
    order.release(before_s=time.time() - 60)
    assert shown == [early, late]
    order.release()
    assert shown == [early, late, printed]
