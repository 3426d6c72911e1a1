"""Rows of the namespace `pss`: identities, keys, messages (spec 06 section 9)."""

from __future__ import annotations

import base64
from typing import Any

from node.pss.keystore import format_pubkey_id
from tests.integration.rpc.rows_admin import SUBSCRIPTION_ID, UNKNOWN_ID
from tests.integration.rpc.surface import (
    BASE64,
    BOOL,
    BYTES,
    HEX,
    METHOD_NOT_FOUND,
    NO_NOTIFICATIONS,
    STRING,
    Context,
    Fits,
    Row,
    address,
    contact,
    crashes,
    listened,
    matches,
    other_topic,
    own_address,
    public_key,
    refused,
    topic,
)
from tests.support.keys import make_key
from tests.support.waiting import until

SPECIFIED = {
    *(f"pss_{name}" for name in ("baseAddr", "getPublicKey", "stringToTopic", "setPeerPublicKey", "getPeerTopics")),
    *(f"pss_{name}" for name in ("getPeerAddress", "getAddress", "getAsymmetricAddressHint")),
    *(f"pss_{name}" for name in ("getSymmetricAddressHint", "setSymmetricKey", "generateSymmetricKey")),
    *(f"pss_{name}" for name in ("getSymmetricKey", "sendAsym", "sendSym", "sendRaw", "string")),
    "pss_subscribe:receive",
}
"""Everything named in spec 06 section 9.2 but `pss_publicKey`, a dump of a Go object, and the overlay's."""

SECRET = bytes(range(32))
SECRET_BASE64 = base64.b64encode(SECRET).decode()
ID = matches("[0-9a-f]{64}")
LONG = "0x" + "11" * 33
STRANGER = format_pubkey_id(make_key(66).public)
OFF_CURVE = STRANGER[:-1] + format(int(STRANGER[-1], 16) ^ 1, "x")
NO_KEY = "ab" * 32


def hexed(text: str) -> str:
    """How the reference shows ids in some errors."""
    return text.encode().hex()


def shared(c: Context) -> str:
    """The id of a symmetric key that node one has for the topic and node two's address."""
    return c.one.pss.keys.set_symmetric_key(SECRET, c.raw_topic, c.two.address, add_to_cache=True)


def shared_by_both(c: Context) -> str:
    """The same, and node two reads with it."""
    c.two.pss.keys.set_symmetric_key(SECRET, c.raw_topic, c.one.address, add_to_cache=True)
    return shared(c)


def bare_topic(c: Context) -> str:
    return c.raw_topic.hex()


async def _arrives(c: Context, result: Any) -> None:
    await until(lambda: c.inbox)
    assert [delivery.payload for delivery in c.inbox] in ([b"bar"], [b""])


async def _is_kept(c: Context, result: Any) -> None:
    """A key that node one was given or made."""
    found = c.one.pss.keys.symmetric_key(result)
    assert c.one.pss.keys.address(c.raw_topic, asymmetric=False, key_id=result) == c.two.address
    assert len(found.secret) == 32


async def _notifies(c: Context, subscription_id: str) -> None:
    """Messages of all kinds, from node two to node one."""
    keys, to, name = c.two.pss.keys, c.one.address, c.raw_topic
    received = c.one.pss.keys.set_symmetric_key(SECRET, name, b"", add_to_cache=True)
    c.two.pss.send_asymmetric(keys.set_peer_public_key(c.one.key.public, name, to), name, b"bar")
    expected = {"Msg": "0x626172", "Asymmetric": True, "Key": public_key(c)}
    assert await c.wire.event(subscription_id) == expected
    c.two.pss.send_symmetric(keys.set_symmetric_key(SECRET, name, to, add_to_cache=False), name, b"bar")
    expected = {"Msg": "0x626172", "Asymmetric": False, "Key": received}
    assert await c.wire.event(subscription_id) == expected
    c.two.pss.send_raw(to, name, b"xyzzy")
    assert await c.wire.event(subscription_id) == {"Msg": "0x78797a7a79", "Asymmetric": False, "Key": ""}
    assert (await c.wire.ask("pss_unsubscribe", [subscription_id]))["result"] is True


def subscribed(c: Context) -> Any:
    """The id of a subscription on the same connection; over HTTP there is none."""

    async def subscribe() -> str:
        if c.wire.transport == "http":
            return "0x1"
        return str((await c.wire.ask("pss_subscribe", ["receive", topic(c), False, False]))["result"])

    return subscribe()


def _contacts() -> list[Row]:
    set_key, address_of = "pss_setPeerPublicKey", "pss_getPeerAddress"
    keys = {
        "nothing": "0x",
        "empty text": "",
        "short": "0x04",
        "compressed": "0x03" + STRANGER[4:68],
        "no prefix": "0x" + STRANGER[4:],
        "wrong prefix": "0x03" + STRANGER[4:],
        "off the curve": OFF_CURVE,
        "a byte too many": STRANGER + "00",
    }
    unknown = {"pss_getAsymmetricAddressHint": "peer with pubkey {}, topic {} not found"}
    return [
        *(
            Row(method=set_key, why=f"{why} address", params=[public_key, topic, hint])
            for why, hint in {"no": "0x", "part of the": "0x7b", "whole": address}.items()
        ),
        *(
            crashes(set_key, f"key is {why}", f"Cannot unmarshal pubkey: {hexed(key or '0x')}", key, topic, "0x")
            for why, key in keys.items()
        ),
        crashes(set_key, "address too long", matches("Invalid key: .+"), public_key, topic, LONG),
        *refused(set_key, (BYTES, public_key), (HEX, topic), (HEX, "0x")),
        Row(method="pss_getPeerTopics", why="a stranger", params=[STRANGER], result=None),
        Row(
            method="pss_getPeerTopics",
            why="a contact",
            params=[contact],
            result=Fits("the topic", lambda c, got: topic(c) in got),
        ),
        *refused("pss_getPeerTopics", (STRING, STRANGER)),
        Row(method=address_of, why="a contact", params=[contact, topic], result=address),
        crashes(
            address_of,
            "another topic",
            lambda c: f"peer with pubkey {public_key(c)}, topic {other_topic(c)[2:]} not found",
            contact,
            other_topic,
        ),
        crashes(
            address_of,
            "ids are compared letter by letter",
            lambda c: f"peer with pubkey {public_key(c).upper()}, topic {bare_topic(c)} not found",
            lambda c: public_key(c).upper(),
            topic,
        ),
        *refused(address_of, (STRING, contact), (HEX, topic)),
        Row(method="pss_getAsymmetricAddressHint", why="a contact", params=[topic, contact], result=address),
        crashes(
            "pss_getAsymmetricAddressHint",
            "a stranger",
            lambda c: unknown["pss_getAsymmetricAddressHint"].format("0x1", bare_topic(c)),
            topic,
            "0x1",
        ),
        *refused("pss_getAsymmetricAddressHint", (HEX, topic), (STRING, contact)),
    ]


def _symmetric_keys() -> list[Row]:
    set_key, make_key_, address_of = "pss_setSymmetricKey", "pss_generateSymmetricKey", "pss_getAddress"
    sizes = {0: "", 31: base64.b64encode(bytes(31)).decode(), 33: base64.b64encode(bytes(33)).decode()}
    return [
        Row(method=set_key, why="to read", params=[SECRET_BASE64, topic, address, True], result=ID, then=_is_kept),
        Row(method=set_key, why="to write", params=[SECRET_BASE64, topic, address, False], result=ID, then=_is_kept),
        Row(method=set_key, why="numbers", params=[list(SECRET), topic, address, False], result=ID, then=_is_kept),
        *(
            crashes(set_key, f"{size} bytes", f"wrong key size: {size}", text, topic, "0x", True)
            for size, text in sizes.items()
        ),
        crashes(set_key, "null", "wrong key size: 0", None, topic, "0x", True),
        crashes(set_key, "address too long", "address too long", SECRET_BASE64, topic, LONG, True),
        Row(
            method=set_key,
            why="hex",
            params=["00" * 32 + "!", topic, "0x", True],
            error=(-32602, "invalid argument 0: illegal base64 data at input byte 64"),
        ),
        *refused(set_key, (BASE64, SECRET_BASE64), (HEX, topic), (HEX, "0x"), (BOOL, False)),
        Row(method=make_key_, why="to read", params=[topic, address, True], result=ID, then=_is_kept),
        Row(method=make_key_, why="to write", params=[topic, address, False], result=ID, then=_is_kept),
        *refused(make_key_, (HEX, topic), (HEX, "0x"), (BOOL, False)),
        Row(method="pss_getSymmetricKey", why="known", params=[shared], result="0x" + SECRET.hex()),
        *(crashes("pss_getSymmetricKey", f"{key!r}", "non-existent key ID", key) for key in (NO_KEY, "", None)),
        *refused("pss_getSymmetricKey", (STRING, NO_KEY)),
        Row(method="pss_getSymmetricAddressHint", why="known", params=[topic, shared], result=address),
        crashes(
            "pss_getSymmetricAddressHint",
            "unknown",
            lambda c: f"symkey/topic pair {hexed('nokey')}/{bare_topic(c)} doesn't exist",
            topic,
            "nokey",
        ),
        *refused("pss_getSymmetricAddressHint", (HEX, topic), (STRING, NO_KEY)),
        Row(method=address_of, why="of a contact", params=[topic, True, contact], result=address),
        Row(method=address_of, why="of a key", params=[topic, False, shared], result=address),
        crashes(
            address_of,
            "no contact",
            lambda c: f"pubkey/topic pair {hexed('0x1')}/{bare_topic(c)} doesn't exist",
            topic,
            True,
            "0x1",
        ),
        crashes(
            address_of,
            "no key",
            lambda c: f"symkey/topic pair {hexed('nokey')}/{bare_topic(c)} doesn't exist",
            topic,
            False,
            "nokey",
        ),
        *refused(address_of, (HEX, topic), (BOOL, True), (STRING, contact)),
    ]


def _sending() -> list[Row]:
    asym, sym, raw, message = "pss_sendAsym", "pss_sendSym", "pss_sendRaw", "0x626172"
    return [
        Row(method=asym, why="arrives", params=[contact, listened, message], then=_arrives),
        *(crashes(asym, f"message {text!r}", "invalid message length", contact, topic, text) for text in ("0x", "")),
        *(
            crashes(asym, f"{text} is no key", f"Cannot unmarshal pubkey: {hexed(text)}", text, topic, message)
            for text in ("0x04", "nonsense")
        ),
        crashes(
            asym,
            "no contact",
            lambda c: f"invalid topic '{topic(c)}' for pubkey '{STRANGER}'",
            STRANGER,
            topic,
            message,
        ),
        crashes(
            asym,
            "no contact on the topic",
            lambda c: f"invalid topic '{other_topic(c)}' for pubkey '{public_key(c)}'",
            contact,
            other_topic,
            message,
        ),
        *refused(asym, (STRING, contact), (HEX, topic), (BYTES, message)),
        Row(method=sym, why="arrives", params=[shared_by_both, listened, message], then=_arrives),
        Row(method=sym, why="empty", params=[shared_by_both, listened, "0x"], then=_arrives),
        crashes(sym, "no key", "missing valid send symkey nokey: non-existent key ID", "nokey", topic, message),
        Row(
            method=sym,
            why="another topic",
            params=[shared, other_topic, message],
            error=(-32000, matches("invalid topic '0xff[0-9a-f]{6}' for symkey '[0-9a-f]{64}'")),
        ),
        *refused(sym, (STRING, shared), (HEX, topic), (BYTES, message)),
        *(
            Row(method=raw, why=f"arrives by {why}", params=[to, listened, message], then=_arrives)
            for why, to in {
                "address": address,
                "part of the address": lambda c: address(c)[:6],
                "no address": "0x",
            }.items()
        ),
        Row(method=raw, why="to itself", params=[own_address, topic, message]),
        *(crashes(raw, f"message {text!r}", "invalid message length", address, topic, text) for text in ("0x", "")),
        crashes(raw, "address too long", "address too long", LONG, topic, message),
        *refused(raw, (BYTES, address), (HEX, topic), (BYTES, message)),
    ]


ROWS: list[Row] = [
    Row(method="pss_baseAddr", why="own", result=own_address),
    Row(method="pss_getPublicKey", why="own", result=lambda c: format_pubkey_id(c.one.key.public)),
    Row(
        method="pss_string",
        why="own",
        result=lambda c: f"pss: addr {c.one.address.hex()}, pubkey {c.one.key.public.uncompressed.hex()}",
    ),
    *(row for name in ("pss_baseAddr", "pss_getPublicKey", "pss_string") for row in refused(name)),
    *(
        Row(method="pss_stringToTopic", why=repr(text), params=[text], result=name)
        for text, name in {"foo": "0x2c26b46b", "": "0xe3b0c442", "foo:42": "0x75d158a6"}.items()
    ),
    *refused("pss_stringToTopic", (STRING, "foo")),
    *_contacts(),
    *_symmetric_keys(),
    *_sending(),
    Row(
        method="pss_subscribe",
        why="messages of all kinds",
        params=["receive", topic, True, False],
        result=matches(SUBSCRIPTION_ID),
        http=NO_NOTIFICATIONS,
        then=_notifies,
    ),
    Row(
        method="pss_subscribe",
        why="neighbourhood",
        params=["receive", topic, False, True],
        result=matches(SUBSCRIPTION_ID),
        http=NO_NOTIFICATIONS,
    ),
    Row(
        method="pss_subscribe",
        why="unknown",
        params=["baseAddr"],
        error=(METHOD_NOT_FOUND, 'no "baseAddr" subscription in pss namespace'),
        http=NO_NOTIFICATIONS,
    ),
    *refused("pss_subscribe:receive", (HEX, topic), (BOOL, True), (BOOL, False)),
    Row(method="pss_unsubscribe", why="own", params=[subscribed], result=True, http=UNKNOWN_ID),
    Row(method="pss_unsubscribe", why="unknown", params=["0x1234"], error=UNKNOWN_ID),
    *(
        Row(
            method=f"pss_{name}",
            why="accident of the reference",
            error=(METHOD_NOT_FOUND, f"the method pss_{name} does not exist/is not available"),
        )
        for name in ("start", "stop", "run", "off", "eachConn", "protocols", "aPIs", "publicKey", "receive")
    ),
]
