"""Who on this node listens to which topic, and to what kind of message (spec 06 section 4.1).

Finds handlers and keeps the capability record of each topic; calling them is the shell's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from node.crypto.secp256k1 import PublicKey
from node.errors import UnknownTopic
from node.ids import Digest, Topic

UNSIGNED_KEY_ID = "0x0"
"""Key id of an asymmetric message that nobody signed (spec 06 section 9.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message for this node, opened.

    Attributes:
        asymmetric: encrypted to our public key. False for symmetric and raw.
        key_id: sender's public key id, our id of the symmetric key, or "" if raw.
        sender: recovered from the signature. Proves possession of that key and nothing else.
        sender_address: what our address book has for (key id, topic); empty if unknown. 0 to 32 bytes.
    """

    digest: Digest
    topic: Topic
    payload: bytes = field(repr=False)
    raw: bool
    asymmetric: bool
    key_id: str
    sender: PublicKey | None
    sender_address: bytes


Callback = Callable[[Delivery], object]
"""What is called with a message. A shell that gets something awaitable back awaits it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Handler:
    """A callback and what it accepts. Two handlers with the same fields are still two.

    Attributes:
        raw: takes raw messages too. Encrypted ones it gets in any case.
        prox: takes messages for the whole neighbourhood.
    """

    callback: Callback
    raw: bool = False
    prox: bool = False


class Capability(NamedTuple):
    """What the handlers of a topic accept together."""

    raw: bool
    prox: bool


class HandlerRegistry:
    """Handlers by topic."""

    __slots__ = ("_capabilities", "_handlers")

    def __init__(self) -> None:
        self._handlers: dict[Topic, tuple[Handler, ...]] = {}
        self._capabilities: dict[Topic, Capability] = {}

    def register(self, topic: Topic, handler: Handler) -> None:
        """Add a handler; its bits are added to the topic's record."""
        self._handlers[topic] = (*self._handlers.get(topic, ()), handler)
        old = self._capabilities.get(topic, Capability(False, False))
        self._capabilities[topic] = Capability(old.raw or handler.raw, old.prox or handler.prox)

    def deregister(self, topic: Topic, handler: Handler) -> None:
        """Remove this one handler.

        The reference removes all handlers of the topic if there are several (spec 06 section 4.1). Like there, the
        record is made anew while handlers remain, and stays as it was when the last one goes.

        Raises:
            UnknownTopic: the handler is not registered for it.
        """
        old = self._handlers.get(topic, ())
        if handler not in old:
            raise UnknownTopic(f"handler is not registered for topic {topic.hex()}")
        left = tuple(one for one in old if one is not handler)
        if not left:
            del self._handlers[topic]
            return
        self._handlers[topic] = left
        self._capabilities[topic] = Capability(any(h.raw for h in left), any(h.prox for h in left))

    def capability(self, topic: Topic) -> Capability | None:
        """The record of a topic; None if nobody ever listened to it."""
        return self._capabilities.get(topic)

    def listening(self, topic: Topic, *, raw: bool) -> tuple[Handler, ...]:
        """The handlers that get a message.

        Raw messages go to handlers with the raw bit only; once a topic has a prox handler, the others get nothing.
        """
        handlers = self._handlers.get(topic)
        if not handlers:
            return ()
        prox = self._capabilities[topic].prox
        return tuple(h for h in handlers if (h.raw or not raw) and (h.prox or not prox))

    def topics(self) -> list[Topic]:
        """Topics with at least one handler."""
        return list(self._handlers)
