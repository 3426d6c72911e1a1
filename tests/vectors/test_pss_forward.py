"""Forwarding, the recipient check and the receive pipeline against what the Go node did."""

from __future__ import annotations

from typing import Any

import pytest

from node.crypto.secp256k1 import PrivateKey
from node.errors import LocalProtocolError
from node.ids import Topic, overlay_address
from node.pss.handlers import Delivery, Handler, HandlerRegistry
from node.pss.keystore import KeyStore
from node.pss.message import PssMessage
from node.pss.processor import Deliver, Drop, Forward, PssProcessor
from node.pss.routing import Candidate, ForwardMode, ForwardResult, forward, is_recipient
from node.pss.seen import SeenCache
from tests.vectors.loader import Case, unhex

pytestmark = pytest.mark.vectors("pss_forward.json")

UNIX_NOW = 1_600_000_000


def run(case: Case, failing: list[int]) -> ForwardResult[int]:
    peers = [
        Candidate(int.from_bytes(unhex(address), "big"), uses, index)
        for index, (address, uses) in enumerate(zip(case["peers"], case["use_counts"], strict=True))
    ]
    return forward(
        unhex(case["base"]), unhex(case["to"]), case["neighbourhood_depth"], peers, lambda peer: peer not in failing
    )


def check(result: ForwardResult[int], expected: dict[str, Any]) -> None:
    sent = [hop.peer for hop in result.hops]
    assert result.ok == (expected["mode"] != "none") == bool(sent)
    match expected["mode"]:
        case "all":
            assert sorted(sent) == sorted(expected["admissible"])
        case "one":
            assert len(sent) == 1
            assert sent[0] in expected["admissible"]
        case _:
            assert result.mode is ForwardMode.NOBODY


def test_forward_when_all_take_it(case_forward: Case) -> None:
    check(run(case_forward, []), case_forward["all_succeed"])


def test_forward_when_some_refuse(case_forward: Case) -> None:
    check(run(case_forward, case_forward["some_fail"]["failing"]), case_forward["some_fail"])


def test_recipient(case_recipient: Case) -> None:
    case = case_recipient

    def answer() -> bool:
        return is_recipient(unhex(case["base"]), unhex(case["to"]), case["neighbourhood_depth"], prox=case["prox"])

    if case["go_panics"]:
        with pytest.raises(LocalProtocolError):
            answer()
    else:
        assert answer() == case["possible_recipient"]


def test_inbound(case_inbound: Case) -> None:
    case = case_inbound
    topic, called = Topic(unhex(case["topic"])), []
    keys, handlers = KeyStore(), HandlerRegistry()
    keys.set_symmetric_key(unhex(case["sym_key"]), topic, b"", add_to_cache=True)

    def listen(name: str, raw: bool, prox: bool) -> None:
        def callback(delivery: Delivery) -> None:
            called.append((name, delivery.payload, delivery.asymmetric))

        handlers.register(topic, Handler(callback=callback, raw=raw, prox=prox))

    for handler in case["handlers"]:
        listen(handler["handler"], handler["raw"], handler["prox"])
    processor = PssProcessor(
        private_key=PrivateKey(unhex(case["priv"])),
        overlay=overlay_address(unhex(case["base"])),
        keys=keys,
        handlers=handlers,
        seen=SeenCache(),
    )
    wire = PssMessage(
        to=unhex(case["to"]),
        raw=case["raw"],
        symmetric=case["symmetric"],
        expire=UNIX_NOW - 1 if case["expired"] else UNIX_NOW,
        topic=topic,
        payload=unhex(case["payload"]),
    ).encode()
    assert len(case["result"]) == case["times"]
    for expected in case["result"]:
        called.clear()
        decision = processor.receive(
            PssMessage.decode(wire), now=1.0, unix_now=UNIX_NOW + 0.9, depth=case["neighbourhood_depth"]
        )
        match decision:
            case Drop():
                handed_on = 0
            case Forward():
                handed_on = 1
            case Deliver(delivery, listening, handed_on):
                for one in listening:
                    one.callback(delivery)
        assert int(handed_on) == expected["handed_on"]
        wanted = [(c["handler"], unhex(c["payload"]), c["asymmetric"]) for c in expected["handlers_called"]]
        assert sorted(called) == sorted(wanted)
