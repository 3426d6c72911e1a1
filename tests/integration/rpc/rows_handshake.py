"""Rows of the key exchange in the namespace `pss` (spec 07 section A5)."""

from __future__ import annotations

import functools
from typing import Any

from node.pss.handshake import KEY_LIMIT
from tests.integration.rpc.rows_pss import ID, NO_KEY, shared
from tests.integration.rpc.surface import (
    BOOL,
    HEX,
    SERVER_ERROR,
    STRING,
    Context,
    Fits,
    Row,
    contact,
    crashes,
    other_topic,
    public_key,
    refused,
    topic,
)
from tests.support.waiting import until

SPECIFIED = {
    *(f"pss_{name}" for name in ("addHandshake", "removeHandshake", "handshake", "getHandshakeKeys")),
    *(f"pss_{name}" for name in ("getHandshakeKeyCapacity", "getHandshakePublicKey", "releaseHandshakeKey", "sendSym")),
}
"""Everything named in spec 07 section A5."""

FOUR_IDS = Fits("four ids", lambda c, got: len(set(got)) == 4 and all(ID.check(c, each) for each in got))
FULL = "Incoming symmetric key store is already full"


def both_ready(c: Context) -> str:
    """Each node is a contact of the other, and both exchange keys on the topic: the id of node two."""
    for node, other in ((c.one, c.two), (c.two, c.one)):
        node.pss.keys.set_peer_public_key(other.key.public, c.raw_topic, other.address)
        node.pss.handshakes.activate(c.raw_topic)
        c.cleanups.append(functools.partial(node.pss.handshakes.deactivate, c.raw_topic))
    return public_key(c)


async def exchanged(c: Context) -> str:
    """The same, after an exchange."""
    found = await c.value(both_ready)
    await c.one.pss.handshakes.exchange(found, c.raw_topic, sync=True, flush=True)
    return str(found)


def _keys(c: Context, *, incoming: bool) -> list[str]:
    handshakes = c.one.pss.handshakes
    return handshakes.controller.keys.valid(public_key(c), c.raw_topic, incoming=incoming, now=handshakes.now)


async def incoming_keys(c: Context) -> list[str]:
    await c.value(exchanged)
    return _keys(c, incoming=True)


async def outgoing_keys(c: Context) -> list[str]:
    await c.value(exchanged)
    return _keys(c, incoming=False)


async def a_key(c: Context) -> str:
    """The id of a key to send with."""
    return (await outgoing_keys(c))[0]


async def a_used_up_key(c: Context) -> str:
    key_id = await a_key(c)
    c.one.pss.handshakes.controller.keys.key(key_id).count = KEY_LIMIT
    return key_id


async def expired(c: Context) -> str:
    return f"symetric key expired (id: {await c.value(a_used_up_key)})"


def silent(c: Context) -> str:
    """Node two, a contact that takes part in no exchange, from which node one expects answers quickly."""
    handshakes = c.one.pss.handshakes
    usual, handshakes.timeout_s = handshakes.timeout_s, 0.05
    c.cleanups.append(lambda: setattr(handshakes, "timeout_s", usual))
    return contact(c)


async def _keys_come_later(c: Context, result: Any) -> None:
    await until(lambda: len(_keys(c, incoming=False)) == 4)


async def _is_counted(c: Context, result: Any) -> None:
    assert c.one.pss.handshakes.controller.keys.key(await c.value(a_key)).count == 1


async def _is_released(c: Context, result: Any) -> None:
    assert await c.value(a_key) not in _keys(c, incoming=False)
    assert len(_keys(c, incoming=False)) == 3


ROWS: list[Row] = [
    Row(method="pss_addHandshake", why="begins", params=[topic]),
    *refused("pss_addHandshake", (HEX, topic)),
    Row(method="pss_removeHandshake", why="not active", params=[topic]),
    Row(method="pss_removeHandshake", why="active", params=[lambda c: both_ready(c) and topic(c)]),
    crashes("pss_removeHandshake", "no topic", "missing value for required argument 0"),
    *(
        row
        for row in refused("pss_removeHandshake", (HEX, topic), optional=True)
        if row.params != [None]  # that is no topic, and an error of another code
    ),
    crashes("pss_removeHandshake", "null", "missing value for required argument 0", None),
    Row(method="pss_handshake", why="waits", params=[both_ready, topic, True, True], result=FOUR_IDS),
    Row(method="pss_handshake", why="waits, no flush", params=[both_ready, topic, True, False], result=FOUR_IDS),
    Row(method="pss_handshake", why="flush with keys there", params=[exchanged, topic, True, True], result=FOUR_IDS),
    Row(method="pss_handshake", why="waits not", params=[both_ready, topic, False, False], then=_keys_come_later),
    *(crashes("pss_handshake", f"full, sync {sync}", FULL, exchanged, topic, sync, False) for sync in (True, False)),
    *(
        crashes("pss_handshake", f"{key} is no contact", "Invalid public key", key, topic, False, flush)
        for key, flush in (("0x00", True), ("nokey", False))
    ),
    crashes(
        "pss_handshake",
        "no contact on the topic",
        lambda c: f"Send symkey failed: invalid topic '{other_topic(c)}' for pubkey '{public_key(c)}'",
        contact,
        other_topic,
        True,
        True,
    ),
    crashes("pss_handshake", "no answer", "timeout", silent, topic, True, True),
    *refused("pss_handshake", (STRING, contact), (HEX, topic), (BOOL, False), (BOOL, True)),
    Row(method="pss_getHandshakeKeys", why="in", params=[exchanged, topic, True, False], result=incoming_keys),
    Row(method="pss_getHandshakeKeys", why="out", params=[exchanged, topic, False, True], result=outgoing_keys),
    Row(
        method="pss_getHandshakeKeys",
        why="in and out",
        params=[exchanged, topic, True, True],
        result=lambda c: _keys(c, incoming=True) + _keys(c, incoming=False),
    ),
    Row(method="pss_getHandshakeKeys", why="neither", params=[exchanged, topic, False, False]),
    Row(method="pss_getHandshakeKeys", why="none there", params=["nokey", topic, True, True]),
    *refused("pss_getHandshakeKeys", (STRING, contact), (HEX, topic), (BOOL, True), (BOOL, True)),
    Row(method="pss_getHandshakeKeyCapacity", why="fresh", params=[a_key], result=256),
    Row(method="pss_getHandshakeKeyCapacity", why="used up", params=[a_used_up_key], result=0),
    Row(method="pss_getHandshakePublicKey", why="known", params=[a_key], result=public_key),
    *(
        row
        for name in ("pss_getHandshakeKeyCapacity", "pss_getHandshakePublicKey")
        for row in (
            crashes(name, "unknown", "invalid symkey id nokey", "nokey"),
            Row(
                method=name,
                why="a key of no exchange",
                params=[shared],
                error=(SERVER_ERROR, lambda c: c.value(_of_no_exchange)),
            ),
            *refused(name, (STRING, NO_KEY)),
        )
    ),
    *(
        Row(
            method="pss_releaseHandshakeKey",
            why=f"known, flush {flush}",
            params=[exchanged, topic, a_key, flush],
            result=True,
            then=_is_released,
        )
        for flush in (True, False)
    ),
    Row(method="pss_releaseHandshakeKey", why="unknown", params=[contact, topic, NO_KEY, False], result=False),
    *refused("pss_releaseHandshakeKey", (STRING, contact), (HEX, topic), (STRING, NO_KEY), (BOOL, False)),
    Row(method="pss_sendSym", why="a key of an exchange", params=[a_key, topic, "0x01"], then=_is_counted),
    Row(
        method="pss_sendSym", why="a key used up", params=[a_used_up_key, topic, "0x01"], error=(SERVER_ERROR, expired)
    ),
]


async def _of_no_exchange(c: Context) -> str:
    return f"invalid symkey id {await c.value(shared)}"
