"""Accepting TCP connections, not more at a time than can be set up (spec 02 section 9.4)."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

from node.enode import MAX_PORT, IPAddress, parse_ip
from node.errors import ConfigError
from node.p2p.link import Link, format_endpoint

log = logging.getLogger(__name__)

BACKLOG = 128
ACCEPT_RETRY_S = 0.1
"""Pause when the process is out of file descriptors."""
_TEMPORARY = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED, errno.EINTR}


class Listener:
    """A listening socket; :meth:`run` hands on what connects."""

    def __init__(
        self, address: str, *, admits: Callable[[IPAddress], bool], new_link: Callable[[], Link], max_pending: int
    ) -> None:
        """Listen.

        Args:
            address: ``host:port``; an empty host is all interfaces, port 0 lets the system choose.
            admits: asked with the remote address before a byte is read; False closes the connection without a word.
            new_link: makes the protocol object of a connection.
            max_pending: connections in setup at the same time; accepting pauses above.

        Raises:
            ConfigError: the address cannot be had; the text names it.
        """
        self._socket = _bind(address)
        self._admits, self._new_link = admits, new_link
        self._slots = asyncio.Semaphore(max_pending)
        self.host, self.port = self._socket.getsockname()[:2]
        self.endpoint = format_endpoint(self._socket.getsockname())

    def close(self) -> None:
        self._socket.close()

    async def run(self) -> None:
        """Accept until cancelled."""
        while True:
            await self._slots.acquire()
            try:
                link = await self._accept()
            except OSError as error:
                self._slots.release()
                if error.errno not in _TEMPORARY:
                    raise
                log.warning("accept: %s; going on", error)
                await asyncio.sleep(ACCEPT_RETRY_S)
                continue
            if link is None:
                self._slots.release()
            else:
                link.settled.add_done_callback(lambda _: self._slots.release())

    async def _accept(self) -> Link | None:
        """The next connection, or None if it was turned away at once."""
        await self._readable()
        try:
            # loop.sock_accept would lose the socket if it were cancelled in the same turn.
            sock, address = self._socket.accept()
        except BlockingIOError:
            return None
        if not self._admits(parse_ip(address[0].partition("%")[0])):
            sock.close()
            return None
        sock.setblocking(False)
        # asyncio does so for sockets of which it knows that they are TCP; of accepted ones it does not. Without it a
        # small message may wait 40 ms for the other side's delayed acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _, link = await asyncio.get_running_loop().connect_accepted_socket(self._new_link, sock)
        return link

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._socket, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._socket)


def _bind(address: str) -> socket.socket:
    host, _, port_text = address.rpartition(":")
    if not port_text.isdigit() or int(port_text) > MAX_PORT:
        raise ConfigError(f"listen address {address!r}: no valid port")
    host, port = host.strip("[]"), int(port_text)
    try:
        if not host and socket.has_dualstack_ipv6():
            listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host or "0.0.0.0", port), family=family, backlog=BACKLOG)  # noqa: S104
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(f"listen tcp {address}: {why.lower()}") from error
    listener.setblocking(False)
    return listener
