"""Playing a timeline on a running lab, in real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from orchestrator.errors import LabFileError
from orchestrator.faults.timeline import Act

if TYPE_CHECKING:
    from orchestrator.lab import Lab


def play(
    lab: Lab,
    acts: Sequence[Act],
    report: Callable[[float, str], None] = lambda at_s, line: None,
    *,
    until: Callable[[], object] = lambda: None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Do everything when it is its time, as far as nodes start fast enough; then, and on errors, take all of it back.

    Args:
        acts: in order of time.
        report: gets seconds since the beginning, and what happens.
        until: called after the last act; what has no end of its own lasts until it returns.

    Raises:
        LabFileError: as :func:`check_free`, before anything is done; or somebody took a name meanwhile.
    """
    check_free(lab, acts)
    started = now()
    player = _Player(lab)
    try:
        for act in acts:
            sleep(max(0.0, started + act.at_s - now()))
            report(now() - started, str(act))
            player.do(act)
        until()
    finally:
        if left := player.clear():
            report(now() - started, f"cleared {', '.join(left)}")


def check_free(lab: Lab, acts: Sequence[Act]) -> None:
    """Look whether the acts can have their names; what is numbered takes the next free one anyway.

    Raises:
        LabFileError: there are faults of such names, as those of a play that was killed.
    """
    names = {act.name for act in acts if not act.numbered}
    taken = [fault.name for fault in lab.faults.state().faults if fault.name in names]
    if taken:
        what = "is a fault" if len(taken) == 1 else "are faults"
        raise LabFileError(f"there {what} {', '.join(map(repr, taken))} already", hint="lab heal")


class _Player:
    """Knows what it applied itself: others may play on the same lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._ours: set[str] = set()
        """Names of faults that we applied, or were about to."""
        self._down: dict[tuple[str, tuple[str, ...]], str] = {}
        """Names of faults that killed, by entry and nodes."""

    def do(self, act: Act) -> None:
        if act.verb == "set":
            assert act.fault is not None
            self._ours.add(act.name)
            try:
                self._lab.faults.apply(act.fault)
            except LabFileError:  # there is one of that name, and it is somebody else's
                self._ours.discard(act.name)
                raise
        elif act.verb == "clear":
            self._end(act.name)
        elif act.verb == "start":
            self._end(self._down.pop((act.name, act.nodes)))
        else:
            name = self._lab.faults.note_down(act.nodes, act.name, self._ours, numbered=act.numbered)
            for node in act.nodes:
                self._lab.kill(node) if act.verb == "kill" else self._lab.stop(node)
            if act.verb == "restart":
                self._end(name)
            else:
                self._down[act.name, act.nodes] = name

    def clear(self) -> list[str]:
        """Take back what is left; the names of that."""
        left = [fault.name for fault in self._lab.faults.state().faults if fault.name in self._ours]
        return self._lab.faults.clear(left) if left else []

    def _end(self, name: str) -> None:
        """Take one back; ours no more, as somebody else may give something that name then."""
        self._lab.faults.clear([name])
        self._ours.discard(name)
