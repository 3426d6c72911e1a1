"""Link conditions: what goes to one peer leaves later, slower or not at all. Bytes and time in, bytes out; no I/O.

One direction only: each node shapes what it sends, so the two directions of a link are two shapers in two nodes. What
leaves the event loop in one turn is one burst. Bursts keep their order, as bytes of a TCP stream do:

- *delay* and *jitter*: a burst leaves `delay` plus or minus up to `jitter` (uniform) later, never before the one ahead.
- *loss*: TCP loses nothing, it repeats. With this probability a burst waits for one retransmission, again and again
  with doubled time, and everything behind it waits too.
- *rate*: then bursts go over a line of that speed, one after another and piece by piece.
- *blocked*: nothing passes. What was held back sets out when that ends, if the connection lives that long.

Conditions hold for what waits as for what comes: when they change, a burst leaves as if the new ones had been there
when it came, but no more leaves from then on than a new rate carries. Only the time of the piece in front is ever
worked out, so a change costs the same however much is held.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from node.ids import NodeId

RETRANSMISSION_S = 0.2
"""How long a lost burst is late; Linux's least retransmission time-out, which links faster than that all have."""
MAX_RETRANSMISSIONS = 6
"""Of one burst, so that a loss near 100 % ends; 12.6 s in all."""
PIECE_S = 0.01
"""What a line carries in this time leaves at once: a hundred wake-ups a second however fast it is; ours."""
PACKET_BYTES = 1500
"""But no less than this leaves at once; a packet of Ethernet."""


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


class _Burst(NamedTuple):
    pushed_s: float
    data: memoryview
    """What of it is still held."""
    jitter: float
    """Its luck, -1 to 1: of the greatest jitter."""
    loss: float
    """Its luck, 0 to 1: lost once where the loss is greater, twice where its square is."""


class Shaper:
    """Holds back what goes to one peer. How much, is for those to limit who push."""

    def __init__(self, conditions: Conditions, *, seed: int) -> None:
        """`seed` decides on jitter and loss."""
        self.conditions = conditions
        self.held_bytes = 0
        self._random = random.Random(seed)  # noqa: S311  -- repeatable on purpose
        self._queue: deque[_Burst] = deque()
        self._free_s = 0.0
        """When the piece before left, or when conditions changed: nothing leaves earlier."""
        self._unblocked_s = 0.0
        self._starts_s = self._leaves_s = 0.0
        self._piece_bytes = 0

    def push(self, data: bytes, *, now: float) -> None:
        """Take a burst."""
        self._queue.append(_Burst(now, memoryview(data), self._random.uniform(-1, 1), self._random.random()))
        self.held_bytes += len(data)
        if len(self._queue) == 1:
            self._time_piece()

    def pop(self, *, now: float) -> bytes:
        """Everything that may leave by now."""
        due = []
        while self._queue and not self.conditions.blocked and self._leaves_s <= now:
            burst = self._queue.popleft()
            due.append(burst.data[: self._piece_bytes])
            if self._piece_bytes < len(burst.data):
                self._queue.appendleft(burst._replace(data=burst.data[self._piece_bytes :]))
            self._free_s = self._leaves_s
            self._time_piece()
        data = b"".join(due)
        self.held_bytes -= len(data)
        return data

    def flush(self) -> bytes:
        """Everything that is held, as the connection ends; nothing of it where the way is blocked."""
        data = b"" if self.conditions.blocked else b"".join(burst.data for burst in self._queue)
        self._queue.clear()
        self.held_bytes = 0
        return data

    def next_release(self) -> float | None:
        """When :meth:`pop` has something; None as long as nothing waits or may leave."""
        return self._leaves_s if self._queue and not self.conditions.blocked else None

    def change(self, conditions: Conditions, *, now: float) -> None:
        """From now on these, also for what is held."""
        was_blocked, started_s, would_leave_s = self.conditions.blocked, self._starts_s, self._leaves_s
        self.conditions = conditions
        self._free_s = now
        if was_blocked:
            self._unblocked_s = now
        self._time_piece()
        if not was_blocked and started_s < now:
            # It is on the line already. If it had to start over, frequent changes could stop a slow line for good.
            self._leaves_s = min(self._leaves_s, max(now, would_leave_s))

    def _time_piece(self) -> None:
        """Work out what leaves next and when."""
        if not self._queue:
            return
        burst, c = self._queue[0], self.conditions
        due_s = max(burst.pushed_s, self._unblocked_s) + max(0.0, c.delay_s + burst.jitter * c.jitter_s)
        for repeat in range(MAX_RETRANSMISSIONS):
            if burst.loss >= c.loss ** (repeat + 1):
                break
            due_s += RETRANSMISSION_S * 2**repeat
        self._starts_s = self._leaves_s = max(due_s, self._free_s)
        self._piece_bytes = len(burst.data)
        if c.rate_bps:
            self._piece_bytes = min(self._piece_bytes, max(PACKET_BYTES, int(c.rate_bps * PIECE_S / 8)))
            self._leaves_s += self._piece_bytes * 8 / c.rate_bps


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
        self._shapers: Counter[NodeId] = Counter()
        """How many there were for a peer."""

    def set(self, conditions: Mapping[NodeId, Conditions], *, seed: int) -> None:
        """Replace all conditions; those that did not change go on undisturbed.

        Args:
            seed: of jitter and loss. The shapers for a peer, one after another, each make something else of it, or who
                lost its first bursts would lose them with every redial.
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
            seed = self._seed ^ int.from_bytes(peer[:8], "big") ^ (self._shapers[peer] << 64)
            self._shapers[peer] += 1
            link.shape(Shaper(wanted, seed=seed))
        self._links[link] = wanted != NONE
