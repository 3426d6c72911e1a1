"""One message of many: what is sent, and what became of it. Pure data, for `lab smoke`, `lab play` and `lab verify`."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from orchestrator.errors import LabFileError

Mode = Literal["raw", "sym", "asym"]
MODES: tuple[Mode, ...] = get_args(Mode)
NUMBER_BYTES = 4
"""A message begins with its number, by which the receiver's copy is known."""
MIN_MESSAGE_BYTES = NUMBER_BYTES
MAX_MESSAGE_BYTES = 64 * 1024
"""Room for keys and padding is left in the largest message that peers take."""
DEFAULT_BYTES = 128
DEFAULT_TIMEOUT_S = 10.0
FAILURES_KEPT = 20
MS_PER_S = 1000.0
PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One message to send."""

    number: int
    sender: str
    receiver: str
    payload: bytes = field(repr=False)


@dataclass(slots=True)
class Result:
    """What became of one message; filled in as it is told."""

    shot: Shot
    seconds: float | None = None
    """From handing it to the sender until the receiver told us; None: not in time."""
    arrivals: int = 0
    """How often the receiver's application got it."""
    digest: str = ""
    """64 hex digits; empty if the sender does not tell."""
    error: str = ""
    """Why it could not even be sent."""
    sent_at: float | None = None
    """When it was handed to the sender, on the monotonic clock."""
    arrived_at: float | None = None
    """When the receiver first told us."""

    @property
    def failure(self) -> str:
        """A sentence about a message that did not arrive."""
        shot = self.shot
        why = self.error or ("came too late" if self.arrivals else "did not arrive")
        digest = f", digest {self.digest}" if self.digest else ""
        return f"message {shot.number} from {shot.sender} to {shot.receiver}: {why}{digest}"


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What became of many messages, counted."""

    sent: int
    delivered: int
    duplicates: int
    """Times that an application got a message once more."""
    p50_ms: float | None
    """Median of the time from sender to receiver, control calls included; None if nothing arrived."""
    p95_ms: float | None
    failures: tuple[str, ...] = ()
    """Sentences about the first messages that did not arrive."""

    @classmethod
    def of(cls, results: Sequence[Result]) -> Tally:
        took = sorted(result.seconds for result in results if result.seconds is not None)
        lost = [result for result in results if result.seconds is None]
        return cls(
            sent=len(results),
            delivered=len(took),
            duplicates=sum(max(result.arrivals - 1, 0) for result in results),
            p50_ms=percentile(took, 50),
            p95_ms=percentile(took, 95),
            failures=tuple(result.failure for result in lost[:FAILURES_KEPT]),
        )

    @property
    def reliability(self) -> float:
        """Percent delivered in time, to two digits; never rounded up."""
        return math.floor(PERCENT * 100 * self.delivered / self.sent) / 100


def payload_of(number: int, size: int, source: random.Random) -> bytes:
    """A message's bytes: its number, then what `source` gives."""
    return number.to_bytes(NUMBER_BYTES, "big") + source.randbytes(size - NUMBER_BYTES)


def check_size(size: int) -> None:
    """Whether messages can have that many bytes.

    Raises:
        LabFileError: they cannot.
    """
    if not MIN_MESSAGE_BYTES <= size <= MAX_MESSAGE_BYTES:
        raise LabFileError(f"expected {MIN_MESSAGE_BYTES} to {MAX_MESSAGE_BYTES} bytes a message, not {size}")


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The nearest rank, in milliseconds, of seconds in order; None of nothing."""
    if not ordered:
        return None
    return ordered[max(math.ceil(len(ordered) * percent / PERCENT) - 1, 0)] * MS_PER_S
