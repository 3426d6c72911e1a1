"""Whatever ends or wedges the reference is refused here, and the node goes on: it serves a good call or peer after it.

What is tested elsewhere:

=====================================================  ==============================================================
what                                                   where
=====================================================  ==============================================================
pss address over 32 bytes, from a peer (06 §2)         `pss/test_wire.py`, "To of 33 bytes"
the same in a call                                     `rows_pss.py`, `pss_sendRaw` and `pss_setSymmetricKey`
the same, 20 recorded cases                            `vectors/test_pss_forward.py::test_recipient`
address hints of unknown keys (06 §9.2)                `rows_pss.py`, both `pss_get*AddressHint`
health without a parameter (05 §9.2)                   `rows_overlay.py`, both `*_getHealthInfo`
`pss_removeHandshake` without a topic (07 §A5)         `rows_handshake.py`
a sync handshake that times out (07 §A6, 2)            `pss/test_handshake.py::test_no_answer_is_a_timeout_and_...`
the same with keys there (07 §A6, 1)                   `pss/test_handshake.py::test_flushing_while_there_are_keys_...`
more keys than a set has (07 §A6, 3)                   `unit/pss/test_handshake.py::test_more_keys_than_a_set_...`
writing without a key (07 §C1)                         `pss/test_client.py::test_without_keys_a_write_asks_for_some`
notifications: payload under 32 bytes, unknown names   `pss/test_notify.py::test_what_crashes_the_reference`
messages without peers, sent by the program (06 §6)    `pss/test_outbox.py`
disconnect reason 17 from a peer (02 §3)               `p2p/test_session_end.py::test_a_disconnect_is_echoed`
methods that are accidents of Go                       `rows_overlay.py`, `rows_pss.py`
recorded input that ends the process, over IPC         `vectors/test_rpc_jsonrpc.py`, with stand-ins for the APIs
=====================================================  ==============================================================
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from node.crypto.secp256k1 import PrivateKey
from node.devp2p.messages import BaseCode
from node.disconnect import DisconnectReason
from node.events import Kind
from node.ids import Topic
from node.pss.message import PssMessage
from node.rlp.codec import decode, encode
from node.service.endpoints import EndpointConfig
from tests.conftest import VECTORS
from tests.integration.rpc.wires import WIRES, Wire
from tests.support.nodes import (
    BZZ_CODE,
    HIVE_CODE,
    PSS_CODE,
    LabNode,
    bzz_key,
    greeted_peer,
    handshake_of,
    lab_node,
    overlay_peer,
    record_of,
    still_welcomes,
    told_why,
)
from tests.support.peers import CLOSED, RawPeer
from tests.support.waiting import until
from tests.vectors.loader import Case, load_cases, unhex

TOPIC = Topic(b"\x00\x00\x00\x2a")
FOREVER = 2**32 - 1
EVERYTHING = EndpointConfig(modules=("admin", "bzz", "hive", "pss", "web3"))


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[LabNode]:
    async with lab_node(1, data_dir=tmp_path, ipc_path="node.ipc", http=EVERYTHING, ws=EVERYTHING) as running:
        yield running


@pytest.fixture(params=WIRES, ids=lambda kind: kind.transport)
async def wire(node: LabNode, request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    connection = request.param(node)
    yield connection
    await connection.close()


async def still_answers(wire: Wire) -> None:
    assert (await wire.ask("pss_baseAddr"))["result"] == "0x" + wire.node.address.hex()


# -- calls


INVALID = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "invalid request"}}
CALL: dict[str, Any] = {"jsonrpc": "2.0", "id": 5, "method": "web3_clientVersion"}
ANSWER = {"jsonrpc": "2.0", "id": 5, "result": "node-1"}


@pytest.mark.parametrize(
    ("message", "answer"),
    [(None, INVALID), ([None], [INVALID]), ([None, CALL, None], [INVALID, ANSWER, INVALID])],
    ids=["alone", "in a batch", "around a call"],
)
async def test_json_null_is_an_invalid_request(wire: Wire, message: Any, answer: Any) -> None:
    await wire.send(json.dumps(message) + "\n")
    assert await wire.receive() == answer
    await still_answers(wire)
    await still_welcomes(wire.node)


(CRASHES,) = [case for case in load_cases(VECTORS / "rpc.json") if case["name"] == "crashes"]


@pytest.mark.parametrize("step", CRASHES["steps"], ids=[step["note"] for step in CRASHES["steps"]])
async def test_recorded_input_that_ends_the_reference(wire: Wire, step: Case) -> None:
    await wire.send(step["send"])
    answer = await wire.receive()
    for each in answer if isinstance(answer, list) else [answer]:
        assert each["error"]["message"] != "method handler crashed"
    await still_answers(wire)
    await still_welcomes(wire.node)


async def test_messages_without_peers_do_not_hang_the_caller(wire: Wire) -> None:
    """The reference takes 50 and blocks with the next."""
    to = "0x" + bzz_key(2).public.overlay.hex()
    for number in range(60):
        answer = await wire.ask("pss_sendRaw", [to, "0x2a", f"0x{number:04x}"])
        assert answer["result"] is None
    await still_answers(wire)
    await still_welcomes(wire.node)


# -- peers


async def is_delivered(node: LabNode, peer: RawPeer, payload: bytes) -> None:
    """The peer sends a raw message, and the node reads it after everything that came before."""
    count = len(node.inbox)
    message = PssMessage(to=node.address, raw=True, expire=FOREVER, topic=TOPIC, payload=payload)
    peer.send(PSS_CODE, message.encode())
    await until(lambda: len(node.inbox) > count)
    assert node.inbox[-1].payload == payload


def flagged(file: str) -> list[Case]:
    """The cases of a vector file that end the reference."""
    return [case for case in load_cases(VECTORS / file) if case.get("go_panics")]


ENVELOPES = [*flagged("pss_crypto.json"), *flagged("ecies.json")]


@pytest.mark.parametrize("case", ENVELOPES, ids=[f"{case['name']}: {case['reason']}" for case in ENVELOPES])
async def test_an_envelope_that_ends_the_reference_is_passed_on_like_any_other(case: Case) -> None:
    """Spec 06 sections 4 and 7.1: nobody here can open it, which is no offence of who sent it."""
    symmetric = case.get("scheme") == "sym"
    key = None if symmetric else PrivateKey(unhex(case["priv"] if "priv" in case else case["receiver_priv"]))
    async with lab_node(1, key=key) as node, greeted_peer(node, 2) as peer, greeted_peer(node, 3) as other:
        if symmetric:
            node.pss.keys.set_symmetric_key(unhex(case["sym_key"]), TOPIC, b"", add_to_cache=True)
        node.listen(TOPIC, raw=True)
        envelope = unhex(case["envelope"] if "envelope" in case else case["ciphertext"])
        message = PssMessage(to=node.address, symmetric=symmetric, expire=FOREVER, topic=TOPIC, payload=envelope)
        peer.send(PSS_CODE, message.encode())
        while (received := await other.receive()).code != PSS_CODE:
            pass
        assert received.payload == message.encode()
        await is_delivered(node, peer, b"good")
        assert [delivery.payload for delivery in node.inbox] == [b"good"]
        assert node.node.server.peer_count == 2


def test_no_flagged_vector_is_left_out() -> None:
    """Recipients with long addresses are in `vectors/test_pss_forward.py`, the session of crashes is above."""
    found = {path.name for path in VECTORS.glob("*.json") if flagged(path.name)}
    assert found == {"pss_crypto.json", "ecies.json", "pss_forward.json"}
    assert {case["kind"] for case in flagged("pss_forward.json")} == {"recipient"}
    sessions = [case["name"] for case in load_cases(VECTORS / "rpc.json") if "go_panic" in json.dumps(case)]
    assert sessions == [CRASHES["name"]]


OVERLAY_SIZES = (0, 1, 2, 31, 33, 64)


@pytest.mark.parametrize("size", OVERLAY_SIZES)
async def test_an_overlay_address_of_another_length_in_a_handshake(node: LabNode, size: int) -> None:
    """Spec 05 pitfall 9: the reference takes it and ends soon after."""
    fields: list[Any] = list(decode(handshake_of(2)))
    fields[2] = bytes(size)
    async with overlay_peer(node, 2) as peer:
        peer.send(BZZ_CODE, encode(fields))
        assert await told_why(peer) == DisconnectReason.SUBPROTOCOL_ERROR
    assert not node.events.of(Kind.KAD_ON)
    await still_welcomes(node)


@pytest.mark.parametrize("size", OVERLAY_SIZES)
async def test_an_overlay_address_of_another_length_in_hearsay(node: LabNode, size: int) -> None:
    """The other records of the message are taken."""
    bad, good = list(record_of(7).to_items()), list(record_of(8).to_items())
    bad[0] = bytes(size)
    node.listen(TOPIC, raw=True)
    async with greeted_peer(node, 2) as peer:
        peer.send(HIVE_CODE, encode([[*bad, *good]]))
        await until(lambda: node.overlay.kademlia.get_known(record_of(8).overlay))
        await is_delivered(node, peer, b"good")
        assert node.overlay.kademlia.get_known(record_of(7).overlay) is None
    await still_welcomes(node)


@pytest.mark.parametrize("payload", ["c111", "c211c0"])
async def test_disconnect_reason_17_is_taken_and_not_echoed(node: LabNode, payload: str) -> None:
    """The reference looks for its text behind the end of a table."""
    async with greeted_peer(node, 2) as peer:
        peer.send(BaseCode.DISCONNECT, bytes.fromhex(payload))
        assert await peer.farewell() == CLOSED
    await node.events.wait(Kind.DROP)
    await still_welcomes(node)


def test_disconnect_reason_17_is_never_sent() -> None:
    assert 17 not in set(DisconnectReason)
