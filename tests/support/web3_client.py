"""A script written with web3.py for a node: ``python -m tests.support.web3_client TRANSPORT ENDPOINT ENODE HTTP``.

ENODE is another node, to which the first is told to connect, and HTTP its URL, to make it send. A program of its own:
importing web3 raises the recursion limit a hundredfold, and with that a deeply nested message would end a test
process instead of failing in it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any, cast

from web3 import AsyncWeb3, HTTPProvider, IPCProvider, Web3, WebSocketProvider
from web3.providers.base import JSONBaseProvider
from web3.types import EnodeURI, RPCResponse

CONNECT_S = 20.0
PAUSE_S = 0.02
RESEND_S = 0.5
"""A message may be lost while the two nodes have only just connected."""
HELLO = "0x1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8"


def is_a_node(info: Any) -> bool:
    """Whether an answer to admin_nodeInfo is one."""
    return bool(info["enode"].startswith("enode://") and {"bzz", "hive", "pss"} <= set(info["protocols"]))


def check_errors(send: dict[str, Any], unknown: dict[str, Any]) -> None:
    """A call with an argument too few, and one of a method that there is not."""
    error = send["error"]
    assert (error["code"], error["message"]) == (-32602, "missing value for required argument 2")
    error = unknown["error"]
    assert (error["code"], error["message"]) == (-32601, "the method pss_nosuch does not exist/is not available")


def use(provider: JSONBaseProvider, enode: str) -> None:
    """Over a transport that is asked and answers."""

    def ask(method: str, *params: object) -> dict[str, Any]:
        return dict(provider.make_request(method, list(params)))  # type: ignore[arg-type]

    web3 = Web3(provider)
    assert web3.is_connected()
    assert web3.client_version.startswith("pss-lab/v")
    assert ask("web3_sha3", "0x68656c6c6f")["result"] == HELLO
    assert is_a_node(web3.geth.admin.node_info())
    assert web3.geth.admin.peers() == []
    assert web3.geth.admin.add_peer(EnodeURI(enode)) is True
    peers: Callable[[], Any] = web3.geth.admin.peers
    deadline = time.monotonic() + CONNECT_S
    while [peer["name"] for peer in peers()] != ["node-2"]:
        assert time.monotonic() < deadline, peers()
        time.sleep(PAUSE_S)

    address, own_key = ask("pss_baseAddr")["result"], ask("pss_getPublicKey")["result"]
    topic = ask("pss_stringToTopic", "web3")["result"]
    assert ask("pss_sendRaw", address, topic, "0x00")["result"] is None
    assert ask("pss_setPeerPublicKey", own_key, topic, address)["result"] is None
    assert ask("pss_getPeerAddress", own_key, topic)["result"] == address
    assert ask("pss_sendAsym", own_key, topic, "0x00")["result"] is None
    check_errors(ask("pss_sendRaw", address, topic), ask("pss_nosuch"))


class PssProvider(WebSocketProvider):
    """Sets the notifications of pss apart: web3 itself knows those of eth only."""

    def __init__(self, url: str) -> None:
        # Not silenced, web3 takes the error of a method it does not know for nobody's, and ends the connection.
        super().__init__(url, silence_listener_task_exceptions=True)
        self.notifications: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def socket_recv(self) -> RPCResponse:
        while True:
            message: Any = await super().socket_recv()
            if not isinstance(message, dict) or message.get("method") != "pss_subscription":
                return cast("RPCResponse", message)
            self.notifications.put_nowait(message["params"])


async def receive(provider: PssProvider, subscription: str, other: HTTPProvider, address: str, topic: str) -> None:
    """Let the other node send until something comes, and check what it is."""
    sent: list[str] = []
    async with asyncio.timeout(CONNECT_S):
        while True:
            sent.append(f"0x{len(sent):08x}")
            params = [address, topic, sent[-1]]
            answer = await asyncio.to_thread(other.make_request, "pss_sendRaw", params)  # type: ignore[arg-type]
            assert "error" not in answer, answer
            try:
                notification = await asyncio.wait_for(provider.notifications.get(), RESEND_S)
            except TimeoutError:
                continue
            break
    assert notification["subscription"] == subscription
    message = notification["result"]
    assert message["Msg"] in sent, message
    assert (message["Asymmetric"], message["Key"]) == (False, "")


async def use_websocket(url: str, enode: str, other: str) -> None:
    """The same over a transport that also notifies."""
    provider = PssProvider(url)
    async with AsyncWeb3(provider) as web3:

        async def ask(method: str, *params: object) -> dict[str, Any]:
            return dict(await web3.provider.make_request(method, list(params)))

        assert await web3.is_connected()
        assert (await web3.client_version).startswith("pss-lab/v")
        assert (await ask("web3_sha3", "0x68656c6c6f"))["result"] == HELLO
        assert is_a_node(await web3.geth.admin.node_info())
        assert await web3.geth.admin.peers() == []
        assert await web3.geth.admin.add_peer(EnodeURI(enode)) is True
        async with asyncio.timeout(CONNECT_S):
            while [peer["name"] for peer in await web3.geth.admin.peers()] != ["node-2"]:  # noqa: ASYNC110
                await asyncio.sleep(PAUSE_S)

        address, own_key = (await ask("pss_baseAddr"))["result"], (await ask("pss_getPublicKey"))["result"]
        topic = (await ask("pss_stringToTopic", "web3"))["result"]
        subscription = (await ask("pss_subscribe", "receive", topic, True, False))["result"]
        await receive(provider, subscription, HTTPProvider(other), address, topic)
        assert (await ask("pss_unsubscribe", subscription))["result"] is True
        assert (await ask("pss_sendRaw", address, topic, "0x00"))["result"] is None
        assert (await ask("pss_setPeerPublicKey", own_key, topic, address))["result"] is None
        assert (await ask("pss_getPeerAddress", own_key, topic))["result"] == address
        assert (await ask("pss_sendAsym", own_key, topic, "0x00"))["result"] is None
        check_errors(await ask("pss_sendRaw", address, topic), await ask("pss_nosuch"))


if __name__ == "__main__":
    transport, endpoint, other_enode, other_http = sys.argv[1:]
    if transport == "ws":
        asyncio.run(use_websocket(endpoint, other_enode, other_http))
    else:
        use(IPCProvider(endpoint) if transport == "ipc" else HTTPProvider(endpoint), other_enode)
    print("ok")
