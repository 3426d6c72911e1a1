"""JSON-RPC over a Unix stream socket (spec 03 section 4.1).

Deliberately unknown here: messages. A connection is an `asyncio.Protocol` around a `Session`, without stream objects in
between, because this is the transport that everything fast goes over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Self

from node.errors import ConfigError
from node.rpc.registry import Registry
from node.rpc.session import Responses, Session
from node.rpc.stream import MAX_MESSAGE_CHARS

MAX_SOCKET_PATH_BYTES = 107
"""Longest path of a Unix socket: sun_path of Linux has 108 bytes, the last one being zero. Source: unix(7)."""

DIRECTORY_MODE, SOCKET_MODE = 0o751, 0o600
"""Of the directories made for the socket, and of the socket. Source: spec 03 section 4.1."""

WRITE_DEADLINE_S = 10.0
"""How long the other end may take to read what was written, in seconds. Source: spec 03 section 4.1."""

MAX_UNSENT_BYTES = 64 * 1024 * 1024
"""Most bytes that wait for a client to read them; one that lets more pile up is dropped. Source: ours."""

READ_PAUSE_BYTES = 1024 * 1024
"""Unsent bytes from which on no further calls are read, so that a client is answered no faster than it reads."""

BACKLOG = 128
"""Connections that may wait to be accepted. Source: ours; the system's usual limit."""

TURNS_FROM_ACCEPTED_TO_MADE = 3
"""Turns of the event loop until an accepted connection has its protocol; ours: asyncio takes two."""

STALE_PROBE_S = 1.0
"""How long to wait for a server that may be behind an existing socket file, in seconds. Source: ours."""

logger = logging.getLogger(__name__)


class StreamConnection(asyncio.Protocol):
    """One stream connection, of the server or of a client; it is the session's `Outlet`."""

    def __init__(
        self,
        registry: Registry,
        *,
        responses: Responses | None = None,
        on_made: Callable[[StreamConnection], object] | None = None,
        on_lost: Callable[[StreamConnection], object] | None = None,
        write_deadline_s: float = WRITE_DEADLINE_S,
        max_message_chars: int = MAX_MESSAGE_CHARS,
    ) -> None:
        self.session = Session(registry, self, responses=responses, max_message_chars=max_message_chars)
        self.closed = asyncio.get_running_loop().create_future()
        """Done when the connection is gone; never fails."""
        self._on_made, self._on_lost = on_made, on_lost
        self._transport: asyncio.Transport | None = None
        self._written = 0  # bytes ever given to the transport
        self._write_deadline_s = write_deadline_s
        self._deadline: asyncio.TimerHandle | None = None
        self._finishing = False

    # -- asyncio.Protocol --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=READ_PAUSE_BYTES, low=READ_PAUSE_BYTES // 4)
        if self._on_made is not None:
            self._on_made(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self.session.receive_data(data)

    def eof_received(self) -> bool:
        """Called by asyncio; True keeps our half open until running calls are answered."""
        self.session.receive_eof()
        return True

    def pause_writing(self) -> None:
        """Called by asyncio: the other end is slow, so nothing more is read from it for now."""
        if self._transport is not None and not self._finishing:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Called by asyncio."""
        if self._transport is not None and not self._finishing:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._transport = None
        if self._deadline is not None:
            self._deadline.cancel()
        self.session.abort()
        if self._on_lost is not None:
            self._on_lost(self)
        if not self.closed.done():
            self.closed.set_result(None)

    # -- Outlet ------------------------------------------------------------------------------------------------------

    def send(self, messages: list[str]) -> None:
        """See `Outlet`."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            logger.warning("dropping a client that does not read: more than %d bytes unsent", MAX_UNSENT_BYTES)
            self.abort()
            return
        data = ("\n".join(messages) + "\n").encode("utf-8", "replace")
        self._written += len(data)
        transport.write(data)
        if self._deadline is None and transport.get_write_buffer_size():
            self._watch(transport)

    def finish(self) -> None:
        """See `Outlet`."""
        self._finishing = True
        if self._transport is not None:
            self._transport.close()  # writes out what is buffered; the deadline still runs

    def abort(self) -> None:
        """Close at once, dropping what is unsent."""
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Until the connection is gone and none of its calls runs."""
        await self.closed
        await self.session.wait_closed()

    def _watch(self, transport: asyncio.Transport) -> None:
        # all that is written by now has to be gone by then
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._write_deadline_s, self._deadline_passed, transport, self._written)

    def _deadline_passed(self, transport: asyncio.Transport, written: int) -> None:
        self._deadline = None
        unsent = transport.get_write_buffer_size()
        if self._written - unsent < written:
            logger.warning("dropping a client that has not read for %g s", self._write_deadline_s)
            transport.abort()
        elif unsent:
            self._watch(transport)


class IPCServer:
    """A listening socket file. `start`, then `close`; or `async with`.

    Args:
        registry: what may be called.
        path: of the socket file; its directories are made.
    """

    def __init__(self, registry: Registry, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._registry = registry
        self._server: asyncio.Server | None = None
        self._inode: int | None = None
        self._connections: set[StreamConnection] = set()
        self._closed = False
        self._closing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            ConfigError: the path is too long, is in use, is no socket, or cannot be bound.
        """
        listener = bind_socket(self.path)
        try:
            self._inode = os.stat(self.path).st_ino
            self._server = await asyncio.get_running_loop().create_unix_server(
                lambda: StreamConnection(self._registry, on_made=self._opened, on_lost=self._connections.discard),
                sock=listener,
                backlog=BACKLOG,
            )
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        """Stop listening, remove the file, cut all connections and wait for their calls to end.

        Cancelled, it goes on without its caller; another call waits for it.
        """
        if self._server is None:
            return
        if self._closing is None or self._closing.done():  # done without success
            self._closed = True
            self._closing = asyncio.create_task(self._close(self._server), name="close an IPC server")
        await asyncio.shield(self._closing)

    async def _close(self, server: asyncio.Server) -> None:
        # What is accepted already must reach its protocol before the server closes: asyncio (3.11) would forget it,
        # and its client would wait for an end of file for ever.
        loop = asyncio.get_running_loop()
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())
        for _ in range(TURNS_FROM_ACCEPTED_TO_MADE):
            await asyncio.sleep(0)
        server.close()
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == self._inode:  # not one that somebody else has put there since
                self.path.unlink()
        connections = list(self._connections)
        for connection in connections:
            connection.abort()
        for connection in connections:
            await connection.wait_closed()
        self._server = self._closing = None

    def _opened(self, connection: StreamConnection) -> None:
        if self._closed:  # it was accepted just before
            connection.abort()
        else:
            self._connections.add(connection)


def bind_socket(path: Path) -> socket.socket:
    """A bound Unix socket whose file only its owner can open, from the first moment on.

    Raises:
        ConfigError: see `IPCServer.start`.
    """
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH_BYTES:
        raise ConfigError(f"IPC path is {length} bytes long, at most {MAX_SOCKET_PATH_BYTES} are possible: {path}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_directories(path.parent)
        _remove_stale(path)
        old_umask = os.umask(0o777 & ~SOCKET_MODE)  # chmod after bind would leave a moment for others to connect
        try:
            listener.bind(os.fspath(path))
        finally:
            os.umask(old_umask)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen at IPC path {path}: {error}") from error
    except ConfigError:
        listener.close()
        raise
    return listener


def _make_directories(directory: Path) -> None:
    missing = []
    while not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):
            each.mkdir(mode=DIRECTORY_MODE)


def _remove_stale(path: Path) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"IPC path is a file that is no socket: {path}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(STALE_PROBE_S)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            pass
        else:
            raise ConfigError(f"another server is listening at IPC path {path}")
    path.unlink(missing_ok=True)
