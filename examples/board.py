"""A notice board: what actors let each other know, in one process or over TCP.

It stands for everything outside the protocols by which people learn each other's addresses and keys: a web page, an
e-mail, a slip of paper. Facts are JSON values; nothing is ever taken down.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

CONNECT_TIMEOUT_S = 20.0
"""For the board's host to come up: it is another container."""
CONNECT_PAUSE_S = 0.05


class BoardGone(Exception):
    """There is no board, or its host left before we were through."""


class Board:
    """Facts by who put them up and what they are about."""

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str], Any] = {}
        self._changed = asyncio.Condition()
        self._gone = False
        self.awaited: list[tuple[str, str]] = []
        """What somebody in this process waits for, by who should tell it."""

    async def put(self, who: str, what: str, value: Any) -> None:
        """Put a fact up for everybody."""
        async with self._changed:
            self._facts[who, what] = value
            self._changed.notify_all()

    async def get(self, who: str, what: str) -> Any:
        """A fact, as soon as it is there.

        Raises:
            BoardGone: it never will be.
        """
        self.awaited.append((who, what))
        try:
            return await self._await(who, what)
        finally:
            self.awaited.remove((who, what))

    async def _await(self, who: str, what: str) -> Any:
        async with self._changed:
            await self._changed.wait_for(lambda: self._gone or (who, what) in self._facts)
            if (who, what) not in self._facts:
                raise BoardGone(f"the board is gone: waiting for {what} of {who}")
            return self._facts[who, what]

    async def close(self) -> None:
        """Nothing new comes."""
        async with self._changed:
            self._gone = True
            self._changed.notify_all()


def _line(who: str, what: str, value: Any) -> bytes:
    return json.dumps([who, what, value]).encode() + b"\n"


class HostedBoard(Board):
    """A board that others reach over TCP."""

    def __init__(self) -> None:
        super().__init__()
        self._guests: set[asyncio.StreamWriter] = set()

    async def put(self, who: str, what: str, value: Any) -> None:
        await super().put(who, what, value)
        for guest in self._guests:
            guest.write(_line(who, what, value))

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._guests.add(writer)
        for (who, what), value in self._facts.items():
            writer.write(_line(who, what, value))
        try:
            while line := await reader.readline():
                await self.put(*json.loads(line))
        except ConnectionError:
            pass  # a guest that has ended
        finally:
            self._guests.discard(writer)
            writer.close()

    @contextlib.asynccontextmanager
    async def hosting(self, host: str, port: int) -> AsyncIterator[HostedBoard]:
        """Open while the block runs; what was put up until then still reaches the guests."""
        try:
            server = await asyncio.start_server(self._welcome, host, port)
        except OSError as error:
            raise BoardGone(f"the board cannot be opened at {host}:{port}: {error.strerror or error}") from None
        try:
            yield self
        finally:
            server.close()
            for guest in list(self._guests):
                guest.close()
            # From Python 3.12 on this also waits until everything is written.
            await server.wait_closed()
            await asyncio.gather(*(guest.wait_closed() for guest in list(self._guests)), return_exceptions=True)


class RemoteBoard(Board):
    """A board that hangs elsewhere."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._writer = writer

    async def put(self, who: str, what: str, value: Any) -> None:
        self._writer.write(_line(who, what, value))
        await self._writer.drain()

    async def _follow(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                await super().put(*json.loads(line))
        except ConnectionError:
            pass
        await self.close()

    @classmethod
    @contextlib.asynccontextmanager
    async def visiting(cls, host: str, port: int) -> AsyncIterator[RemoteBoard]:
        """Connected while the block runs.

        Raises:
            BoardGone: nobody opened the board in time.
        """
        reader, writer = await _connect(host, port)
        board = cls(writer)
        following = asyncio.create_task(board._follow(reader))
        try:
            yield board
        finally:
            following.cancel()
            writer.close()
            await asyncio.gather(following, writer.wait_closed(), return_exceptions=True)


async def _connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while True:
                try:
                    return await asyncio.open_connection(host, port)
                except OSError:
                    await asyncio.sleep(CONNECT_PAUSE_S)  # its host is still starting
    except TimeoutError:
        raise BoardGone(f"nobody opened the board at {host}:{port} within {CONNECT_TIMEOUT_S:g} s") from None
