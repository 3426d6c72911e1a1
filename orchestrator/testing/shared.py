"""Labs that several tests use one after another: lent to each, and mended after it.

What a test did to a lab must not decide the next one. After each test faults are taken back, nodes that are down are
started, connections are as planned, and the lab is ready; every stream that the test opened ends, since it had a Lab
object of its own. What nodes keep in memory stays: keys, what their services were told, messages they saw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from orchestrator.errors import OrchestratorError
from orchestrator.lab import Lab
from orchestrator.testing.factory import LabFactory, beside
from orchestrator.testing.since import mark


class SharedLab:
    """One lab."""

    def __init__(
        self, factory: LabFactory, state_root: Path, arguments: Sequence[Any], options: dict[str, Any]
    ) -> None:
        """
        Args:
            factory: starts it.
            state_root: the factory's.
            arguments, options: for the factory.
        """
        self._factory, self._state_root = factory, state_root
        self._arguments, self._options = arguments, options
        self._lab: Lab | None = None
        self._failure: OrchestratorError | None = None

    @property
    def labs(self) -> list[Lab]:
        """It, if it runs."""
        return [self._lab] if self._lab is not None else []

    def lend(self, failed: Callable[[Lab], None] = lambda lab: None) -> Lab:
        """The lab for the next test; it is started if there is none.

        Args:
            failed: gets it if it does not come up, before it is removed.

        Raises:
            OrchestratorError: it does not come up, or did not for a test before.
        """
        if self._failure is not None:
            raise self._failure
        if self._lab is None:
            self._factory.failed = failed
            try:
                self._lab = self._factory(*self._arguments, **self._options)
            except OrchestratorError as error:
                self._failure = error
                raise
        mark(self._lab)
        return self._lab

    def mend(self) -> list[str]:
        """Bring the lab to what it should be, after a test. Nothing happens if there is none.

        Returns:
            What had to be done, a line each.

        Raises:
            LabError: it cannot be brought there; it is as it was, see :meth:`discard`.
        """
        lab = self._lab
        if lab is None:
            return []
        if lab.state.load() is None:
            self._lab = None
            return ["the test took the lab down; the next one gets a new one"]
        did: list[str] = []
        # Taking over a lab that runs is what mends it; see orchestrator/recovery.py.
        mended = Lab.up(lab.spec, runtime=lab.runtime.name, state_root=self._state_root, report=did.append)
        try:
            did += _disconnect_unplanned(mended)
        except BaseException:
            mended.close()
            raise
        lab.close()
        self._lab = mended
        return did

    def discard(self) -> None:
        """Remove the lab; the next test gets a new one."""
        lab, self._lab = self._lab, None
        if lab is not None:
            lab.down()


class SharedLabs:
    """Those of one module, class, package or session; they are removed at the end of the block."""

    def __init__(self, *, runtime: str, new_root: Callable[[], Path], worker: str = "") -> None:
        """
        Args:
            runtime: of labs that do not say theirs.
            new_root: makes a directory in which one lab is remembered.
            worker: of pytest-xdist, such as `gw0`.
        """
        self._runtime, self._new_root, self._worker = runtime, new_root, worker
        self._labs: list[tuple[object, SharedLab]] = []

    def of(self, directory: Path, arguments: Sequence[Any], options: Mapping[str, Any]) -> SharedLab:
        """The lab that a marker means; the same for markers that say the same.

        Args:
            directory: of the test.
        """
        source = arguments[0] if arguments else options.get("source")
        file = beside(directory, source) if isinstance(source, str | Path) else source
        key = (tuple(arguments), dict(options), file)
        for known, lab in self._labs:
            if known == key:
                return lab
        root = self._new_root()
        factory = LabFactory(runtime=self._runtime, state_root=root, directory=directory, worker=self._worker)
        lab = SharedLab(factory, root, arguments, dict(options))
        self._labs.append((key, lab))
        return lab

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        failures = []
        for _key, lab in self._labs:
            try:
                lab.discard()
            except Exception as error:  # the others have to go all the same
                failures.append(error)
        if failures:
            raise failures[0]


def _disconnect_unplanned(lab: Lab) -> list[str]:
    """Undo connections that a test made beyond the plan; where nodes find each other there is no plan."""
    if lab.spec.auto_connect:
        return []
    names = {bytes(node.id): node.name for node in lab.spec.nodes}
    peers = lab.ask(lambda node: [names.get(bytes(peer.node_id), "") for peer in node.control.peers()])
    found = {frozenset((name, other)) for name, others in peers.items() for other in others if other}
    planned = {frozenset((link.a, link.b)) for link in lab.spec.links}
    unplanned = sorted(tuple(sorted(pair)) for pair in found - planned)
    for a, b in unplanned:
        lab.disconnect(a, b)
    if unplanned:
        lab.wait_ready()
    return [f"disconnected, as they are not linked: {a}, {b}" for a, b in unplanned]
