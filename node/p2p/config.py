"""How a p2p server is set up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from node.crypto.secp256k1 import PrivateKey
from node.discv4.core import Intervals
from node.enode import IPAddress, Node, parse_ip
from node.networks import Network
from node.p2p.protocol import Protocol

LOOPBACK = parse_ip("127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """The settings of spec 02 section 9.1, under its names."""

    private_key: PrivateKey | None = None
    """A server cannot do without one; a service node fills it in."""
    name: str = ""
    """Client name in Hello."""
    protocols: Sequence[Protocol] = ()
    listen_addr: str = ""
    """``host:port`` for TCP; an empty host means all interfaces, port 0 lets the system choose, "" does not listen."""
    advertise_ip: IPAddress | None = None
    """The address others should dial; None for the one we listen on, or 127.0.0.1 if that is no single one."""
    max_peers: int = 50
    max_pending_peers: int = 50
    """Inbound connections in setup at the same time; accepting pauses above."""
    static_nodes: Sequence[Node] = ()
    trusted_nodes: Sequence[Node] = ()
    net_restrict: Collection[Network] = ()
    enable_msg_events: bool = False
    """Tell every listener of messages too; without it only those who ask for messages hear of them."""
    no_discovery: bool = True
    """True: no UDP socket. The reference's default is False; a lab lays out its own topology."""
    bootstrap_nodes: Sequence[Node] = ()
    """Where discovery begins; each needs an address and a UDP port."""
    no_dial: bool = False
    """Do not dial whom discovery finds; static nodes are dialed all the same."""
    dial_ratio: int = 3
    """One in so many peers may be found and dialed; 0 means 3."""
    discovery_intervals: Intervals = field(default_factory=Intervals)
    node_database: Path | None = None
    """Directory for what is remembered of other nodes and of our own record; None remembers nothing."""

    @property
    def known_ip(self) -> IPAddress | None:
        """Our address as far as the settings tell; None leaves it to what others say."""
        if self.advertise_ip is not None:
            return self.advertise_ip
        host = self.listen_addr.rpartition(":")[0]
        try:
            ip = parse_ip(host.strip("[]"))
        except ValueError:
            return None
        return None if ip.is_unspecified else ip

    @property
    def own_ip(self) -> IPAddress:
        """The address that our record and our enode URL begin with."""
        return self.known_ip or LOOPBACK

    @property
    def max_dialed(self) -> int:
        """Places for nodes that discovery found."""
        return 0 if self.no_discovery or self.no_dial else self.max_peers // (self.dial_ratio or 3)
