"""Link conditions: what goes to one peer leaves later, slower or not at all. Bytes and time in, bytes out; no I/O.

One direction only: each node shapes what it sends, so the two directions of a link are two shapers in two nodes. What
leaves the event loop in one turn is one burst. Bursts keep their order, as bytes of a TCP stream do:

- *delay* and *jitter*: a burst leaves `delay` plus or minus up to `jitter` (uniform) later, never before the one ahead.
- *loss*: TCP loses nothing, it repeats. With this probability a burst waits for one retransmission, again and again
  with doubled time, and everything behind it waits too.
- *rate*: bursts follow each other as a line of that speed would carry them.
- *blocked*: nothing passes. What was held back leaves when that ends, if the connection lives that long.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from node.ids import NodeId

RETRANSMISSION_S = 0.2
"""How long a lost burst is late; Linux's least retransmission time-out, which links faster than that all have."""
MAX_RETRANSMISSIONS = 6
"""Of one burst, so that a loss near 100 % ends; 12.6 s in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Of one direction of a link."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    """Probability, 0 to 1."""
    rate_bps: float = 0.0
    """Bits per second; 0: as fast as it goes."""
    blocked: bool = False


NONE = Conditions()


class Shaper:
    """Holds back what goes to one peer."""

    def __init__(self, conditions: Conditions, *, seed: int) -> None:
        """`seed` decides on jitter and loss."""
        self.conditions = conditions
        self.held_bytes = 0
        self._random = random.Random(seed)  # noqa: S311  -- repeatable on purpose
        self._queue: deque[tuple[float, bytes]] = deque()
        self._last_s = self._line_free_s = 0.0

    def push(self, data: bytes, *, now: float) -> None:
        """Take a burst."""
        self._queue.append((self._leaves_at(len(data), now), data))
        self.held_bytes += len(data)

    def pop(self, *, now: float) -> bytes:
        """Everything that may leave by now."""
        due = []
        if not self.conditions.blocked:
            while self._queue and self._queue[0][0] <= now:
                due.append(self._queue.popleft()[1])
        data = b"".join(due)
        self.held_bytes -= len(data)
        return data

    def flush(self) -> bytes:
        """Everything that is held, as the connection ends; nothing of it where the way is blocked."""
        data = b"" if self.conditions.blocked else b"".join(data for _, data in self._queue)
        self._queue.clear()
        self.held_bytes = 0
        return data

    def next_release(self) -> float | None:
        """When :meth:`pop` has something; None as long as nothing waits or may leave."""
        return self._queue[0][0] if self._queue and not self.conditions.blocked else None

    def change(self, conditions: Conditions, *, now: float) -> None:
        """From now on these. What is held leaves when it was to, or at once where no conditions are left."""
        self.conditions = conditions
        if conditions == NONE:
            self._queue = deque((now, data) for _, data in self._queue)
            self._last_s = self._line_free_s = now

    def _leaves_at(self, size: int, now: float) -> float:
        c = self.conditions
        at = now
        if c.rate_bps:
            self._line_free_s = max(now, self._line_free_s) + size * 8 / c.rate_bps
            at = self._line_free_s
        at += max(0.0, c.delay_s + self._random.uniform(-c.jitter_s, c.jitter_s))
        for repeat in range(MAX_RETRANSMISSIONS):
            if not c.loss or self._random.random() >= c.loss:
                break
            at += RETRANSMISSION_S * 2**repeat
        self._last_s = max(self._last_s, at)
        return self._last_s


class Shaped(Protocol):
    """A connection, as far as this module cares."""

    @property
    def peer_id(self) -> NodeId | None:
        """Who it is with; None while that is not known."""

    def shape(self, shaper: Shaper | None) -> None:
        """From now on send through this; None: as it comes."""

    def reshape(self, conditions: Conditions) -> None:
        """Give the present shaper other conditions."""


class Shaping:
    """The conditions of all links of a node. Costs a connection nothing while there are none."""

    def __init__(self) -> None:
        self.conditions: dict[NodeId, Conditions] = {}
        """Of what goes to a peer, connected or not."""
        self._seed = 0
        self._links: dict[Shaped, bool] = {}

    def set(self, conditions: Mapping[NodeId, Conditions], *, seed: int) -> None:
        """Replace all conditions; those that did not change go on undisturbed.

        Args:
            seed: of jitter and loss.
        """
        self.conditions = {peer: one for peer, one in conditions.items() if one != NONE}
        self._seed = seed
        for link in tuple(self._links):
            self._apply(link)

    def attach(self, link: Shaped) -> None:
        """A connection was made, or now it is known with whom."""
        self._links.setdefault(link, False)
        self._apply(link)

    def detach(self, link: Shaped) -> None:
        self._links.pop(link, None)

    def _apply(self, link: Shaped) -> None:
        peer = link.peer_id
        wanted = NONE if peer is None else self.conditions.get(peer, NONE)
        if self._links[link]:
            link.reshape(wanted)
        elif wanted != NONE and peer is not None:
            link.shape(Shaper(wanted, seed=self._seed ^ int.from_bytes(peer[:8], "big")))
        self._links[link] = wanted != NONE
