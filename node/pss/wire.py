"""The devp2p protocol that carries pss messages: its name, its one code, its size limit (spec 06 section 1).

Also the wrapping that nodes with tracing use (vectors: protocols_wrapped). Knows nothing of sessions or offsets: codes
begin at 0 here.
"""

from __future__ import annotations

from node.errors import MessageTooBig, UnexpectedMessage
from node.pss.message import MAX_MESSAGE_BYTES, PssMessage, read_strings
from node.rlp.codec import encode

PROTOCOL_NAME = "pss"
PROTOCOL_VERSION = 2
PROTOCOL_LENGTH = 1
"""Number of message codes."""
MESSAGE_CODE = 0


def encode_payload(message: PssMessage, *, tracing: bool = False) -> bytes:
    """The payload of message 0; with `tracing`, wrapped behind an empty trace context."""
    return encode([b"", message.encode()]) if tracing else message.encode()


def decode_payload(code: int, payload: bytes, *, size: int | None = None, tracing: bool = False) -> PssMessage:
    """Read what came in.

    Args:
        code: counted from the protocol's own 0.
        size: as announced by the frame, in bytes; None: that of `payload`.
        tracing: the peer wraps its messages.

    Raises:
        MessageTooBig: over MAX_MESSAGE_BYTES.
        UnexpectedMessage: another code.
        MalformedMessage: no pss message.
    """
    size = len(payload) if size is None else size
    if size > MAX_MESSAGE_BYTES:
        raise MessageTooBig("pss message", size=size, limit=MAX_MESSAGE_BYTES)
    if code != MESSAGE_CODE:
        raise UnexpectedMessage(expected=f"pss message code {MESSAGE_CODE}", got=f"code {code}")
    if tracing:
        _, payload = read_strings(payload, ("trace context", "message"))
    return PssMessage.decode(payload)
