"""What the overlay keeps between two runs: the records it knew and those it was connected with (spec 05 section 8).

To a JSON document and back; where that is kept, :mod:`node.swarm.service` knows. A document is read as if a stranger
had sent it: what does not fit is left out.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from node.errors import MalformedMessage
from node.ids import OverlayAddress
from node.swarm.address import BzzAddr
from node.swarm.kademlia import Kademlia

MAX_STORED_PEERS = 1024
"""Known records stored and read; ours. With the longest underlay and capabilities each, they come to 2 MB."""
MAX_STORED_CONNS = 128
"""Connected records stored and read; ours. All are dialed at the start."""
FORMAT: Final = 1
"""Of the document; one of another format is not ours."""
_FIELDS = ("OAddr", "UAddr", "Capabilities")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """Records of an earlier run.

    Attributes:
        peers: the known ones, those worth the most first.
        conns: the connected ones.
        left_out: entries of the document that are no records, or too many.
    """

    peers: tuple[BzzAddr, ...] = ()
    conns: tuple[BzzAddr, ...] = ()
    left_out: int = 0


def remember(table: Kademlia[Any]) -> Remembered:
    """What to keep of the tables; of the known records live ones first, then the least tried in vain, the nearest."""
    entries = [entry for _, entries in reversed(table.known_bins()) for entry in entries]
    entries.sort(key=lambda entry: (not entry.live, entry.retries))
    return Remembered(
        peers=tuple(entry.address for entry in entries[:MAX_STORED_PEERS]),
        conns=tuple(reversed(table.connected[-MAX_STORED_CONNS:])),
    )


def to_document(remembered: Remembered, *, network_id: int) -> dict[str, Any]:
    """The JSON document; byte strings are base64, as in :meth:`BzzAddr.to_json`, capabilities as they came."""
    return {
        "format": FORMAT,
        "network": network_id,
        "peers": [_to_json(address) for address in remembered.peers],
        "conns": [_to_json(address) for address in remembered.conns],
    }


def from_document(document: object, *, network_id: int, base: OverlayAddress) -> Remembered:
    """The records in a document.

    Args:
        network_id: records of another network are of no use.
        base: our own overlay address; a record of it is left out.

    Raises:
        ValueError: it is not ours, or of another network.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("it holds no address records")
    if document.get("network") != network_id:
        raise ValueError(f"it is of network {str(document.get('network'))[:20]}")
    known, connected = document.get("peers"), document.get("conns")
    if not isinstance(known, list) or not isinstance(connected, list):
        raise ValueError("it holds no lists of address records")
    peers = tuple(_records(known[:MAX_STORED_PEERS], base))
    conns = tuple(_records(connected[:MAX_STORED_CONNS], base))
    return Remembered(peers=peers, conns=conns, left_out=len(known) + len(connected) - len(peers) - len(conns))


def _to_json(address: BzzAddr) -> dict[str, str]:
    return {
        name: binascii.b2a_base64(part, newline=False).decode()
        for name, part in zip(_FIELDS, address.to_items(), strict=True)
    }


def _records(entries: Iterable[object], base: OverlayAddress) -> Iterator[BzzAddr]:
    for entry in entries:
        record = _from_json(entry)
        if record is not None and record.overlay != base:
            yield record


def _from_json(entry: object) -> BzzAddr | None:
    """A record that the wire could have brought and that we would have kept; None for anything else."""
    texts = [entry.get(name) for name in _FIELDS] if isinstance(entry, dict) else [None]
    try:
        parts = [binascii.a2b_base64(text, strict_mode=True) for text in texts if isinstance(text, str)]
        record = BzzAddr.from_items(parts)
    except (MalformedMessage, ValueError):
        return None
    return record if record.storable else None
