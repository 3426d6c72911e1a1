"""The admin and web3 namespaces of a service node (spec 03 section 5)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from node.crypto.keccak import keccak256
from node.enode import InvalidEnode, Node, parse_node
from node.errors import DialFailed
from node.events import Kind, NodeEvent
from node.p2p.server import Server
from node.rpc.encoding import HexBytes
from node.rpc.registry import rpc_method, subscription
from node.rpc.subscriptions import Notifier
from node.service.endpoints import EndpointConfig, Endpoints
from node.service.service import ServiceError

if TYPE_CHECKING:
    from node.service.stack import ServiceNode

PEER_EVENTS = frozenset({Kind.ADD, Kind.DROP, Kind.MSG_SEND, Kind.MSG_RECV})


class AdminAPI:
    """``admin_*``: who we are, who is connected, whom to connect."""

    def __init__(self, node: ServiceNode, server: Server) -> None:
        self._node, self._p2p = node, server

    @property
    def _server(self) -> Server:
        # A client that is attached inside the process outlives the node.
        if not self._p2p.running:
            raise ServiceError("node not started")
        return self._p2p

    @property
    def _endpoints(self) -> Endpoints:
        # Not before the node has opened its own: an early caller would be in the way.
        if not (self._p2p.running and self._node.running):
            raise ServiceError("node not started")
        return self._node.endpoints

    def node_info(self) -> dict[str, Any]:
        return self._server.node_info()

    def peers(self) -> list[dict[str, Any]]:
        return self._server.peers_info()

    def datadir(self) -> str:
        directory = self._node.config.data_dir
        return str(directory.absolute()) if directory else ""

    def add_peer(self, url: str) -> bool:
        """Connect and stay connected; returns before the connection is there."""
        node = _parse(url)
        try:
            self._server.add_peer(node)
        except DialFailed:
            if node.id != self._server.id:
                raise
            # The reference takes its own address without a word and never dials it.
        return True

    def remove_peer(self, url: str) -> bool:
        self._server.remove_peer(_parse(url).id)
        return True

    def add_trusted_peer(self, url: str) -> bool:
        self._server.add_trusted_peer(_parse(url).id)
        return True

    def remove_trusted_peer(self, url: str) -> bool:
        self._server.remove_trusted_peer(_parse(url).id)
        return True

    # -- endpoints; what is left out is as in the node's settings

    @rpc_method("startRPC")
    async def start_rpc(
        self, host: str | None, port: int | None, cors: str | None, apis: str | None, vhosts: str | None
    ) -> bool:
        """Open the HTTP endpoint.

        Args:
            cors, apis, vhosts: comma lists of origins, namespaces and host names. The reference takes `host` for
                `vhosts`, whatever is given.

        Raises:
            ServiceError: node not started; `HTTP RPC already running on <endpoint>`.
            ConfigError: the address cannot be bound.
        """
        http = self._endpoints.http
        await http.open(_override(http.config, host, port, origins=cors, modules=apis, virtual_hosts=vhosts))
        return True

    @rpc_method("stopRPC")
    async def stop_rpc(self) -> bool:
        """Close the HTTP endpoint.

        Raises:
            ServiceError: node not started; `HTTP RPC not running`.
        """
        await self._endpoints.http.stop()
        return True

    @rpc_method("startWS")
    async def start_ws(self, host: str | None, port: int | None, origins: str | None, apis: str | None) -> bool:
        """Open the WebSocket endpoint. Arguments and errors are like those of `start_rpc`."""
        ws = self._endpoints.ws
        await ws.open(_override(ws.config, host, port, origins=origins, modules=apis))
        return True

    @rpc_method("stopWS")
    async def stop_ws(self) -> bool:
        """Close the WebSocket endpoint.

        Raises:
            ServiceError: node not started; `WebSocket RPC not running`.
        """
        await self._endpoints.ws.stop()
        return True

    @subscription("peerEvents")
    def peer_events(self, notifier: Notifier) -> None:
        """Peers coming and going, and their messages if the server reports those."""

        def listen(event: NodeEvent) -> None:
            if event.kind in PEER_EVENTS:
                notifier.notify(format_peer_event(event))

        notifier.on_close(self._server.events.listen(listen))


class Web3API:
    """``web3_*``: the two methods every client expects."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def client_version(self) -> str:
        return self._server.config.name

    def sha3(self, data: HexBytes) -> HexBytes:
        return HexBytes(keccak256(data))


def format_peer_event(event: NodeEvent) -> dict[str, Any]:
    """The PeerEvent of the reference: keys in its order, empty ones left out but code and size (spec 02 section 8)."""
    fields = {
        "type": str(event.kind),
        "peer": event.peer,
        "error": event.reason,
        "protocol": event.protocol,
        "msg_code": event.code,
        "msg_size": event.size,
        "local": event.local,
        "remote": event.remote,
    }
    return {key: value for key, value in fields.items() if value is not None and value != ""}


def _parse(url: str) -> Node:
    try:
        return parse_node(url)
    except InvalidEnode as error:
        raise InvalidEnode(f"invalid enode: {error}") from None


def _override(config: EndpointConfig, host: str | None, port: int | None, **lists: str | None) -> EndpointConfig:
    """The settings with what was given in place of theirs; comma lists may have spaces and empty places."""
    changes: dict[str, Any] = {
        name: tuple(filter(None, map(str.strip, text.split(",")))) for name, text in lists.items() if text is not None
    }
    if host is not None:
        changes["host"] = host
    if port is not None:
        changes["port"] = port
    return replace(config, **changes)
