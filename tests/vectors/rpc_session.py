"""Repeats a recorded JSON-RPC session (rpc.json) against running nodes and compares every answer."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from tests.vectors.loader import Case

ANSWER_TIMEOUT_S = 10.0
SILENCE_S = 0.3
"""How long nothing may come where nothing is allowed to come."""
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


class Connection:
    """One socket of a session: lines in, lines out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.answers: asyncio.Queue[str] = asyncio.Queue()
        self.notifications: asyncio.Queue[str] = asyncio.Queue()
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, path: str) -> Connection:
        return cls(*await asyncio.open_unix_connection(path, limit=1 << 24))

    async def _read(self) -> None:
        while line := await self._reader.readline():
            text = line.decode()
            kind = self.notifications if '"method":' in text and '_subscription"' in text else self.answers
            kind.put_nowait(text)

    def send(self, text: str) -> None:
        self._writer.write(text.encode())

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        await self._writer.wait_closed()


class Session:
    """The steps of one case, in order."""

    def __init__(self, case: Case, sockets: dict[str, str], values: dict[str, str]) -> None:
        """`sockets` are the nodes' by label, `values` what the nodes have in place of the recorded values."""
        self._steps: list[Case] = case["steps"]
        self._sockets = sockets
        self._values: dict[str, str] = {**case["vars"], **values}
        self._connections: dict[tuple[str, str], Connection] = {}
        self.differences: dict[int, str] = {}

    async def run(self) -> dict[int, str]:
        """What was different, in words by number of step; empty if nothing was."""
        try:
            for number, step in enumerate(self._steps):
                await self._step(number, step)
        finally:
            for connection in self._connections.values():
                await connection.close()
        return self.differences

    async def _step(self, number: int, step: Case) -> None:
        match step["do"]:
            case "call":
                connection = await self._connection(step)
                connection.send(self._fill(step["send"]) + "\n")
                answers = [await self._next(connection.answers, number, step)]
                # Values that later steps use are this node's own from here on, and so is the answer they stand in.
                for name, path in (step.get("save") or {}).items():
                    self._values[name] = _at(json.loads(answers[0] or "null"), path)
                self._compare(number, step, answers)
            case "notifications":
                connection = await self._connection(step)
                expected = step["recv"]
                if not expected:
                    await asyncio.sleep(SILENCE_S)
                    if not connection.notifications.empty():
                        self._differs(number, step, f"unexpected {connection.notifications.get_nowait()}")
                    return
                got = [await self._next(connection.notifications, number, step) for _ in expected]
                self._compare(number, step, got)
            case "wait_peers":
                await self._wait_peers(step)
            case other:
                raise AssertionError(f"a step {other!r} is not for this session")

    async def _wait_peers(self, step: Case) -> None:
        connection = await self._connection({**step, "conn": "waiting"})
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while True:
                connection.send('{"jsonrpc":"2.0","id":1,"method":"admin_peers"}\n')
                peers = json.loads(await connection.answers.get())["result"]
                # The recorded nodes had shaken hands by the time they were asked again.
                if len(peers) == step["count"] and all(
                    value != "handshake" for peer in peers for value in peer["protocols"].values()
                ):
                    break
        info = json.loads(await self._ask(connection, "hive_kademliaInfo"))["result"]
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while info["total_connections"] != step["count"]:
                info = json.loads(await self._ask(connection, "hive_kademliaInfo"))["result"]

    async def _ask(self, connection: Connection, method: str) -> str:
        connection.send(f'{{"jsonrpc":"2.0","id":1,"method":"{method}"}}\n')
        return await connection.answers.get()

    async def _connection(self, step: Case) -> Connection:
        key = (step["node"], step["conn"])
        if key not in self._connections:
            self._connections[key] = await Connection.open(self._sockets[step["node"]])
        return self._connections[key]

    async def _next(self, queue: asyncio.Queue[str], number: int, step: Case) -> str:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await queue.get()
        except TimeoutError:
            self._differs(number, step, "no answer")
            return ""

    def _fill(self, text: str) -> str:
        return _PLACEHOLDER.sub(lambda match: str(self._values[match[1]]), text)

    def _compare(self, number: int, step: Case, got: list[str]) -> None:
        for index, (line, template) in enumerate(zip(got, step["recv"], strict=True)):
            if not line:
                continue
            free = [*_paths(step, "vary", index), *_paths(step, "go_specific", index)]
            unordered = _paths(step, "unordered", index)
            ours = _cleaned(json.loads(line), free, unordered)
            theirs = _cleaned(json.loads(self._fill(template)), free, unordered)
            if ours != theirs:
                self._differs(number, step, f"got {json.dumps(ours)[:400]}\n      expected {json.dumps(theirs)[:400]}")

    def _differs(self, number: int, step: Case, what: str) -> None:
        self.differences[number] = f"step {number} {self._fill(step.get('send') or '')[:160]}\n      {what}"


def _paths(step: Case, kind: str, index: int) -> list[str]:
    per_line = step.get(kind) or []
    if index >= len(per_line):
        return []
    return [per_line[index]] if isinstance(per_line[index], str) else list(per_line[index])


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _cleaned(value: Any, free: list[str], unordered: list[str]) -> Any:
    """The value with everything taken out that may differ. Only the code of an error whose text is free remains."""
    for path in unordered:
        parent, _, last = path.rpartition(".")
        holder = _at(value, parent) if parent else value
        holder[last] = sorted(holder[last], key=json.dumps) if holder[last] is not None else None
    for path in free:
        parent, _, last = path.rpartition(".")
        try:
            holder = _at(value, parent) if parent else value
            key: Any = int(last) if isinstance(holder, list) else last
            if path == "error":
                holder[key] = {"code": holder[key]["code"]}
            else:
                holder[key] = "..."
        except (KeyError, IndexError, TypeError):
            continue  # compared as it is: it must then be missing on both sides
    return value
