"""Which protocols two nodes share and where their message codes begin (spec 02 section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from node.devp2p.messages import BASE_LENGTH, Capability


class Offered(Protocol):
    """A protocol of ours, as far as matching looks at it."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def length(self) -> int:
        """How many message codes it takes; both sides must mean the same, nothing on the wire tells."""
        ...


P = TypeVar("P", bound=Offered)


@dataclass(frozen=True, slots=True)
class Match(Generic[P]):
    """A shared protocol and its first wire code."""

    protocol: P
    offset: int


def announce(protocols: Iterable[Offered]) -> list[Capability]:
    """The capabilities to put into Hello: sorted by name as bytes, then by version."""
    return sort_capabilities(Capability(p.name, p.version) for p in protocols)


def sort_capabilities(caps: Iterable[Capability]) -> list[Capability]:
    """Ascending by name as bytes (upper case first), then by version."""
    return sorted(caps, key=lambda cap: (cap.name.encode("utf-8", "surrogateescape"), cap.version))


def match_protocols(remote: Iterable[Capability], local: Sequence[P]) -> list[Match[P]]:
    """The protocols that run on a connection, in the order of their wire codes.

    Of a name only the highest version known to both survives; older ones take no codes.
    """
    offset = BASE_LENGTH
    matched: dict[str, Match[P]] = {}
    for cap in sort_capabilities(remote):
        ours = next((p for p in local if p.name == cap.name and p.version == cap.version), None)
        if ours is None:
            continue
        older = matched.pop(cap.name, None)
        if older is not None:
            offset -= older.protocol.length
        matched[cap.name] = Match(ours, offset)
        offset += ours.length
    return list(matched.values())
