"""What a lab can be asked to suffer, as methods of :class:`orchestrator.lab.Lab`::

    with lab.partition(["alice", "n0*"], ["bob"]):
        ...                                            # nothing crosses
    with lab.conditions("n01", delay_s=0.2), lab.cut("alice", "n02"):
        ...

Each applies at once and ends with its block, also when the block fails; what was there before holds again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from orchestrator.faults.control import ActiveFault, Faults, Selectors
from orchestrator.faults.model import Direction
from orchestrator.faults.rehearsal import Rehearsal

if TYPE_CHECKING:
    from orchestrator.lab import Lab


class FaultVerbs:
    """A part of a lab; :attr:`faults` does the work."""

    faults: Faults

    def partition(self, *groups: Selectors, name: str = "", silent: bool = False) -> ActiveFault:
        """Let nothing pass between groups of nodes, see :meth:`Faults.partition`."""
        return self.faults.partition(*groups, name=name, silent=silent)

    def random_partition(self, *, seed: int | None = None, name: str = "", silent: bool = False) -> ActiveFault:
        """Let nothing pass between two random halves, see :meth:`Faults.random_partition`."""
        return self.faults.random_partition(seed=seed, name=name, silent=silent)

    def cut(self, a: str, b: str, *, name: str = "", silent: bool = False) -> ActiveFault:
        """Let nothing pass between two nodes, see :meth:`Faults.cut`."""
        return self.faults.cut(a, b, name=name, silent=silent)

    def conditions(
        self,
        nodes: Selectors,
        *,
        peers: Selectors = (),
        direction: Direction = "egress",
        delay_s: float | None = None,
        jitter_s: float | None = None,
        loss: float | None = None,
        rate_bps: float | None = None,
        name: str = "",
    ) -> ActiveFault:
        """Delay, disturb or narrow links, see :meth:`Faults.conditions`."""
        return self.faults.conditions(
            nodes,
            peers=peers,
            direction=direction,
            delay_s=delay_s,
            jitter_s=jitter_s,
            loss=loss,
            rate_bps=rate_bps,
            name=name,
        )

    def slow_motion(self, delay_s: float) -> ActiveFault:
        """Let every node wait before it sends anything; inside another one this one holds."""
        return self.faults.slow_motion(delay_s)

    def paused(self, nodes: Selectors, *, name: str = "") -> ActiveFault:
        """Freeze nodes."""
        return self.faults.paused(nodes, name=name)

    def rehearsal(self) -> Rehearsal:
        """Faults that say what they would do, in :attr:`Rehearsal.lines`, and do nothing; for one verb."""
        return Rehearsal(cast("Lab", self))

    def heal(self) -> list[str]:
        """Take all faults back; the names of what there was. The lab file's own conditions stay."""
        return self.faults.heal()
