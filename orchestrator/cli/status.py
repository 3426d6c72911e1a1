"""`lab status` and `lab ls`: what runs, and how it is."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.failures import EXIT_NOT_READY
from orchestrator.cli.labs import choose_lab
from orchestrator.cli.output import (
    format_megabytes,
    format_seconds,
    join_words,
    json_option,
    print_json,
    print_table,
    say,
)
from orchestrator.cli.session import Session, pass_session
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.gc import FoundLab
    from orchestrator.lab import NodeStatus
    from orchestrator.spec import LabSpec
    from orchestrator.state import SavedLab

PEERS_SHOWN = 6
EXPIRED = "expired"


@click.command()
@click.argument("name", required=False)
@json_option
@pass_session
def status(session: Session, name: str | None, as_json: bool) -> None:
    """Show how every node is.

    Exit code 0 if all are as they should be, 6 if not. NAME defaults to the only lab there is.
    """
    name = choose_lab(session.labs, name, how="lab status NAME")
    complete = came_up(session.labs.saved().get(name))
    lab = session.labs.open(name)
    try:
        nodes = lab.status()
        ready = not any(node.reasons for node in nodes)
        if as_json:
            document = {"lab": lab.spec.name, "runtime": lab.runtime.name, "ready": ready}
            document |= {"expires": lab.spec.expires or None, EXPIRED: is_expired(lab.spec.expires)}
            print_json({**document, "nodes": [node_to_json(node) for node in nodes]})
        else:
            _print_status(nodes if complete else [_without_details(node) for node in nodes])
            links, word = len(lab.spec.links), "ready" if ready else "not ready"
            say(f"lab {lab.spec.name} ({lab.runtime.name}): {len(nodes)} nodes, {links} links, {word}")
        if not complete:
            say(f"lab {name}: its lab up did not finish; unless it is still at work, lab up removes it and starts anew")
        warn_if_expired(lab.spec)
    finally:
        lab.close()
    if not ready:
        raise click.exceptions.Exit(EXIT_NOT_READY)


def came_up(saved: SavedLab | OrchestratorError | None) -> bool:
    """Whether a lab that is remembered is one to use; what an interrupted `lab up` left is not."""
    return saved is not None and getattr(saved, "complete", True)


def is_expired(expires: str) -> bool:
    """Whether a time, as labels have it, is over; empty is never."""
    from orchestrator import labels

    return labels.is_expired({labels.EXPIRES: expires}, datetime.datetime.now(datetime.UTC))


def warn_if_expired(lab: LabSpec) -> None:
    """Say that a lab may be gone any moment, if it is so; for every command that shows a lab as something to use."""
    if is_expired(lab.expires):
        say(f"warning: lab {lab.name} expired at {lab.expires}; any lab gc removes it")


def node_to_json(node: NodeStatus) -> dict[str, Any]:
    """A node's status as JSON types; what a node that does not answer cannot tell is null."""
    document: dict[str, Any] = {
        "name": node.name,
        "state": str(node.state),
        "ready": not node.reasons,
        "missing": node.reasons,
        "peers": sorted(node.peers),
        "depth": node.depth,
        "enode": None,
        "overlay": None,
        "rss_bytes": None,
        "uptime_s": None,
    }
    if node.info is not None:
        document["enode"] = node.info.enode
        document["overlay"] = node.info.overlay.hex()
        # Nodes of kind reference tell neither.
        document["rss_bytes"] = node.info.rss_bytes or None
        document["uptime_s"] = round(node.info.uptime_s, 3) or None
    return document


def _without_details(node: NodeStatus) -> NodeStatus:
    """How a node of an unfinished lab is: why a call to it failed tells nobody anything."""
    if node.info is not None or node.state != "running":
        return node
    return dataclasses.replace(node, reasons=[f"{node.name} does not answer"])


def _print_status(nodes: list[NodeStatus]) -> None:
    rows = []
    for node in nodes:
        told = node.info
        rows.append(
            (
                node.name,
                "ready" if not node.reasons else "not ready" if node.state == "running" else str(node.state),
                join_words(sorted(node.peers), limit=PEERS_SHOWN),
                str(node.depth) if told else "",
                format_megabytes(told.rss_bytes) if told and told.rss_bytes else "",
                format_seconds(told.uptime_s) if told and told.uptime_s else "",
                "; ".join(node.reasons),
            )
        )
    columns = ["node", "state", "peers", "depth", "memory", "uptime"]
    # A column for what is missing only where something is.
    width = len(columns) + any(node.reasons for node in nodes)
    columns.append("missing")
    print_table(columns[:width], [row[:width] for row in rows], right=("depth", "memory", "uptime"))


@click.command("ls")
@json_option
@pass_session
def list_labs(session: Session, as_json: bool) -> None:
    """List the labs there are.

    Those of this state directory, and those started from elsewhere that have containers or processes here.
    """
    rows = _known_labs(session, {lab.lab_id: lab for lab in session.labs.found(say)})
    if as_json:
        print_json({"labs": rows})
    elif rows:
        cells = [
            (
                row["name"],
                row["id"],
                row["runtime"],
                f"{row['running']}/{row['nodes']}",
                row["owner"],
                row["created"],
                f"{row['expires']} {EXPIRED}" if row[EXPIRED] else row["expires"] or "never",
                row["where"],
            )
            for row in rows
        ]
        columns = ("lab", "id", "runtime", "running", "owner", "created", "expires", "where")
        print_table(columns, cells, right=("running",))
    else:
        say("no lab; lab up starts one")


def _known_labs(session: Session, found: dict[str, FoundLab]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, saved in session.labs.saved().items():
        lab_id = session.labs.lab_id(name)
        objects = found.pop(lab_id, None)
        row = {"name": name, "id": lab_id, "runtime": "", "running": 0, "nodes": 0, "created": "", "where": "here"}
        row |= {"owner": objects.owner if objects else "", "expires": objects.expires if objects else ""}
        if isinstance(saved, OrchestratorError):
            row["where"] = f"here, damaged: {saved}"
        else:
            row |= {"runtime": saved.runtime, "nodes": len(saved.spec.nodes), "created": _one_form(saved.created)}
            row["expires"] = saved.spec.expires
        row["running"] = len(objects.running) if objects else 0
        rows.append(row)
    for lab in found.values():
        where = str(lab.directory) if lab.directory else "elsewhere"
        if lab.is_from_elsewhere:
            where = f"{lab.host_name}:{where}"
        elif lab.lab_id == session.labs.lab_id(lab.name):
            where = "here, but its state is gone"
        count = len(lab.running)
        rows.append(
            {
                "name": lab.name,
                "id": lab.lab_id,
                "runtime": lab.runtime,
                "running": count,
                "nodes": count + len(lab.stopped),
                "owner": lab.owner,
                "created": lab.created,
                "expires": lab.expires,
                "where": where,
            }
        )
    return [one | {EXPIRED: is_expired(one["expires"])} for one in rows]


def _one_form(created: str) -> str:
    """A time as labels have it; what is none as it is."""
    from orchestrator import labels

    with contextlib.suppress(ValueError):
        return labels.format_time(datetime.datetime.fromisoformat(created))
    return created
