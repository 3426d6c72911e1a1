"""Subscriptions of one connection: ids, who gets which event, and events that come too early (spec 03 section 3).

Deliberately unknown here: how a subscribe call is answered (`session`), and who produces events.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from node.rpc.jsonrpc import notification_head
from node.rpc.output import encode_json

ID_BYTES = 16
"""Random bytes in a subscription id. Source: spec 03 section 3."""

logger = logging.getLogger(__name__)


def new_subscription_id(random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """`0x` and the hex digits of 16 random bytes without leading zeros, so their number may be odd."""
    return "0x" + (random(ID_BYTES).hex().lstrip("0") or "0")


class Notifier:
    """What an API method that is a subscription gets as its first argument, to send events through.

    Attributes:
        id: the subscription id, as the caller knows it.
        closed: whether the caller unsubscribed or its connection ended; events are dropped from then on.
    """

    __slots__ = ("_early", "_head", "_on_close", "_write", "closed", "id")

    def __init__(self, namespace: str, subscription_id: str, write: Callable[[str], None]) -> None:
        self.id = subscription_id
        self.closed = False
        self._write = write
        self._head = notification_head(namespace, subscription_id)
        self._early: list[str] | None = []  # events before the answer to the subscribe call; None once it is written
        self._on_close: list[Callable[[], object]] = []

    def notify(self, result: object) -> None:
        """Send one event. Events of one event-loop turn leave in one write; nothing happens once `closed`.

        Raises:
            RPCError: the event has no JSON form.
        """
        if not self.closed:
            self.notify_encoded(encode_json(result))

    def notify_encoded(self, result_json: str) -> None:
        """`notify` for an event that is JSON text already: encode once, send to many subscribers."""
        if self.closed:
            return
        text = f"{self._head}{result_json}}}}}"
        if self._early is None:
            self._write(text)
        else:
            self._early.append(text)

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have `callback` called when the subscription ends, at once if it has ended."""
        if self.closed:
            callback()
        else:
            self._on_close.append(callback)

    def activate(self) -> None:
        """The answer to the subscribe call is written: send what came early, and then whatever comes."""
        early, self._early = self._early, None
        for text in early or []:
            self._write(text)

    def close(self) -> None:
        """End the subscription; a second time does nothing."""
        if self.closed:
            return
        self.closed = True
        self._early = None
        callbacks, self._on_close = self._on_close, []
        for callback in callbacks:
            try:
                callback()
            except Exception:  # a producer's clean-up must not keep the others from theirs
                logger.exception("subscription %s: clean-up failed", self.id)


class Subscriptions:
    """The subscriptions of one connection. Ids mean nothing to other connections."""

    def __init__(self, write: Callable[[str], None], *, new_id: Callable[[], str] = new_subscription_id) -> None:
        self._write, self._new_id = write, new_id
        self._active: dict[str, Notifier] = {}

    def __len__(self) -> int:
        return len(self._active)

    def open(self, namespace: str) -> Notifier:
        """A new subscription; its events wait until `Notifier.activate`."""
        notifier = Notifier(namespace, self._new_id(), self._write)
        self._active[notifier.id] = notifier
        return notifier

    def end(self, subscription_id: str) -> bool:
        """Unsubscribe; False when there is no such subscription on this connection."""
        notifier = self._active.pop(subscription_id, None)
        if notifier is None:
            return False
        notifier.close()
        return True

    def close(self) -> None:
        """End all of them: the connection is over."""
        active, self._active = self._active, {}
        for notifier in active.values():
            notifier.close()
