"""Playing a timeline on a running lab, in real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from orchestrator.faults.timeline import Act

if TYPE_CHECKING:
    from orchestrator.lab import Lab


def play(
    lab: Lab,
    acts: Sequence[Act],
    report: Callable[[float, str], None] = lambda at_s, line: None,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Do everything when it is its time, as far as nodes start fast enough; then, and on errors, take all of it back.

    Args:
        acts: in order of time.
        report: gets seconds since the beginning, and what happens.
    """
    started = now()
    names = {act.name for act in acts}
    try:
        for act in acts:
            sleep(max(0.0, started + act.at_s - now()))
            report(now() - started, str(act))
            _do(lab, act)
    finally:
        left = [fault.name for fault in lab.faults.state().faults if fault.name in names]
        if left:
            lab.faults.clear(left)
            report(now() - started, f"cleared {', '.join(dict.fromkeys(left))}")


def _do(lab: Lab, act: Act) -> None:
    if act.verb == "set":
        assert act.fault is not None
        lab.faults.apply(act.fault)
    elif act.verb == "clear":
        lab.faults.clear([act.name])
    elif act.verb == "start":
        for node in act.nodes:
            lab.start(node)
    else:
        lab.faults.note_down(act.nodes, act.name)
        for node in act.nodes:
            lab.kill(node) if act.verb == "kill" else lab.stop(node)
        if act.verb == "restart":
            for node in act.nodes:
                lab.start(node)
