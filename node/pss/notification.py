"""What a node tells an RPC client of a message: notifications of `pss_subscribe receive` (spec 06 section 9.3)."""

from __future__ import annotations

from typing import Any, NamedTuple

from node.errors import MalformedMessage
from node.rpc.encoding import HexBytes


class Notification(NamedTuple):
    """A message as the client hears of it.

    Attributes:
        payload: the plaintext.
        asymmetric: encrypted to the node's public key.
        key_id: sender's public key id, the node's id of the symmetric key, or "" if raw.
    """

    payload: bytes
    asymmetric: bool
    key_id: str


def parse_notification(event: Any) -> Notification:
    """A notification of `pss_subscribe receive`.

    Raises:
        MalformedMessage: it is something else.
    """
    match event:
        case {"Msg": str(text), "Asymmetric": bool(asymmetric), "Key": str(key_id)}:
            try:
                return Notification(bytes(HexBytes.from_json(text)), asymmetric, key_id)
            except ValueError as error:
                raise MalformedMessage(f"notification: {error}") from None
        case _:
            raise MalformedMessage("notification without Msg, Asymmetric and Key")
