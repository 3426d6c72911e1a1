"""A lab that is not as it should be: one that runs is taken over and mended, what an interrupted start left is removed.

`lab up` comes here before it starts anything anew. Whether there is a lab at all, its state directory says
(:mod:`orchestrator.state`); what is left without one carries the lab's id.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from node.control.client import ControlError
from orchestrator.docker_runtime import DockerRuntime
from orchestrator.errors import LabFileError, LabNotFound, LabNotReady, OrchestratorError
from orchestrator.node_handle import NodeHandle
from orchestrator.readiness import refuses_token
from orchestrator.runtime import Report, Runtime
from orchestrator.runtimes import open_runtime
from orchestrator.spec import LabSpec
from orchestrator.state import TOKEN_HINT, SavedLab, StateDir

if TYPE_CHECKING:
    from orchestrator.lab import Lab

TOKEN_CHECK_TIMEOUT_S = 2.0
SCRIPT = ("timeline", "traffic", "checks", "ready_when", "ready_timeout_s", "title")
"""What a lab file can change of a lab that runs."""

L = TypeVar("L", bound="Lab")


def adopt(saved: SavedLab, wanted: LabSpec, open_lab: Callable[[], L], *, port: int, report: Report) -> L:
    """Take over a lab that came up before, and let run again what stopped since.

    Args:
        saved: what is remembered of it.
        wanted: what was asked for.
        open_lab: opens the one that is remembered.
        port: of the gateway, if it has to be made anew; 0 for any.

    Raises:
        LabFileError: it is another lab than the one that is wanted.
        OrchestratorError: it cannot be brought to what it should be.
    """
    if _shape(saved.spec) != _shape(wanted):
        raise LabFileError(
            f"a lab {wanted.name!r} runs already, and it has other nodes, keys or links than this one",
            hint=f"lab down {wanted.name}, or choose another name with --name",
        )
    lab = open_lab()
    try:
        _take_script(lab, saved, wanted, report)
        _mend(lab, port, report)
    except BaseException:
        lab.close()
        raise
    return lab


def clear(saved: SavedLab, state: StateDir, report: Report) -> None:
    """Remove a lab that never came up, and what is remembered of it."""
    report("removing what an interrupted lab up left")
    runtime = open_runtime(saved.runtime, state, 0, lambda line: None)
    try:
        runtime.down()
    finally:
        runtime.close()
    state.clear()


def remove_leftovers(name: str, runtime: Runtime, report: Report) -> None:
    """Remove what carries the lab's id though nobody remembers it: nodes whose state directory was deleted.

    They know another token than ours.
    """
    if left := runtime.down():
        report(f"removed what was left of an earlier lab {name}: {', '.join(left)}")


@contextlib.contextmanager
def unless_gone(lab: Lab) -> Iterator[None]:
    """Start a node, unless the lab is taken down before that is done: nobody but us knows of the node then.

    Raises:
        LabNotFound: the lab is gone; which says more than whatever failed for it.
    """
    lab.faults.check_lab()
    try:
        yield
    except (OrchestratorError, OSError, KeyError):  # what fails without the lab's directory
        _leave_nothing(lab)
        raise
    _leave_nothing(lab)


def _leave_nothing(lab: Lab) -> None:
    try:
        lab.faults.check_lab()
    except LabNotFound:
        lab.runtime.down()
        raise


def _take_script(lab: Lab, saved: SavedLab, wanted: LabSpec, report: Report) -> None:
    """Take over what the file now says of things that touch no node: what is played, what is checked."""
    told = {key: getattr(wanted, key) for key in SCRIPT}
    if any(getattr(lab.spec, key) != value for key, value in told.items()):
        lab.spec = dataclasses.replace(lab.spec, **told)
        lab.state.save(dataclasses.replace(saved, spec=lab.spec))
        report("took over what the lab file says of faults, traffic and checks")


def _mend(lab: Lab, port: int, report: Report) -> None:
    """Let everything that stopped run again, and wait until the lab is as it should be."""
    if isinstance(lab.runtime, DockerRuntime):
        lab.runtime.mend_gateway(report, port=port)
    running = lab.running
    nodes = lab.spec.nodes
    _check_token(lab[next((node.name for node in nodes if node.name in running), nodes[0].name)])
    if healed := lab.heal():
        report(f"faults taken back: {', '.join(healed)}")
    running = lab.running  # some may have been paused
    stopped = [node for node in nodes if node.name not in running]
    if stopped:
        report(f"starting again: {', '.join(node.name for node in stopped)}")
        lab.start_nodes(stopped)
    # Those that ran already may have been started a moment ago by somebody else.
    lab.wait_until_up([node for node in nodes if node.name in running])
    # What is connected already answers at once.
    lab.connect_links(lab.spec.links)
    lab.wait_ready()
    lab.faults.set_file_conditions()


def _check_token(node: NodeHandle) -> None:
    """Find out before waiting whether our token is the lab's; waiting for a node would hide that it is not.

    Raises:
        LabNotReady: it is not.
    """
    try:
        node.control.info(timeout_s=TOKEN_CHECK_TIMEOUT_S)
    except ControlError as error:
        if refuses_token(error):
            raise LabNotReady(str(error), hint=TOKEN_HINT) from None


def _shape(spec: LabSpec) -> tuple[object, ...]:
    """What two specs of the same name must share to be the same lab."""
    nodes = tuple((node.name, node.bzz_key.secret, node.reference, node.own) for node in spec.nodes)
    return (spec.seed, nodes, frozenset(spec.links), spec.auto_connect, spec.network_id, spec.image, spec.net)
