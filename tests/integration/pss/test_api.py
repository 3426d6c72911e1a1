"""pss_* over IPC: encodings, results and error texts (spec 06 section 9)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from node.errors import RPCError
from node.pss.keystore import format_pubkey_id
from node.rpc.client import RPCClient
from tests.support.nodes import LabNode, bzz_key, connect, lab_node
from tests.support.waiting import DEADLINE_S, until

TOPIC = "0x2c26b46b"
KEY_ID = format_pubkey_id(bzz_key(2).public)
ADDRESS = "0x" + bzz_key(2).public.overlay.hex()
SHARED = base64.b64encode(bytes(range(32))).decode()
UNKNOWN_ID = "ab" * 32
NO_0X = "hex string without 0x prefix"
BYTES = "into Go value of type hexutil.Bytes"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[LabNode]:
    async with lab_node(1, data_dir=tmp_path, ipc_path="node.ipc") as running:
        yield running


@pytest.fixture
async def client(node: LabNode) -> AsyncIterator[RPCClient]:
    async with await RPCClient.connect(str(node.node.config.ipc_endpoint)) as client:
        yield client


async def refusal(client: RPCClient, method: str, *params: object) -> tuple[int, str]:
    with pytest.raises(RPCError) as caught:
        await client.call(f"pss_{method}", *params)
    return caught.value.code, caught.value.message


# -- who we are


async def test_who_we_are(client: RPCClient, node: LabNode) -> None:
    address, key = node.address.hex(), node.key.public.uncompressed.hex()
    assert await client.call("pss_baseAddr") == f"0x{address}"
    assert await client.call("pss_getPublicKey") == f"0x{key}"
    assert await client.call("pss_string") == f"pss: addr {address}, pubkey {key}"
    assert await client.call("pss_neighbourhoodDepth") == 0
    assert (await client.call("pss_kademliaInfo"))["self"] == address


@pytest.mark.parametrize(
    ("name", "topic"),
    [("foo", TOPIC), ("", "0xe3b0c442"), ("foo:42", "0x75d158a6"), ("fooping:42", "0x1b9b83a9")],
)
async def test_topics_of_names(client: RPCClient, name: str, topic: str) -> None:
    assert await client.call("pss_stringToTopic", name) == topic


@pytest.mark.parametrize("method", ["start", "stop", "run", "protocols", "apis", "eachConn", "publicKey", "receive"])
async def test_nothing_else_is_exposed(client: RPCClient, method: str) -> None:
    text = f"the method pss_{method} does not exist/is not available"
    assert await refusal(client, method) == (-32601, text)


# -- keys


async def test_contacts(client: RPCClient) -> None:
    assert await client.call("pss_getPeerTopics", KEY_ID) is None
    assert await client.call("pss_setPeerPublicKey", KEY_ID, TOPIC, ADDRESS) is None
    assert await client.call("pss_setPeerPublicKey", KEY_ID, "0x01", "0x") is None
    assert sorted(await client.call("pss_getPeerTopics", KEY_ID)) == ["0x01000000", TOPIC]
    assert await client.call("pss_getPeerAddress", KEY_ID, TOPIC) == ADDRESS
    assert await client.call("pss_getPeerAddress", KEY_ID, "0x01000000ffff") == "0x"
    assert await client.call("pss_getAddress", TOPIC, True, KEY_ID) == ADDRESS
    assert await client.call("pss_getAsymmetricAddressHint", TOPIC, KEY_ID) == ADDRESS
    assert await client.call("pss_setPeerPublicKey", KEY_ID, TOPIC, "0x7b") is None
    assert await client.call("pss_getPeerAddress", KEY_ID, TOPIC) == "0x7b"


async def test_symmetric_keys(client: RPCClient) -> None:
    key_id = await client.call("pss_setSymmetricKey", SHARED, TOPIC, ADDRESS, True)
    assert len(bytes.fromhex(key_id)) == 32
    assert await client.call("pss_getSymmetricKey", key_id) == "0x" + bytes(range(32)).hex()
    assert await client.call("pss_getSymmetricAddressHint", TOPIC, key_id) == ADDRESS
    assert await client.call("pss_getAddress", TOPIC, False, key_id) == ADDRESS
    assert await client.call("pss_setSymmetricKey", SHARED, TOPIC, ADDRESS, True) != key_id
    made = await client.call("pss_generateSymmetricKey", TOPIC, "0x", False)
    assert len(bytes.fromhex((await client.call("pss_getSymmetricKey", made))[2:])) == 32
    # Like the reference, an address that no message can carry is taken here and refused when it is used.
    endless = await client.call("pss_generateSymmetricKey", TOPIC, "0x" + "ff" * 40, False)
    assert await refusal(client, "sendSym", endless, TOPIC, "0x00") == (-32000, "address too long")


# -- what is refused

HEX_OF_ID = UNKNOWN_ID.encode().hex()
SERVER_ERRORS: list[tuple[str, list[object], str]] = [
    ("setPeerPublicKey", ["0x0102", TOPIC, "0x"], "Cannot unmarshal pubkey: " + b"0x0102".hex()),
    ("setPeerPublicKey", ["0x", TOPIC, "0x"], "Cannot unmarshal pubkey: " + b"0x".hex()),
    ("setPeerPublicKey", ["0x04" + "00" * 64, TOPIC, "0x"], "Cannot unmarshal pubkey: "),
    ("setPeerPublicKey", [f"0x{bzz_key(2).public.compressed.hex()}", TOPIC, "0x"], "Cannot unmarshal pubkey: "),
    ("setPeerPublicKey", [KEY_ID, TOPIC, "0x" + "00" * 33], "Invalid key: "),
    ("getPeerAddress", [KEY_ID, TOPIC], f"peer with pubkey {KEY_ID}, topic 2c26b46b not found"),
    ("getAddress", [TOPIC, True, UNKNOWN_ID], f"pubkey/topic pair {HEX_OF_ID}/2c26b46b doesn't exist"),
    ("getAddress", [TOPIC, False, UNKNOWN_ID], f"symkey/topic pair {HEX_OF_ID}/2c26b46b doesn't exist"),
    ("setSymmetricKey", ["AAAA", TOPIC, "0x", True], "wrong key size: 3"),
    ("setSymmetricKey", ["", TOPIC, "0x", True], "wrong key size: 0"),
    ("setSymmetricKey", [None, TOPIC, "0x", True], "wrong key size: 0"),
    ("setSymmetricKey", [SHARED, TOPIC, "0x" + "00" * 33, True], "address too long"),
    ("getSymmetricKey", [UNKNOWN_ID], "non-existent key ID"),
    ("sendAsym", [KEY_ID, TOPIC, "0x"], "invalid message length"),
    ("sendAsym", [KEY_ID, TOPIC, ""], "invalid message length"),
    ("sendAsym", ["foo", TOPIC, "0x00"], "Cannot unmarshal pubkey: " + b"foo".hex()),
    ("sendAsym", [KEY_ID, TOPIC, "0x00"], f"invalid topic '{TOPIC}' for pubkey '{KEY_ID}'"),
    ("sendSym", [UNKNOWN_ID, TOPIC, "0x00"], f"missing valid send symkey {UNKNOWN_ID}: non-existent key ID"),
    ("sendRaw", ["0x", TOPIC, "0x"], "invalid message length"),
    ("sendRaw", ["0x" + "00" * 33, TOPIC, "0x00"], "address too long"),
]
INVALID: list[tuple[str, list[object], str]] = [
    ("stringToTopic", [], "missing value for required argument 0"),
    ("stringToTopic", ["a", "b"], "too many arguments, want at most 1"),
    ("stringToTopic", [1], "invalid argument 0: json: cannot unmarshal number into Go value of type string"),
    ("setPeerPublicKey", [KEY_ID], "missing value for required argument 1"),
    ("setPeerPublicKey", [KEY_ID[2:], TOPIC, "0x"], f"invalid argument 0: json: cannot unmarshal {NO_0X} {BYTES}"),
    ("setPeerPublicKey", ["0x0", TOPIC, "0x"], "invalid argument 0: json: cannot unmarshal hex string of odd length"),
    ("setPeerPublicKey", [KEY_ID, "2c26b46b", "0x"], f"invalid argument 1: {NO_0X}"),
    ("setPeerPublicKey", [KEY_ID, "", "0x"], "invalid argument 1: empty hex string"),
    ("setPeerPublicKey", [KEY_ID, TOPIC, "7b"], f"invalid argument 2: {NO_0X}"),
    ("setPeerPublicKey", [KEY_ID, TOPIC, "0x7"], "invalid argument 2: hex string of odd length"),
    ("setPeerPublicKey", [KEY_ID, TOPIC, "0xzz"], "invalid argument 2: invalid hex string"),
    ("setPeerPublicKey", [KEY_ID, TOPIC, ""], "invalid argument 2: empty hex string"),
    ("setSymmetricKey", ["00" * 32 + "!", TOPIC, "0x", True], "invalid argument 0: illegal base64 data at input byte"),
    ("setSymmetricKey", [SHARED, TOPIC, "0x", 1], "invalid argument 3: json: cannot unmarshal number into Go value"),
    ("sendRaw", ["0x", TOPIC, "hello"], f"invalid argument 2: json: cannot unmarshal {NO_0X} {BYTES}"),
    ("sendRaw", ["0x", TOPIC, None], f"invalid argument 2: json: cannot unmarshal non-string {BYTES}"),
    ("subscribe", ["receive"], "missing value for required argument"),
    ("subscribe", ["receive", TOPIC, True], "missing value for required argument"),
    ("subscribe", ["receive", TOPIC, "yes", False], "json: cannot unmarshal string into Go value of type bool"),
]


@pytest.mark.parametrize(("method", "params", "text"), SERVER_ERRORS)
async def test_what_means_nothing_is_refused(client: RPCClient, method: str, params: list[object], text: str) -> None:
    code, message = await refusal(client, method, *params)
    assert code == -32000
    assert message.startswith(text)


@pytest.mark.parametrize(("method", "params", "text"), INVALID)
async def test_what_does_not_decode_is_refused(client: RPCClient, method: str, params: list[object], text: str) -> None:
    code, message = await refusal(client, method, *params)
    assert code == -32602
    assert text in message


async def test_a_known_key_on_another_topic(client: RPCClient) -> None:
    key_id = await client.call("pss_setSymmetricKey", SHARED, TOPIC, ADDRESS, False)
    text = f"invalid topic '0x01000000' for symkey '{key_id}'"
    assert await refusal(client, "sendSym", key_id, "0x01", "0x00") == (-32000, text)


async def test_subscriptions_that_are_not_there(client: RPCClient) -> None:
    text = 'no "forget" subscription in pss namespace'
    assert await refusal(client, "subscribe", "forget", TOPIC, False, False) == (-32601, text)
    assert await refusal(client, "unsubscribe", "0x1234") == (-32000, "subscription not found")


# -- messages


async def test_notifications_of_all_three_kinds(client: RPCClient, node: LabNode) -> None:
    async with lab_node(2) as sender, await sender.node.attach() as other, asyncio.timeout(DEADLINE_S):
        await connect(sender, node)
        events: Any = await client.subscribe("pss", "receive", TOPIC, True, False)
        received = await client.call("pss_setSymmetricKey", SHARED, TOPIC, "0x", True)

        to, own_id = await client.call("pss_baseAddr"), await client.call("pss_getPublicKey")
        await other.call("pss_setPeerPublicKey", own_id, TOPIC, to)
        sent = await other.call("pss_setSymmetricKey", SHARED, TOPIC, to, False)

        assert await other.call("pss_sendAsym", own_id, TOPIC, "0x626172") is None
        expected = {"Msg": "0x626172", "Asymmetric": True, "Key": format_pubkey_id(sender.key.public)}
        assert await anext(events) == expected

        assert await other.call("pss_sendSym", sent, TOPIC, "0x626172") is None
        assert await anext(events) == {"Msg": "0x626172", "Asymmetric": False, "Key": received}

        assert await other.call("pss_sendSym", sent, TOPIC, "") is None
        assert await anext(events) == {"Msg": "0x", "Asymmetric": False, "Key": received}

        assert await other.call("pss_sendRaw", to, TOPIC, "0x78797a7a79") is None
        assert await anext(events) == {"Msg": "0x78797a7a79", "Asymmetric": False, "Key": ""}


async def test_unsubscribing_stops_the_notifications(client: RPCClient, node: LabNode) -> None:
    async with lab_node(2) as sender, asyncio.timeout(DEADLINE_S):
        await connect(sender, node)
        topic = bytes.fromhex(TOPIC[2:])
        first: Any = await client.subscribe("pss", "receive", TOPIC, True, False)
        second: Any = await client.subscribe("pss", "receive", TOPIC, True, False)
        assert await client.call("pss_unsubscribe", first.id) is True
        assert len(node.pss.handlers.listening(topic, raw=True)) == 1  # type: ignore[arg-type]
        sender.pss.send_raw(node.address, topic, b"hello")  # type: ignore[arg-type]
        assert (await anext(second))["Msg"] == "0x68656c6c6f"
        assert await refusal(client, "unsubscribe", first.id) == (-32000, "subscription not found")


async def test_subscriptions_end_with_their_connection(node: LabNode) -> None:
    async with await RPCClient.connect(str(node.node.config.ipc_endpoint)) as client:
        await client.subscribe("pss", "receive", TOPIC, False, False)
        assert node.pss.handlers.topics()
    await until(lambda: not node.pss.handlers.topics())
