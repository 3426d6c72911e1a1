"""The p2p server: listens, dials, admits peers, runs protocols on them, stops (spec 02 sections 2 and 9)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Self

from node.devp2p.capability import announce, match_protocols
from node.devp2p.messages import BASE_VERSION, Hello
from node.disconnect import DisconnectReason
from node.discv4.service import DiscoveryService
from node.enode import IPAddress, Node
from node.enr import Record, make_record
from node.errors import ConfigError, DialFailed
from node.events import EventBus, Kind
from node.ids import NodeId
from node.networks import is_lan, restricted
from node.p2p import admission, dialer
from node.p2p.config import ServerConfig
from node.p2p.dialer import DIAL_TIMEOUT_S, Dial, DialScheduler
from node.p2p.discovering import Discovering
from node.p2p.finder import Finder
from node.p2p.link import Link
from node.p2p.listener import Listener
from node.p2p.peer import Peer
from node.p2p.ports import bind_ports
from node.p2p.shaper import Shaping
from node.tasks import TaskOwner

__all__ = ["Server", "ServerConfig"]
log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
"""How long :meth:`Server.connect` waits unless told otherwise; an attempt that is refused is made again meanwhile."""
STOP_TIMEOUT_S = 1.5
"""For peers to be told and torn down on stop; SIGTERM has to end a node in two seconds."""


class Server:
    """One node's connections::

    async with Server(ServerConfig(private_key=key, listen_addr="127.0.0.1:0")) as server:
        server.add_peer(other)
    """

    def __init__(self, config: ServerConfig, *, events: EventBus | None = None) -> None:
        if config.private_key is None:
            raise ConfigError("Server.PrivateKey must be set to a non-nil key")
        self.config = config
        self.events = events or EventBus()
        if config.enable_msg_events:
            self.events.tell_messages()
        self.key = config.private_key
        self.id: NodeId = self.key.public.node_id
        self.listen_addr = config.listen_addr
        """As configured; once started, the actual address."""
        self.running = False
        self._listener: Listener | None = None
        self._port = self._udp_port = 0
        self._record = make_record(self.key, seq=1, ip=config.own_ip)
        self._discovering = Discovering(config, self.key)
        self._peers: dict[NodeId, Peer] = {}
        self._links: set[Link] = set()
        self._trusted = {node.id for node in config.trusted_nodes}
        self._dialer = DialScheduler()
        self._dial_wakeup = asyncio.Event()
        self._throttle = admission.InboundThrottle()
        self.shaping = Shaping()
        self._tasks, self._peer_tasks = TaskOwner(), TaskOwner()
        self._limits = admission.Limits(max_peers=config.max_peers, max_inbound=config.max_peers - config.max_dialed)

    # -- starting and stopping

    async def start(self) -> None:
        """Listen and begin to dial.

        Raises:
            ConfigError: running already, or the address cannot be had; the text names it.
        """
        if self.running:
            raise ConfigError("server already running")
        for node in self.config.bootstrap_nodes:
            if node.ip is None or not node.udp:
                raise ConfigError(f"bad bootstrap node {node.url}: it has no address and UDP port")
        self._listener, udp = bind_ports(
            self._listen if self.config.listen_addr else None, self.config.listen_addr, udp=not self.config.no_discovery
        )
        if self._listener is not None:
            self.listen_addr, self._port = self._listener.endpoint, self._listener.port
            self._tasks.spawn(self._listener.run(), name="p2p accept")
        if udp is not None:
            self._udp_port = udp.getsockname()[1]
        seq = self._discovering.next_record_number()
        self._record = make_record(self.key, seq=seq, ip=self.config.own_ip, tcp=self._port, udp=self._udp_port)
        if udp is not None:
            try:
                await self._discovering.begin(
                    udp, self._record, may_find=self._may_find, on_record=self._renew, tasks=self._tasks
                )
            except BaseException:
                await self._tasks.aclose()
                self._stop_listening()
                raise
            self._dialer.finder = self._discovering.finder
        self.running = True
        log.debug("%s runs at %s", self.config.name or "the server", self.node.url)
        for node in self.config.static_nodes:
            self._dialer.add(node, control=True)
        self._tasks.spawn(self._dial_loop(), name="p2p dial")

    def _listen(self) -> Listener:
        return Listener(
            self.config.listen_addr,
            admits=self._admits,
            new_link=self._new_link,
            max_pending=self.config.max_pending_peers,
        )

    @property
    def discovery(self) -> DiscoveryService | None:
        """Running, unless it is switched off."""
        return self._discovering.service

    def _renew(self, record: Record) -> None:
        self._record = record

    def _may_find(self, node: Node) -> bool:
        return node.id != self.id and node.ip is not None and not restricted(node.ip, self.config.net_restrict)

    async def stop(self) -> None:
        """Tell every peer and wait for its end; stopping twice does nothing."""
        if not self.running:
            return
        self.running = False
        try:
            await self._tasks.aclose()
            self._stop_listening()
            for peer in self._peers.values():
                peer.disconnect(DisconnectReason.QUITTING)
            for link in [link for link in self._links if link.sink is None]:
                link.close(None, ConfigError("server stopped"))
            deadline = asyncio.get_running_loop().time() + STOP_TIMEOUT_S
            await self._peer_tasks.wait(timeout_s=STOP_TIMEOUT_S)
            await self._peer_tasks.aclose()
            await self._sockets_closed(deadline)
        finally:
            await self._discovering.end()
            self._dialer.finder = None

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _sockets_closed(self, deadline: float) -> None:
        """Links cut themselves off a second after their Disconnect (see Link.close), so this ends in time."""
        while self._links:
            timeout_s = max(0.0, deadline - asyncio.get_running_loop().time())
            _, late = await asyncio.wait([link.ended for link in self._links], timeout=timeout_s)
            if late:
                log.warning("%d connections are still open after the stop", len(late))
                return

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- peers

    @property
    def peers(self) -> list[Peer]:
        """The connected peers."""
        return list(self._peers.values())

    @property
    def peer_count(self) -> int:
        return len(self._peers)

    def peer(self, node_id: NodeId) -> Peer | None:
        return self._peers.get(node_id)

    def add_peer(self, node: Node, *, control: bool = True, immediately: bool = False) -> None:
        """Connect to `node` and stay connected until :meth:`remove_peer`; returns at once.

        Args:
            control: somebody asks for it, as opposed to the overlay suggesting it.
            immediately: dial now even if that was tried lately; like the reference we wait otherwise. Where the target
                throttles (outside local networks) it would be in vain, and is not done.

        Raises:
            DialFailed: no address and no discovery to ask for it, one outside the allowed networks, or it is this node.
        """
        if node.id == self.id:
            raise DialFailed(node.url, "that is this node")
        if (node.ip is None or not node.tcp) and self.discovery is None:
            raise DialFailed(node.url, "it has no address and TCP port to dial")
        if node.ip is not None and restricted(node.ip, self.config.net_restrict):
            raise DialFailed(node.url, "its address is outside the allowed networks")
        self._dialer.add(node, control=control, immediately=immediately and node.ip is not None and is_lan(node.ip))
        self._dial_wakeup.set()

    async def connect(self, node: Node, *, timeout_s: float = CONNECT_TIMEOUT_S) -> Peer:
        """Like :meth:`add_peer`, then wait for the connection.

        Raises:
            DialFailed: as :meth:`add_peer`, or no connection in time; with what the last attempt failed of.
        """
        failure = f"not connected within {timeout_s:g} s"
        async with self.events.stream(Kind.ADD, Kind.DIAL_FAILED) as events:
            self.add_peer(node, immediately=True)
            try:
                async with asyncio.timeout(timeout_s):
                    while (peer := self._peers.get(node.id)) is None:
                        event = await anext(events)
                        if event.kind is Kind.DIAL_FAILED and event.peer == node.id.hex():
                            failure = event.reason
            except TimeoutError:
                raise DialFailed(node.url, failure) from None
        return peer

    async def wait_peer(self) -> Peer:
        """The first peer that is connected: one that is there already, or the next one to come."""
        async with self.events.stream(Kind.ADD) as events:
            while not self._peers:
                await anext(events)
        return next(iter(self._peers.values()))

    def keeps(self, node_id: NodeId) -> bool:
        """Whether the node is on the list of those to stay connected with."""
        return node_id in self._dialer

    def remove_peer(self, node_id: NodeId) -> None:
        """Disconnect from a node and do not dial it again."""
        self._dialer.remove(node_id)
        peer = self._peers.get(node_id)
        if peer is not None:
            peer.disconnect(DisconnectReason.REQUESTED)

    def add_trusted_peer(self, node_id: NodeId) -> None:
        """Let a node in whatever the limits say."""
        self._trusted.add(node_id)
        self._update_trust(node_id, True)

    def remove_trusted_peer(self, node_id: NodeId) -> None:
        self._trusted.discard(node_id)
        self._update_trust(node_id, False)

    def _update_trust(self, node_id: NodeId, trusted: bool) -> None:
        peer = self._peers.get(node_id)
        if peer is not None:
            peer.trusted = trusted

    # -- who we are

    @property
    def node(self) -> Node:
        """This node as others should dial it."""
        return self._record.node

    def node_info(self) -> dict[str, Any]:
        """NodeInfo as the admin API gives it (spec 02 section 9.3)."""
        protocols: dict[str, Any] = {}
        for protocol in self.config.protocols:
            protocols.setdefault(protocol.name, protocol.node_info() if protocol.node_info else "unknown")
        return {
            "id": self.id.hex(),
            "name": self.config.name,
            "enode": self.node.url,
            "enr": self._record.text,
            "ip": str(self.config.own_ip),
            "ports": {"discovery": self._udp_port, "listener": self._port},
            "listenAddr": self.listen_addr,
            "protocols": dict(sorted(protocols.items())),
        }

    def peers_info(self) -> list[dict[str, Any]]:
        """PeerInfo of all peers, ascending by id."""
        return sorted((peer.info() for peer in self._peers.values()), key=lambda info: info["id"])

    # -- listening and dialing

    def _admits(self, ip: IPAddress) -> bool:
        """The accept filter: before a byte is read (spec 02 section 9.4)."""
        now = asyncio.get_running_loop().time()
        return not restricted(ip, self.config.net_restrict) and self._throttle.admit(ip, now)

    async def _dial_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._dial_wakeup.clear()
            now = loop.time()
            dynamic = sum(not peer.link.inbound and not peer.link.static for peer in self._peers.values())
            for dial in self._dialer.due(connected=self._peers, now=now, dynamic_peers=dynamic):
                self._tasks.spawn(self._dial(dial), name=f"p2p dial {dial.node.id.hex()[:8]}")
            finder = self._dialer.finder
            if finder is not None and finder.begins_search(now):
                self._tasks.spawn(self._search(finder), name="p2p search")
            deadline = self._dialer.next_deadline()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._dial_wakeup.wait()
            except TimeoutError:
                pass

    async def _search(self, finder: Finder) -> None:
        assert self.discovery is not None
        finder.found(await self.discovery.lookup())
        self._dial_wakeup.set()

    async def _dial(self, dial: Dial) -> None:
        loop = asyncio.get_running_loop()
        node = dial.node
        peer_id, remote = node.id.hex(), f"{node.ip or ''}:{node.tcp}"
        log.debug("dialing %s", node.url)
        self.events.emit(Kind.DIAL, peer=peer_id, remote=remote, control=dial.control)
        failure: Exception | None
        try:
            if node.ip is None or not node.tcp:
                raise OSError("it has no address and TCP port to dial")
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                _, link = await loop.create_connection(
                    lambda: self._new_link(dialed=node, static=dial.static), str(node.ip), node.tcp
                )
        except OSError as error:  # a time-out is one as well
            self._dialer.unreachable(node.id, now=loop.time())
            if self.discovery is not None and self._dialer.begins_resolving(node.id, now=loop.time()):
                self._tasks.spawn(self._resolve(node, self.discovery), name=f"p2p resolve {node.id.hex()[:8]}")
            failure = error if str(error) else TimeoutError(f"no TCP connection within {DIAL_TIMEOUT_S:g} s")
        else:
            await link.settled
            failure = link.error if link.sink is None else None
            self._dialer.finished(node.id, now=loop.time(), redial_s=self._redial_s(node, failure))
        self._dial_wakeup.set()
        if failure is not None:
            text = str(failure) or type(failure).__name__
            log.info("dialing %s failed: %s", node.url, text)
            self.events.emit(Kind.DIAL_FAILED, peer=peer_id, remote=remote, reason=text)

    async def _resolve(self, node: Node, discovery: DiscoveryService) -> None:
        found = await discovery.resolve(node)
        if found is not None and not (found.tcp and self._may_find(found)):
            found = None
        self._dialer.resolved(node.id, found, now=asyncio.get_running_loop().time())
        self._dial_wakeup.set()

    def _redial_s(self, node: Node, failure: Exception | None) -> float:
        """How long to wait with the next attempt.

        Two nodes that dialed each other may each have kept the connection that the other gave up: see
        :func:`admission.loses_crossing`, which cannot tell when the bytes of both come in pieces. They try again soon,
        and not at the same time, or they would cross again.
        """
        if getattr(failure, "reason", None) != DisconnectReason.ALREADY_CONNECTED:
            return dialer.REDIAL_S
        return dialer.CROSSED_REDIAL_S * (1 if self.id < node.id else 2)

    def _new_link(self, *, dialed: Node | None = None, static: bool = False) -> Link:
        link = Link(self, self.key, dialed=dialed, static=static)
        self._links.add(link)
        return link

    # -- what links ask (the Owner of node.p2p.link)

    def hello(self) -> Hello:
        return Hello(
            version=BASE_VERSION,
            name=self.config.name,
            caps=announce(self.config.protocols),
            id=self.key.public.raw,
        )

    def check_handshaken(self, link: Link) -> DisconnectReason | None:
        return self._refusal(link)

    def check_hello(self, link: Link, hello: Hello) -> DisconnectReason | None:
        matches = match_protocols(hello.caps, self.config.protocols)
        if self.config.protocols and not matches:
            return DisconnectReason.USELESS_PEER
        reason = self._refusal(link)
        if reason is not None:
            return reason
        peer = Peer(link, hello, matches, self.events, trusted=_id_of(link) in self._trusted)
        link.sink = peer
        self._peers[peer.id] = peer
        self._peer_tasks.spawn(self._run_peer(peer), name=str(peer))
        return None

    def link_ended(self, link: Link) -> None:
        self._links.discard(link)
        if link.sink is None:
            log.debug("connection with %s ended in setup: %s", link.remote, link.error)

    def _refusal(self, link: Link) -> DisconnectReason | None:
        if not self.running:
            return DisconnectReason.QUITTING
        remote_id = _id_of(link)
        reason = admission.check(
            admission.Candidate(id=remote_id, inbound=link.inbound, static=link.static),
            own_id=self.id,
            peers={peer.id: peer.inbound for peer in self._peers.values()},
            trusted=self._trusted,
            limits=self._limits,
        )
        if reason is None and self._crosses(link, remote_id):
            return DisconnectReason.ALREADY_CONNECTED
        return reason

    def _crosses(self, link: Link, remote_id: NodeId) -> bool:
        """Whether the same two nodes set up another connection just now, and this is the one to give up."""
        return admission.loses_crossing(own_id=self.id, remote_id=remote_id, inbound=link.inbound) and any(
            other.inbound != link.inbound and other.handshaken and _id_of(other) == remote_id
            for other in self._links
            if other is not link and other.error is None
        )

    async def _run_peer(self, peer: Peer) -> None:
        try:
            await peer.run()
        finally:
            del self._peers[peer.id]
            self._dial_wakeup.set()


def _id_of(link: Link) -> NodeId:
    assert link.remote_key is not None
    return link.remote_key.node_id
