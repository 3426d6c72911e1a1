"""Rows of the namespaces `hive` and `bzz`, and of what `pss` repeats of them (spec 05 sections 9 to 11)."""

from __future__ import annotations

import base64
from typing import Any

from node.events import Kind
from node.swarm.messages import SubPeersMsg
from node.swarm.proximity import proximity_order
from tests.integration.rpc.surface import (
    BASE64,
    INT,
    METHOD_NOT_FOUND,
    NODE_ID,
    OBJECT,
    POT,
    STRING,
    UINT8,
    UINT64,
    Context,
    Fits,
    Row,
    address_base64,
    crashes,
    matches,
    node_id,
    own_address,
    refused,
)
from tests.support.nodes import NETWORK_ID, greeted_peer, receive_hive

KADEMLIA = {
    "kademliaInfo",
    "getHealthInfo",
    "neighbourhoodDepth",
    "neighbourhoodDepthCapability",
    "saturation",
    "isWithinDepth",
}
"""What `hive` and `pss` both have."""

SPECIFIED = {
    *(f"{namespace}_{name}" for namespace in ("hive", "pss") for name in KADEMLIA),
    *(f"hive_{name}" for name in ("string", "nodeInfo", "baseAddr", "peer", "peerInfo", "notifyDepth")),
    *(f"bzz_{name}" for name in ("hive", "kademliaInfo", "string", "get", "isRegisteredCapability")),
    *(f"bzz_{name}" for name in ("matchCapability", "registerCapability", "info")),
}
"""Everything named in spec 05 section 11 but the diagnostics of storage."""

NOBODY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
TABLE = matches(r"\n=+\n.* hive: queen's address: [0-9a-f]{64}\npopulation: 1 \(\d+\), .*=")
FULL_BITS = [bit == "1" for bit in "1100110000000001"]
PSS_BITS = [bit == "1" for bit in "11000110"]


def _health(*, found: bool) -> Fits:
    """The report about one other node, which is there or not."""

    def check(c: Context, got: dict[str, Any]) -> bool:
        missing = None if found else [NOBODY]
        return {key: value for key, value in got.items() if key not in ("Hive", "Saturated")} == {
            "KnowNN": found,
            "CountKnowNN": int(found),
            "MissingKnowNN": missing,
            "ConnectNN": found,
            "CountConnectNN": int(found),
            "MissingConnectNN": missing,
        }

    return Fits("health", check)


def _is_info(c: Context, got: dict[str, Any]) -> bool:
    """The structured table: node two in the row of its proximity; peers that other rows had may still be known."""
    row = proximity_order(c.one.address, c.two.address)
    connections: list[Any] = [None] * 16
    connections[row] = [c.two.address.hex()]
    return (
        got.keys() == {"self", "depth", "total_connections", "total_known", "connections", "known"}
        and (got["self"], got["depth"], got["total_connections"]) == (c.one.address.hex(), 0, 1)
        and got["connections"] == connections
        and got["total_known"] == sum(len(known or ()) for known in got["known"])
        and c.two.address.hex() in got["known"][row]
    )


INFO = Fits("structured table", _is_info)


async def _reaches_the_peers(c: Context, result: Any) -> None:
    async with greeted_peer(c.one, 51) as peer:
        assert "error" not in await c.wire.ask("hive_notifyDepth", [7])
        while (message := await receive_hive(peer)) != SubPeersMsg(depth=7):
            assert message is not None
    await c.one.events.wait(Kind.KAD_OFF, count=len(c.one.events.of(Kind.KAD_ON)) - 1)


def _own_settings(c: Context, got: dict[str, Any]) -> bool:
    own = {"NetworkID": NETWORK_ID, "BzzKey": own_address(c), "PublicKey": "0x" + c.one.key.public.uncompressed.hex()}
    pss = {"MsgTTL", "CacheTTL", "SymKeyCacheCapacity", "AllowRaw", "AllowForward"}
    return own.items() <= got.items() and pss <= got["Pss"].keys()


def new_capability(c: Context) -> dict[str, Any]:
    """One that no other row registers."""
    return {"Id": 1000 + int.from_bytes(c.raw_topic, "big"), "Cap": [True, False, True]}


async def _is_registered(c: Context, result: Any) -> None:
    capability = await c.value(new_capability)
    assert (await c.wire.ask("bzz_get", [capability["Id"]]))["result"] == capability


def _kademlia(namespace: str) -> list[Row]:
    """The rows of the methods in both namespaces."""
    health, within = f"{namespace}_getHealthInfo", f"{namespace}_isWithinDepth"
    among, pot = f"{namespace}_neighbourhoodDepthCapability", {"NNSet": [address_base64], "PeersPerBin": []}
    return [
        Row(method=f"{namespace}_kademliaInfo", why="table", result=INFO),
        Row(method=f"{namespace}_neighbourhoodDepth", why="few peers", result=0),
        Row(method=f"{namespace}_saturation", why="few peers", result=0),
        *(
            row
            for name in ("kademliaInfo", "neighbourhoodDepth", "saturation")
            for row in refused(f"{namespace}_{name}")
        ),
        *(Row(method=among, why=name, params=[name], result=0) for name in ("full", "light")),
        crashes(among, "unknown", "Unknown capability index nosuch", "nosuch"),
        crashes(among, "empty", "Unknown capability index ", ""),
        *refused(among, (STRING, "full")),
        Row(method=within, why="depth 0", params=[address_base64], result=True),
        *refused(within, (BASE64, address_base64)),
        Row(method=health, why="neighbour is there", params=[pot], result=_health(found=True)),
        Row(
            method=health,
            why="neighbour is missing",
            params=[{"NNSet": [NOBODY], "PeersPerBin": [1]}],
            result=_health(found=False),
        ),
        Row(
            method=health,
            why="unknown keys are ignored",
            params=[{"00" * 32: pot}],
            result=Fits("all well", lambda c, got: got["KnowNN"] is got["ConnectNN"] is True),
        ),
        crashes(health, "nothing to compare with", "no peer pot given"),
        crashes(health, "null to compare with", "no peer pot given", None),
        *refused(health, (POT, pot), optional=True),
    ]


ROWS: list[Row] = [
    *_kademlia("hive"),
    *_kademlia("pss"),
    *(Row(method=name, why="text", result=TABLE) for name in ("hive_string", "hive_nodeInfo", "bzz_hive")),
    Row(method="hive_baseAddr", why="own", result=lambda c: base64.b64encode(c.one.address).decode()),
    Row(method="bzz_kademliaInfo", why="table", result=INFO),
    Row(method="bzz_string", why="capabilities", result=matches("0:1100110000000001,1:11000110(,.+)?")),
    Row(method="bzz_info", why="own", result=Fits("settings", _own_settings)),
    *refused("bzz_info"),
    *(
        row
        for name in ("hive_string", "hive_nodeInfo", "bzz_hive", "hive_baseAddr", "bzz_kademliaInfo", "bzz_string")
        for row in refused(name)
    ),
    Row(
        method="hive_peer",
        why="node two",
        params=[node_id],
        result={
            "OAddr": address_base64,
            "UAddr": lambda c: base64.b64encode(c.one.overlay.record(c.two.enode.id).underlay).decode(),
            "Capabilities": {"Caps": [{"Id": 0, "Cap": FULL_BITS}, {"Id": 1, "Cap": PSS_BITS}]},
        },
    ),
    Row(
        method="hive_peerInfo",
        why="node two",
        params=[node_id],
        result={
            "OAddr": lambda c: "0x" + node_id(c),
            "UAddr": lambda c: "0x" + c.one.overlay.record(c.two.enode.id).underlay.hex(),
        },
    ),
    *(Row(method=f"hive_{name}", why="a stranger", params=["00" * 32], result=None) for name in ("peer", "peerInfo")),
    *(row for name in ("hive_peer", "hive_peerInfo") for row in refused(name, (NODE_ID, node_id))),
    Row(method="hive_notifyDepth", why="told", params=[3], result=None, then=_reaches_the_peers),
    *refused("hive_notifyDepth", (UINT8, 1)),
    Row(method="bzz_get", why="preset", params=[0], result={"Id": 0, "Cap": FULL_BITS}),
    Row(method="bzz_get", why="pss", params=[1], result={"Id": 1, "Cap": PSS_BITS}),
    Row(method="bzz_get", why="unknown", params=[7], result=None),
    Row(method="bzz_isRegisteredCapability", why="known", params=[1], result=True),
    Row(method="bzz_isRegisteredCapability", why="unknown", params=[7], result=False),
    *(row for name in ("bzz_get", "bzz_isRegisteredCapability") for row in refused(name, (UINT64, 1))),
    Row(method="bzz_matchCapability", why="set", params=[1, 0], result=True),
    Row(method="bzz_matchCapability", why="not set", params=[1, 4], result=False),
    crashes("bzz_matchCapability", "out of range", "Capability 1 idx 9 out of range", 1, 9),
    crashes("bzz_matchCapability", "negative", "Capability 1 idx -1 out of range", 1, -1),
    crashes("bzz_matchCapability", "unknown", "Capability 7 not registered", 7, 0),
    *refused("bzz_matchCapability", (UINT64, 1), (INT, 0)),
    Row(method="bzz_registerCapability", why="new", params=[new_capability], result=None, then=_is_registered),
    crashes("bzz_registerCapability", "known", "Capability id 0 already registered", {"Id": 0, "Cap": FULL_BITS}),
    *refused("bzz_registerCapability", (OBJECT, new_capability)),
    *(
        Row(
            method=f"hive_{name}",
            why="accident of the reference",
            error=(METHOD_NOT_FOUND, f"the method hive_{name} does not exist/is not available"),
        )
        for name in ("eachConn", "eachAddr", "register", "on", "off", "start", "stop", "suggestPeer")
    ),
]
