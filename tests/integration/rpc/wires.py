"""Callers that write JSON-RPC requests themselves and read whatever comes, over each transport."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import aiohttp

from tests.support.nodes import LabNode
from tests.support.waiting import DEADLINE_S


class Wire:
    """Asks a node over one transport. Connects when first used, and again after :meth:`close`.

    Attributes:
        events: notifications that came while an answer was waited for.
    """

    transport = ""

    def __init__(self, node: LabNode) -> None:
        self.node = node
        self.events: list[dict[str, Any]] = []
        self._ids = itertools.count(1)

    async def ask(self, method: str, params: Any = ()) -> dict[str, Any]:
        """The whole answer to a call."""
        number = next(self._ids)
        await self.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        while True:
            answer: dict[str, Any] = await self.receive()
            if answer.get("id") == number:
                return answer
            self.events.append(answer)

    async def event(self, subscription_id: str) -> Any:
        """The next event of a subscription."""
        while True:
            for index, message in enumerate(self.events):
                if message["params"]["subscription"] == subscription_id:
                    return self.events.pop(index)["params"]["result"]
            self.events.append(await self.receive())

    async def send(self, text: str) -> None:
        raise NotImplementedError

    async def receive(self) -> Any:
        """The next message, as JSON, in time."""
        async with asyncio.timeout(DEADLINE_S):
            return json.loads(await self._read())

    async def _read(self) -> str:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class IPCWire(Wire):
    transport = "ipc"
    _stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, text: str) -> None:
        if self._stream is None:
            path = self.node.node.config.ipc_endpoint
            assert path is not None
            self._stream = await asyncio.open_unix_connection(str(path), limit=1 << 20)
        self._stream[1].write(text.encode())

    async def _read(self) -> str:
        assert self._stream is not None
        return (await self._stream[0].readline()).decode()

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream[1].close()
            await stream[1].wait_closed()


class HTTPWire(Wire):
    transport = "http"
    _session: aiohttp.ClientSession | None = None
    _body = ""

    async def send(self, text: str) -> None:
        self._session = self._session or aiohttp.ClientSession()
        url = f"http://{self.node.node.endpoints.http.address}"
        headers = {"Content-Type": "application/json"}
        async with self._session.post(url, data=text.encode(), headers=headers) as response:
            assert response.status == 200
            self._body = await response.text()

    async def _read(self) -> str:
        return self._body

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class WSWire(Wire):
    transport = "ws"
    _session: aiohttp.ClientSession | None = None
    _socket: aiohttp.ClientWebSocketResponse | None = None

    async def send(self, text: str) -> None:
        if self._socket is None or self._socket.closed:
            await self.close()
            self._session = aiohttp.ClientSession()
            self._socket = await self._session.ws_connect(f"ws://{self.node.node.endpoints.ws.address}")
        await self._socket.send_str(text)

    async def _read(self) -> str:
        assert self._socket is not None
        return await self._socket.receive_str()

    async def close(self) -> None:
        session, self._session, self._socket = self._session, None, None
        if session is not None:
            await session.close()


WIRES = (IPCWire, HTTPWire, WSWire)
