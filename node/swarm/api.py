"""The hive and bzz namespaces (spec 05 section 11). Byte strings are base64 here, unlike pss addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from node.errors import RPCError
from node.ids import NodeId
from node.rpc.encoding import Base64Bytes, NodeIdHex, Uint8, Uint64
from node.rpc.output import SERVER_ERROR
from node.rpc.registry import rpc_method
from node.swarm.capability import FULL_NODE, LIGHT_NODE
from node.swarm.health import PeerPot, check_health
from node.swarm.table_text import kademlia_info

if TYPE_CHECKING:
    from node.swarm.service import OverlayService


class KademliaAPI:
    """What several namespaces tell about the tables."""

    def __init__(self, overlay: OverlayService) -> None:
        self._overlay = overlay

    def kademlia_info(self) -> dict[str, Any]:
        return kademlia_info(self._overlay.kademlia)

    def get_health_info(self, pot: PeerPot | None) -> dict[str, Any]:
        """Compare the tables with what they should be.

        Raises:
            RPCError: nothing to compare with; the reference crashes on that (spec 05 section 9.2).
        """
        if pot is None:
            raise RPCError(SERVER_ERROR, "no peer pot given")
        table = self._overlay.kademlia
        return check_health(table, pot).to_json(table=self._overlay.table_text())

    def neighbourhood_depth(self) -> int:
        return self._overlay.kademlia.neighbourhood_depth

    def neighbourhood_depth_capability(self, capability: str) -> int:
        """The depth among peers that have all of a preset's bits.

        Raises:
            RPCError: neither "full" nor "light".
        """
        wanted = {"full": FULL_NODE, "light": LIGHT_NODE}.get(capability)
        if wanted is None:
            raise RPCError(SERVER_ERROR, f"Unknown capability index {capability}")
        return self._overlay.kademlia.depth_among(
            lambda address: (own := address.capabilities.get(wanted.id)) is not None and own.includes(wanted)
        )

    def saturation(self) -> int:
        return self._overlay.kademlia.saturation

    def is_within_depth(self, address: Base64Bytes) -> bool:
        return self._overlay.kademlia.is_within_depth(address)


class HiveAPI(KademliaAPI):
    """``hive_*``."""

    def string(self) -> str:
        """The table as text."""
        return self._overlay.table_text()

    node_info = string

    def base_addr(self) -> Base64Bytes:
        return Base64Bytes(self._overlay.overlay)

    def peer(self, node_id: NodeIdHex) -> dict[str, Any] | None:
        """The record of a connected peer."""
        address = self._overlay.record(NodeId(node_id))
        return address.to_json() if address else None

    def peer_info(self, node_id: NodeIdHex) -> dict[str, str] | None:
        return self._overlay.peer_info(NodeId(node_id))

    def notify_depth(self, depth: Uint8) -> None:
        """Tell every peer a depth."""
        self._overlay.send_depth(depth)


class BzzAPI:
    """``bzz_*``, as far as it is about the overlay."""

    def __init__(self, overlay: OverlayService) -> None:
        self._overlay = overlay

    def hive(self) -> str:
        return self._overlay.table_text()

    def kademlia_info(self) -> dict[str, Any]:
        return kademlia_info(self._overlay.kademlia)

    def string(self) -> str:
        """Our capabilities as text."""
        return str(self._overlay.capabilities)

    @rpc_method("get")
    def get_capability(self, capability_id: Uint64) -> dict[str, Any] | None:
        found = self._overlay.capabilities.get(capability_id)
        return found.to_json() if found else None

    def is_registered_capability(self, capability_id: Uint64) -> bool:
        return self._overlay.capabilities.get(capability_id) is not None

    def match_capability(self, capability_id: Uint64, index: int) -> bool:
        try:
            return self._overlay.capabilities.match(capability_id, index)
        except ValueError as error:
            raise RPCError(SERVER_ERROR, str(error)) from None
