"""`lab doctor`: can this machine carry a lab, how large a one, and what is in the way of more."""

from __future__ import annotations

from pathlib import Path

from orchestrator.doctor.findings import Examination, judge

__all__ = ["Examination", "examine", "judge"]


def examine(
    *, root: Path | None = None, port: int = 0, runtime: str = "auto", nodes: int = 0, kernel: bool = True
) -> Examination:
    """Look at this machine and judge it; see :func:`gather.gather` and :func:`findings.judge`."""
    from orchestrator.doctor.gather import gather  # loads the engine's client

    facts = gather(root=root, port=port, probe_kernel=kernel, runtime=runtime)
    return judge(facts, runtime=runtime, nodes=nodes)
