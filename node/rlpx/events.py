"""What an RLPx connection tells its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from node.crypto.secp256k1 import PublicKey


@dataclass(frozen=True, slots=True)
class HandshakeCompleted:
    """Frames can flow; `remote` is the peer's static key."""

    remote: PublicKey


@dataclass(slots=True)
class MessageReceived:
    """A message with its wire code and its payload, decompressed."""

    code: int
    payload: bytes


Event: TypeAlias = HandshakeCompleted | MessageReceived
