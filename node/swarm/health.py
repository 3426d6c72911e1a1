"""Is the table what it should be? What it should be from all addresses, and a comparison (spec 05 section 9).

:func:`peer_pots` is the oracle: it needs the addresses of the whole network, which only a test or a lab has.
"""

from __future__ import annotations

import base64
import itertools
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from node.ids import OverlayAddress
from node.swarm.depth import expected_size, neighbourhood_depth
from node.swarm.kademlia import Kademlia
from node.swarm.params import DEFAULT_PARAMS, KademliaParams
from node.swarm.proximity import MAX_PO, position, proximity_order


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPot:
    """What one node should have in its tables.

    Attributes:
        nn_set: addresses of its nearest neighbours.
        peers_per_bin: how many nodes there are in each bin shallower than its depth.
    """

    nn_set: tuple[bytes, ...] = ()
    peers_per_bin: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The parameter of hive_getHealthInfo: missing and null parts are empty, unknown ones are ignored.

        Raises:
            ValueError: an address is not base64, or something has the wrong type.
        """
        if not isinstance(value, Mapping):
            raise ValueError("expected an object with NNSet and PeersPerBin")
        addresses, sizes = value.get("NNSet") or [], value.get("PeersPerBin") or []
        if not (isinstance(addresses, list) and all(isinstance(address, str) for address in addresses)):
            raise ValueError("NNSet: expected an array of base64 strings")
        if not (isinstance(sizes, list) and all(type(size) is int for size in sizes)):
            raise ValueError("PeersPerBin: expected an array of integers")
        nn_set = tuple(base64.b64decode(address, validate=True) for address in addresses)
        return cls(nn_set=nn_set, peers_per_bin=tuple(sizes))

    def to_json(self) -> dict[str, Any]:
        """The parameter of hive_getHealthInfo."""
        return {"NNSet": _base64_list(self.nn_set) or [], "PeersPerBin": list(self.peers_per_bin)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A table against its :class:`PeerPot`.

    Attributes:
        know_nn, connect_nn: every nearest neighbour is known, connected.
        count_know_nn, count_connect_nn: how many are.
        missing_know_nn, missing_connect_nn: the others.
        saturated: every bin outside the neighbourhood has what it should, or all there is.
    """

    know_nn: bool
    count_know_nn: int
    missing_know_nn: tuple[bytes, ...]
    connect_nn: bool
    count_connect_nn: int
    missing_connect_nn: tuple[bytes, ...]
    saturated: bool

    @property
    def healthy(self) -> bool:
        """Strict health: all neighbours known and connected, at least one of them, and saturated."""
        return self.know_nn and self.connect_nn and self.count_know_nn > 0 and self.saturated

    def to_json(self, *, table: str) -> dict[str, Any]:
        """The answer of hive_getHealthInfo; `table` is the text of :mod:`node.swarm.table_text`."""
        return {
            "KnowNN": self.know_nn,
            "CountKnowNN": self.count_know_nn,
            "MissingKnowNN": _base64_list(self.missing_know_nn),
            "ConnectNN": self.connect_nn,
            "CountConnectNN": self.count_connect_nn,
            "MissingConnectNN": _base64_list(self.missing_connect_nn),
            "Saturated": self.saturated,
            "Hive": table,
        }


def peer_pots(
    addresses: Iterable[OverlayAddress], *, params: KademliaParams = DEFAULT_PARAMS
) -> dict[OverlayAddress, PeerPot]:
    """What every node of a network should have, by its address.

    Args:
        addresses: of all nodes, each node's own among them.
        params: only the neighbourhood size counts.
    """
    ordered = sorted(set(addresses))
    positions = [position(address) for address in ordered]
    pots = {}
    for own, address in enumerate(ordered):
        ranges = _ranges(positions, own)
        # Range p holds those that share the first p bits, so bin p is what range p has and range p + 1 has not.
        sizes = [len(outer) - len(inner) for outer, inner in itertools.pairwise(ranges)]
        # The node itself counts towards the size of the network, in the bin of its own address.
        bins = [(po, size) for po, size in enumerate(sizes) if size] + [(MAX_PO, 1)]
        depth = neighbourhood_depth(bins, params)
        nearest = [ordered[index] for index in ranges[depth] if index != own]
        pots[address] = PeerPot(nn_set=tuple(nearest), peers_per_bin=tuple(sizes[:depth]))
    return pots


def _ranges(positions: Sequence[int], own: int) -> list[range]:
    """For p = 0, 1, ...: which of the sorted positions share the first p bits with one of them, until only it does."""
    low, high = 0, len(positions)
    ranges = [range(low, high)]
    for po in range(MAX_PO):
        if high - low == 1:
            break
        shift = MAX_PO - po - 1
        # The smallest number with the same first p bits and bit p set parts the range in two.
        middle = bisect_left(positions, (positions[own] >> shift | 1) << shift, low, high)
        low, high = (middle, high) if own >= middle else (low, middle)
        ranges.append(range(low, high))
    return ranges


def check_health(table: Kademlia[Any], pot: PeerPot) -> Health:
    """Compare a node's tables with what they should be (spec 05 section 9.2)."""
    depth = table.neighbourhood_depth
    near = [address for address in pot.nn_set if proximity_order(table.base, address) >= depth]
    known = {address for address in near if table.get_known(address) is not None}
    connected = {address for address in near if table.get_conn(address) is not None}
    missing_known = tuple(address for address in pot.nn_set if address not in known)
    missing_connected = tuple(address for address in pot.nn_set if address not in connected)
    return Health(
        know_nn=not missing_known,
        count_know_nn=len(pot.nn_set) - len(missing_known),
        missing_know_nn=missing_known,
        connect_nn=not missing_connected,
        count_connect_nn=len(pot.nn_set) - len(missing_connected),
        missing_connect_nn=missing_connected,
        saturated=_saturated(table, pot.peers_per_bin),
    )


def _saturated(table: Kademlia[Any], peers_per_bin: Sequence[int]) -> bool:
    depth = table.neighbourhood_depth
    if len(peers_per_bin) != depth:
        return False
    return not any(
        len(peers) < expected_size(po, depth, table.params) and len(peers) < peers_per_bin[po]
        for po, peers in table.conn_bins()
        if po < depth
    )


def _base64_list(addresses: Sequence[bytes]) -> list[str] | None:
    return [base64.b64encode(address).decode() for address in addresses] or None
