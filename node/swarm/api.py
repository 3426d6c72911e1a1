"""The hive and bzz namespaces (spec 05 section 11). Byte strings are base64 here, unlike pss addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from node.errors import RPCError
from node.ids import NodeId
from node.rpc.encoding import Base64Bytes, NodeIdHex, Uint8, Uint64
from node.rpc.output import SERVER_ERROR, json_name
from node.rpc.registry import rpc_method
from node.swarm.capability import FULL_NODE, LIGHT_NODE, Capability
from node.swarm.health import PeerPot, check_health
from node.swarm.table_text import kademlia_info

if TYPE_CHECKING:
    from node.swarm.service import OverlayService

PSS_SETTINGS: Final = {
    "MsgTTL": 120_000_000_000,
    "CacheTTL": 30_000_000_000,
    "SymKeyCacheCapacity": 512,
    "AllowRaw": False,
    "AllowForward": False,
}
"""What `bzz_info` says of pss: lifetimes in ns, and two settings that change nothing (spec 06 section 1). The overlay
does not know pss, so its numbers are repeated here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCapability:
    """The parameter of bzz_registerCapability."""

    id: Uint64 = field(metadata=json_name("Id"))
    bits: list[bool] = field(metadata=json_name("Cap"))


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

    def register_capability(self, capability: NewCapability) -> None:
        """Announce one more capability, in handshakes from now on.

        Raises:
            RPCError: its id is taken, or there are too many.
        """
        try:
            self._overlay.register_capability(Capability(id=capability.id, bits=tuple(capability.bits)))
        except ValueError as error:
            raise RPCError(SERVER_ERROR, str(error)) from None

    def info(self) -> dict[str, Any]:
        """How the overlay is set up, public things only."""
        overlay = self._overlay
        return {
            "NetworkID": overlay.network_id,
            "BzzKey": "0x" + overlay.overlay.hex(),
            "PublicKey": "0x" + overlay.public_key.uncompressed.hex(),
            "Enode": overlay.address.underlay_text,
            "Pss": PSS_SETTINGS,
        }
