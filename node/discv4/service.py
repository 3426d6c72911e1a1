"""Discovery on a UDP socket: the shell around :mod:`node.discv4.core`."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any, Self

from node.discv4.core import Discovery, Event, LookupFinished, RecordChanged, Resolved
from node.discv4.database import Database
from node.discv4.endpoint import Address
from node.enode import IPAddress, Node, parse_ip
from node.enr import Record

log = logging.getLogger(__name__)


def bind_udp(host: str, port: int) -> socket.socket:
    """A UDP socket; an empty host or ``::`` means all interfaces, of IPv4 too.

    Raises:
        OSError: the address cannot be had.
    """
    everywhere = host in ("", "::") and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if everywhere or ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if everywhere:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((host or ("::" if everywhere else "0.0.0.0"), port))  # noqa: S104
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


class DiscoveryService(asyncio.DatagramProtocol):
    """A running node of the discovery network::

    service = await DiscoveryService.open(bind_udp("127.0.0.1", 0), Discovery(key, record))
    nodes = await service.lookup()
    await service.close()
    """

    def __init__(self, sock: socket.socket, core: Discovery) -> None:
        """Use :meth:`open`."""
        self.core = core
        self.unsent = 0
        """Datagrams that the system did not take: buffer full, no route, nobody there."""
        self.on_record: Callable[[Record], None] = lambda record: None
        """Called when our own record changes."""
        self._socket, self._ipv6 = sock, sock.family == socket.AF_INET6
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.BaseTransport
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        """Who waits for the end of a search or a question, by its number."""
        self._closed: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def open(cls, sock: socket.socket, core: Discovery) -> Self:
        """Begin; the socket is closed with the service."""
        service = cls(sock, core)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: service, sock=sock)
        return service

    async def close(self) -> None:
        """Free the socket; searches that run are cancelled."""
        for future in self._waiting.values():
            future.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()
        await self._closed

    async def lookup(self, target: bytes | None = None) -> list[Node]:
        """Search for the nodes closest to `target`, 64 bytes; in a random direction without one."""
        nodes: list[Node] = await self._end_of(self.core.lookup(target, now=self._now()))
        return nodes

    async def resolve(self, node: Node) -> Node | None:
        """Ask where a node is now; None if neither it nor anybody else knows."""
        found: Node | None = await self._end_of(self.core.resolve(node, now=self._now()))
        return found

    async def _end_of(self, number: int) -> Any:
        self._waiting[number] = future = self._loop.create_future()
        self._act([])
        try:
            return await future
        finally:
            del self._waiting[number]

    def remembered(self) -> Database:
        """What is worth knowing in the next run."""
        return self.core.remembered(now=self._now())

    def random_nodes(self, count: int) -> list[Node]:
        """Different nodes of the table, up to `count`."""
        return self.core.random_nodes(count)

    # -- asyncio.DatagramProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.core.start(now=self._now())
        self._act([])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        source = Address(parse_ip(addr[0].partition("%")[0]), addr[1])
        self._act(self.core.receive_datagram(data, source, now=self._now()))

    def error_received(self, exc: Exception) -> None:
        self.unsent += 1
        log.debug("= UDP: %s", exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            log.warning("the discovery socket is lost: %s", exc)
        if self._timer is not None:
            self._timer.cancel()
        self._closed.set_result(None)

    # -- doing what the core says

    def _now(self) -> float:
        now = self._loop.time()
        # Packets carry Unix time; the clock of the loop does not jump when somebody sets the system's.
        self.core.unix_offset = time.time() - now
        return now

    def _act(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case RecordChanged():
                    self.on_record(event.record)
                case LookupFinished():
                    self._finish(event.number, list(event.nodes))
                case Resolved():
                    self._finish(event.number, event.node)
        for datagram in self.core.data_to_send():
            self._send(datagram.data, datagram.to)
        self._arm()

    def _finish(self, number: int, result: object) -> None:
        future = self._waiting.get(number)
        if future is not None and not future.done():
            future.set_result(result)

    def _send(self, data: bytes, to: Address) -> None:
        host = self._host(to.ip)
        try:
            if host is None:
                raise OSError(f"no way to {to.ip} from this socket")
            # Not through the transport, which would keep what the system does not take at once.
            self._socket.sendto(data, (host, to.port))
        except OSError as error:
            self.error_received(error)

    def _host(self, ip: IPAddress) -> str | None:
        """An address as this socket wants it; None if it cannot send there."""
        if self._ipv6:
            return str(ip) if ip.version == 6 else f"::ffff:{ip}"
        return str(ip) if ip.version == 4 else None

    def _arm(self) -> None:
        deadline = self.core.next_deadline()
        if self._timer is not None:
            if self._timer.when() == deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._on_timer) if deadline is not None else None

    def _on_timer(self) -> None:
        self._timer = None
        # The loop calls up to its clock's resolution early.
        self._act(self.core.handle_deadline(now=max(self._now(), self.core.next_deadline() or 0.0)))
