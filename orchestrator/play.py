"""Playing a lab file's `faults:` and `traffic:` on the running lab, together and in real time (`lab play`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.faults.play import check_free
from orchestrator.faults.play import play as play_faults
from orchestrator.faults.timeline import expand
from orchestrator.traffic.run import TrafficReport, TrafficRun

if TYPE_CHECKING:
    from orchestrator.lab import Lab


def play(lab: Lab, report: Callable[[float, str], None] = lambda at_s, line: None) -> list[TrafficReport]:
    """Play both from their beginning to their end; then, and on errors, take all faults back.

    Args:
        report: gets seconds since the beginning, and what happens.

    Returns:
        What became of each entry of the traffic.

    Raises:
        LabFileError: faults of such names are there already; nothing was sent or done.
    """
    acts = expand(lab.spec.timeline, seed=lab.spec.seed)
    check_free(lab, acts)
    reports: list[TrafficReport] = []
    with TrafficRun(lab, lab.spec.traffic) as traffic:
        play_faults(lab, acts, report, until=lambda: reports.extend(traffic.finish()))
    return reports
