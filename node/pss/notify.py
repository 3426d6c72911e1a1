"""What both ends of publish and subscribe have in common (spec 07 part E). Not exposed over RPC.

Does no I/O of its own: it calls what it is given, which is a :class:`node.pss.service.PssService`, and is called back.
The ends are :mod:`node.pss.notify_publisher` and :mod:`node.pss.notify_subscriber`; a node can have both.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from node.errors import LabError, PssError
from node.ids import Digest, OverlayAddress, Topic
from node.pss.handlers import Delivery
from node.pss.keystore import KeyStore
from node.pss.notify_message import CONTROL_TOPIC, NotifyMessage, decode_notify_message

log = logging.getLogger(__name__)


class NotifyError(PssError):
    """A message about something that is not published, not subscribed to, or full."""


class Handle(Protocol):
    """A handler in place."""

    def cancel(self) -> None: ...


class PssTransport(Protocol):
    """The part of pss that this is built on."""

    keys: KeyStore
    overlay: OverlayAddress

    def subscribe(self, topic: Topic, callback: Callable[[Delivery], object]) -> Handle: ...

    def send_symmetric(self, key_id: str, topic: Topic, payload: bytes) -> Digest: ...

    def send_asymmetric(self, pubkey_id: str, topic: Topic, payload: bytes) -> Digest: ...


class NotifyEnd(ABC):
    """One end: listens on the control topic until :meth:`close`."""

    def __init__(self, pss: PssTransport) -> None:
        self._pss = pss
        self._control: Handle = pss.subscribe(CONTROL_TOPIC, self._received_control)

    def close(self) -> None:
        """Listen to nothing any more. Nobody is told."""
        self._control.cancel()

    @abstractmethod
    def _on_control(self, message: NotifyMessage, delivery: Delivery) -> None:
        """A control message: asymmetric, and signed by `delivery.sender`. Those for the other end come too.

        Raises:
            LabError: it is to be ignored.
        """

    def _received_control(self, delivery: Delivery) -> None:
        try:
            if not delivery.asymmetric or delivery.sender is None:
                raise NotifyError("control message that is not asymmetric and signed")
            self._on_control(decode_notify_message(delivery.payload), delivery)
        except LabError as error:
            log.warning("notify: %s", error)
