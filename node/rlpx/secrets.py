"""What both sides derive from a finished handshake (spec 01 section 4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from node.crypto.keccak import RunningKeccak256, keccak256


class Role(Enum):
    """Who opened the TCP connection."""

    INITIATOR = "initiator"
    RESPONDER = "responder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Keys and MAC states of one session, seen from one side."""

    aes: bytes
    """Key of both AES-256-CTR streams; 32 bytes."""
    mac: bytes
    """Key of the block cipher inside the MACs; 32 bytes."""
    egress_mac: RunningKeccak256
    ingress_mac: RunningKeccak256


def derive_secrets(
    *, ecdhe_shared: bytes, initiator_nonce: bytes, responder_nonce: bytes, auth: bytes, ack: bytes, role: Role
) -> Secrets:
    """Derive the session secrets.

    Args:
        ecdhe_shared: x coordinate of the ephemeral agreement; 32 bytes.
        initiator_nonce, responder_nonce: 32 bytes each.
        auth, ack: the packets exactly as on the wire, with the EIP-8 size prefix where there is one.
        role: our side; decides which MAC is egress.
    """
    # shared = K(e || K(Nr || Ni)): the responder's nonce comes first
    shared = keccak256(ecdhe_shared, keccak256(responder_nonce, initiator_nonce))
    aes = keccak256(ecdhe_shared, shared)
    mac = keccak256(ecdhe_shared, aes)
    # The seeds are crossed: what the initiator sends is bound to the responder's nonce and to auth.
    initiator_egress = RunningKeccak256(xor(mac, responder_nonce) + auth)
    responder_egress = RunningKeccak256(xor(mac, initiator_nonce) + ack)
    if role is Role.INITIATOR:
        return Secrets(aes=aes, mac=mac, egress_mac=initiator_egress, ingress_mac=responder_egress)
    return Secrets(aes=aes, mac=mac, egress_mac=responder_egress, ingress_mac=initiator_egress)


def xor(a: bytes, b: bytes) -> bytes:
    """Byte-wise exclusive or of two strings of the same length."""
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")
