"""Rows of the namespaces `admin`, `rpc` and `web3`, and of JSON-RPC as such (spec 03 sections 2, 3 and 5)."""

from __future__ import annotations

from typing import Any

from tests.integration.rpc.surface import (
    BYTES,
    INT,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    NO_NOTIFICATIONS,
    SERVER_ERROR,
    STRING,
    Context,
    Fits,
    Row,
    crashes,
    enode,
    matches,
    refused,
)
from tests.support.keys import make_key
from tests.support.nodes import overlay_peer

SPECIFIED = {
    "rpc_modules",
    "web3_clientVersion",
    "web3_sha3",
    "admin_addPeer",
    "admin_removePeer",
    "admin_addTrustedPeer",
    "admin_removeTrustedPeer",
    "admin_startRPC",
    "admin_stopRPC",
    "admin_startWS",
    "admin_stopWS",
    "admin_peers",
    "admin_nodeInfo",
    "admin_datadir",
    "admin_subscribe:peerEvents",
}
"""Everything named in spec 03 sections 2 and 5 but `debug_*`, which is about the Go runtime."""

KEY = make_key(77).public.raw.hex()
STRANGER = f"enode://{KEY}@127.0.0.1:1"
NO_ENR = "missing 'enr:' prefix for base64-encoded record"
BAD_URLS = {
    "": NO_ENR,
    "x": NO_ENR,
    "http://127.0.0.1:1": NO_ENR,
    KEY: NO_ENR,
    "enode://": "does not contain node ID",
    "enode://00@127.0.0.1:1": "invalid public key (wrong length, want 128 hex chars)",
    f"enode://{'00' * 64}@127.0.0.1:1": matches("invalid enode: invalid public key.*"),
    f"enode://{KEY}@localhost:1": "invalid IP address",
    f"enode://{KEY}@127.0.0.1": "invalid host: address 127.0.0.1: missing port in address",
    f"enode://{KEY}@127.0.0.1:99999": "invalid port",
    f"enode://{KEY}@127.0.0.1:1?discport=x": "invalid discport in query",
    "enr:-x": matches("invalid enode: .+"),
}
URL_METHODS = ("admin_addPeer", "admin_removePeer", "admin_addTrustedPeer", "admin_removeTrustedPeer")

NODE_INFO_KEYS = {"id", "name", "enode", "enr", "ip", "ports", "listenAddr", "protocols"}
PEER_KEYS = {"enode", "id", "name", "caps", "network", "protocols"}


def _own_info(c: Context, got: dict[str, Any]) -> bool:
    return (
        got.keys() == NODE_INFO_KEYS
        and got["id"] == c.one.enode.id.hex()
        and got["enode"].startswith(f"enode://{make_key(1).public.raw.hex()}@127.0.0.1:")
        and got["protocols"].keys() == {"bzz", "hive", "pss"}
    )


def _node_two(c: Context, got: list[dict[str, Any]]) -> bool:
    (peer,) = got
    return peer.keys() == PEER_KEYS and peer["id"] == c.two.enode.id.hex() and peer["name"] == "node-2"


# -- endpoints that are switched on and off; the next row finds them as the last one did


def restored(c: Context) -> None:
    """Have both endpoints open as in the settings after the row, and nobody on a connection that they have ended."""

    async def restore() -> None:
        for wire in c.wires.values():
            await wire.close()
        for endpoint in c.one.node.endpoints:
            if endpoint.address is not None:
                await endpoint.stop()
            await endpoint.open()

    c.cleanups.append(restore)


async def http_off(c: Context) -> None:
    restored(c)
    await c.one.node.endpoints.http.stop()


async def ws_off(c: Context) -> None:
    restored(c)
    await c.one.node.endpoints.ws.stop()


async def _http_is_off(c: Context, result: Any) -> None:
    assert c.one.node.endpoints.http.address is None


async def _ws_is_off(c: Context, result: Any) -> None:
    assert c.one.node.endpoints.ws.address is None


async def _http_is_on(c: Context, result: Any) -> None:
    assert c.one.node.endpoints.http.address is not None


async def _ws_is_on(c: Context, result: Any) -> None:
    assert c.one.node.endpoints.ws.address is not None


class _Given:
    """A value that needs something done first."""

    def __init__(self, first: Any, value: Any) -> None:
        self._first, self._value = first, value

    async def __call__(self, c: Context) -> Any:
        await c.value(self._first)
        return await c.value(self._value)


HTTP_RUNS = _Given(None, lambda c: f"HTTP RPC already running on {c.one.node.endpoints.http.address}")
WS_RUNS = _Given(None, lambda c: f"WebSocket RPC already running on {c.one.node.endpoints.ws.address}")
MODULES = {name: "1.0" for name in ("admin", "bzz", "hive", "pss", "rpc", "web3")}
BAD_PORT = (SERVER_ERROR, "listen tcp: address 99999: invalid port")
NOT_HTTP, NOT_WS = ("ipc", "ws"), ("ipc", "http")


def _endpoints() -> list[Row]:
    rows = []
    for name, what, off, others, extra in (
        ("RPC", "HTTP RPC", http_off, NOT_HTTP, ["", "admin", "localhost"]),
        ("WS", "WebSocket RPC", ws_off, NOT_WS, ["", "admin"]),
    ):
        is_on, is_off = (_http_is_on, _http_is_off) if name == "RPC" else (_ws_is_on, _ws_is_off)
        start, stop, is_not_on = f"admin_start{name}", f"admin_stop{name}", f"{what} not running"
        host = _Given(off, "127.0.0.1")
        port = _Given(off, 99999)
        rows += [
            Row(method=start, why="all given", params=[host, 0, *extra], result=True, over=others, then=is_on),
            Row(method=start, why="some given", params=[host], result=True, over=others, then=is_on),
            Row(method=start, why="null is not given", params=[_Given(off, None), None], result=True, over=others),
            Row(method=start, why="runs", error=(SERVER_ERROR, HTTP_RUNS if name == "RPC" else WS_RUNS)),
            Row(method=start, why="no port", params=[None, port], error=BAD_PORT, over=others),
            Row(method=stop, why="runs", params=_Given(restored, []), result=True, then=is_off),
            Row(method=stop, why="off", params=_Given(off, []), error=(SERVER_ERROR, is_not_on), over=others),
            *refused(stop),
            *refused(
                start, (STRING, "127.0.0.1"), (INT, 0), *((STRING, text) for text in extra), optional=True
            ),
        ]  # fmt: skip
    return rows


# -- events


async def _sees_a_peer_come_and_go(c: Context, subscription_id: str) -> None:
    async with overlay_peer(c.one, 50):
        event = await c.wire.event(subscription_id)
        assert event["type"] == "add"
        assert event["peer"] == make_key(50).public.node_id.hex()
        assert {"local", "remote"} < event.keys()
    while (event := await c.wire.event(subscription_id))["type"] != "drop":
        pass
    assert event["peer"] == make_key(50).public.node_id.hex()
    assert (await c.wire.ask("admin_unsubscribe", [subscription_id]))["result"] is True


def watching(c: Context) -> Any:
    """The id of a subscription on the same connection; over HTTP there is none."""

    async def subscribe() -> str:
        if c.wire.transport == "http":
            return "0x1"
        return str((await c.wire.ask("admin_subscribe", ["peerEvents"]))["result"])

    return subscribe()


SUBSCRIPTION_ID = r"0x(0|[1-9a-f][0-9a-f]{0,31})"
UNKNOWN_ID = (SERVER_ERROR, "subscription not found")
NO_ID = "json: cannot unmarshal number into Go value of type rpc.ID"

ROWS: list[Row] = [
    # JSON-RPC as such
    Row(
        method="rpc_modules",
        why="all",
        result=MODULES,
    ),
    *refused("rpc_modules"),
    Row(method="rpc_modules", why="no array", params={}, error=(INVALID_PARAMS, "non-array args")),
    Row(method="rpc_modules", why="null is no argument", params=None, result=MODULES),
    *(
        Row(method=name, why="unknown", error=(METHOD_NOT_FOUND, f"the method {name} does not exist/is not available"))
        for name in ("foo_bar", "foo", "admin_", "_nodeInfo", "ADMIN_nodeInfo", "admin_NodeInfo", "admin_peerEvents")
    ),
    # web3
    Row(method="web3_clientVersion", why="name", result="node-1"),
    *refused("web3_clientVersion"),
    Row(
        method="web3_sha3",
        why="hello",
        params=["0x68656c6c6f"],
        result="0x1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8",
    ),
    *refused("web3_sha3", (BYTES, "0x")),
    # admin
    Row(method="admin_nodeInfo", why="own", result=Fits("own info", _own_info)),
    Row(method="admin_peers", why="one", result=Fits("node two", _node_two)),
    Row(method="admin_datadir", why="absolute", result=lambda c: str(c.one.node.config.data_dir)),
    *(row for name in ("admin_nodeInfo", "admin_peers", "admin_datadir") for row in refused(name)),
    Row(method="admin_addPeer", why="connected already", params=[enode], result=True),
    Row(method="admin_addPeer", why="itself", params=[lambda c: c.one.enode.url], result=True),
    Row(method="admin_addPeer", why="a record", params=[lambda c: c.two.node.server.node_info()["enr"]], result=True),
    crashes("admin_addPeer", "no address", matches(".*it has no address and TCP port to dial"), f"enode://{KEY}"),
    *(Row(method=name, why="a stranger", params=[STRANGER], result=True) for name in URL_METHODS[1:]),
    *(
        crashes(name, f"url {url!r}", text if isinstance(text, Fits) else f"invalid enode: {text}", url)
        for name in URL_METHODS
        for url, text in BAD_URLS.items()
    ),
    *(row for name in URL_METHODS for row in refused(name, (STRING, STRANGER))),
    *(crashes(name, "null is no URL", f"invalid enode: {NO_ENR}", None) for name in URL_METHODS),
    *_endpoints(),
    # events
    Row(
        method="admin_subscribe",
        why="events",
        params=["peerEvents"],
        result=matches(SUBSCRIPTION_ID),
        http=NO_NOTIFICATIONS,
        then=_sees_a_peer_come_and_go,
    ),
    *refused("admin_subscribe:peerEvents"),
    Row(
        method="admin_subscribe",
        why="unknown",
        params=["nosuch"],
        error=(METHOD_NOT_FOUND, 'no "nosuch" subscription in admin namespace'),
        http=NO_NOTIFICATIONS,
    ),
    Row(
        method="nosuch_subscribe",
        why="unknown namespace",
        params=["peerEvents"],
        error=(METHOD_NOT_FOUND, 'no "peerEvents" subscription in nosuch namespace'),
        http=NO_NOTIFICATIONS,
    ),
    *(
        Row(
            method="admin_subscribe",
            why=f"params are {params!r}",
            params=params,
            error=(INVALID_PARAMS, text),
            http=NO_NOTIFICATIONS,
        )
        for params, text in [
            ([], "expected subscription name as first argument"),
            ([5], "expected subscription name as first argument"),
            (None, "non-array args"),
            ({}, "non-array args"),
        ]
    ),
    Row(method="admin_unsubscribe", why="own", params=[watching], result=True, http=UNKNOWN_ID),
    Row(method="nosuch_unsubscribe", why="namespace does not matter", params=[watching], result=True, http=UNKNOWN_ID),
    Row(method="admin_unsubscribe", why="unknown", params=["0x1234"], error=UNKNOWN_ID),
    Row(method="admin_unsubscribe", why="number", params=[5], error=(INVALID_PARAMS, f"invalid argument 0: {NO_ID}")),
    Row(method="admin_unsubscribe", why="none", error=(INVALID_PARAMS, "missing value for required argument 0")),
    Row(
        method="admin_unsubscribe",
        why="two",
        params=["0x1", "0x2"],
        error=(INVALID_PARAMS, "too many arguments, want at most 1"),
    ),
]
