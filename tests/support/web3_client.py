"""What a script written with web3.py does with a node: ``python -m tests.support.web3_client TRANSPORT ENDPOINT``.

A program of its own: importing web3 raises the recursion limit a hundredfold, and with that a deeply nested
message would end a test process instead of failing in it.
"""

from __future__ import annotations

import asyncio
import sys

from web3 import AsyncWeb3, HTTPProvider, IPCProvider, Web3, WebSocketProvider
from web3.providers.base import JSONBaseProvider

from tests.support.keys import make_key

SOMEBODY = f"enode://{make_key(9).public.raw.hex()}@127.0.0.1:1"


def use(provider: JSONBaseProvider) -> None:
    """Over a transport that is asked and answers."""
    web3 = Web3(provider)
    assert web3.is_connected()
    assert web3.client_version.startswith("pss-lab/v")
    assert web3.geth.admin.node_info()["enode"].startswith("enode://")
    assert web3.geth.admin.peers() == []
    assert web3.geth.admin.add_peer(SOMEBODY) is True
    address = provider.make_request("pss_baseAddr", [])["result"]
    topic = provider.make_request("pss_stringToTopic", ["web3"])["result"]
    assert provider.make_request("pss_sendRaw", [address, topic, "0x00"])["result"] is None
    error = provider.make_request("pss_sendRaw", [address, topic])["error"]
    assert (error["code"], error["message"]) == (-32602, "missing value for required argument 2")


async def use_websocket(url: str) -> None:
    """Over a transport that also notifies."""
    async with AsyncWeb3(WebSocketProvider(url)) as web3:
        assert (await web3.client_version).startswith("pss-lab/v")
        assert (await web3.geth.admin.node_info())["enode"].startswith("enode://")
        topic = (await web3.provider.make_request("pss_stringToTopic", ["web3"]))["result"]
        answer = await web3.provider.make_request("pss_subscribe", ["receive", topic, True, False])
        assert answer["result"].startswith("0x")


if __name__ == "__main__":
    transport, endpoint = sys.argv[1:]
    if transport == "ws":
        asyncio.run(use_websocket(endpoint))
    else:
        use(IPCProvider(endpoint) if transport == "ipc" else HTTPProvider(endpoint))
    print("ok")
