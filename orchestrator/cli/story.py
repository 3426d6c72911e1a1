"""What `lab up` tells when the lab is ready: who is not connected, the way of the first message, what to type next."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.messages import MS_PER_S, delivery_to_json, print_path
from orchestrator.cli.output import format_seconds, join_words

if TYPE_CHECKING:
    from orchestrator.lab import Delivery, Lab
    from orchestrator.spec import LabSpec

SENDER, RECEIVER = "alice", "bob"
GREETING = b"hello bob, this is alice"
NOUNS = {"docker": "containers", "process": "processes"}


def tells_story(spec: LabSpec) -> bool:
    """Whether a lab has the two nodes between whom the first message goes."""
    return {SENDER, RECEIVER} <= set(spec.node_names)


def print_ready(lab: Lab, seconds: float) -> None:
    """One line: what runs now."""
    noun = NOUNS.get(lab.runtime.name, lab.runtime.name)
    counts = f"{len(lab.spec.nodes)} {noun}, {len(lab.spec.links)} links"
    if lab.adopted:
        click.echo(f"lab {lab.spec.name} runs already, and is ready: {counts}")
    else:
        click.echo(f"lab {lab.spec.name} is ready: {counts}, {format_seconds(seconds)}")


def print_delivery(lab: Lab, delivery: Delivery) -> None:
    """The first message and its way."""
    click.echo()
    click.echo(_who_is_connected(lab))
    click.echo(f"{SENDER} sent {RECEIVER} a message that only {RECEIVER}'s key opens; the way it took:")
    print_path(delivery.journey, RECEIVER)
    path = delivery.journey.last_path_to(RECEIVER)
    relays = len(path) - 1 if path and not path[0].detached else 0
    by = f", through {relays} relay{'s' if relays > 1 else ''} without a key to it" if relays > 0 else ""
    click.echo(f"{RECEIVER} had it after {delivery.seconds * MS_PER_S:.1f} ms{by}.")


def print_next(lab: Lab, *, alone: bool) -> None:
    """Commands to go on with; `alone` says that they need not name the lab."""
    name = "" if alone else f" {lab.spec.name}"
    option = "" if alone else f" --lab {lab.spec.name}"
    first, *_, last = lab.spec.node_names
    ends = (RECEIVER, SENDER) if tells_story(lab.spec) else (last, first)
    lab_command = _how_to_call_us()
    commands = [
        (f"{lab_command} status{name}", "how every node is"),
        (f'{lab_command} send{option} {ends[0]} {ends[1]} "hi"', "another message"),
        (f"{lab_command} trace{option}", "where the last message went, and why"),
        (f"{lab_command} overlay{option}", "the ring of addresses, and whom each node knows"),
        (f"{lab_command} cut{option} {first} {_neighbour(lab.spec, first)}", "break a link; lab heal mends it"),
        (f"{lab_command} logs{option} -f", "what the nodes write"),
        (f"{lab_command} down{name}", "remove everything"),
    ]
    if lab.spec.timeline or lab.spec.traffic:
        commands.insert(-1, (f"{lab_command} play{option}", "the faults and the traffic of the lab file"))
    if lab.spec.checks:
        commands.insert(-1, (f"{lab_command} verify{option}", "whether it is what the lab file expects"))
    width = max(len(command) for command, _ in commands)
    click.echo("\nWhat to type next:")
    for command, purpose in commands:
        click.echo(f"  {command:<{width}}  {purpose}")


def _neighbour(spec: LabSpec, name: str) -> str:
    """Somebody whom a node is linked with, or else another node."""
    linked = spec.neighbours(name)
    return next(other for other in spec.node_names if other in linked or (not linked and other != name))


def _how_to_call_us() -> str:
    """``lab`` if that is what a shell would find, else the path that was used, such as ``.venv/bin/lab``."""
    used = Path(sys.argv[0])
    found = shutil.which("lab")
    if used.name != "lab" or (found and Path(found).samefile(used)):
        return "lab"
    return os.path.relpath(used) if used.is_relative_to(Path.cwd()) else str(used)


def to_json(lab: Lab, delivery: Delivery | None, seconds: float) -> dict[str, Any]:
    """What `lab up --json` prints."""
    return {
        "lab": lab.spec.name,
        "runtime": lab.runtime.name,
        "adopted": lab.adopted,
        "seconds": round(seconds, 3),
        "seed": lab.spec.seed,
        "nodes": [{"name": node.name, "role": node.role, "overlay": node.overlay.hex()} for node in lab.spec.nodes],
        "links": [[link.a, link.b] for link in lab.spec.links],
        "message": {"from": SENDER, "to": RECEIVER, "mode": "asym"} | delivery_to_json(delivery) if delivery else None,
    }


def _who_is_connected(lab: Lab) -> str:
    """Asked, not taken from the plan."""
    names = {bytes(node.id): node.name for node in lab.spec.nodes}
    peers = {
        end: sorted(names.get(bytes(peer.node_id), "somebody") for peer in lab[end].control.peers())
        for end in (SENDER, RECEIVER)
    }
    if RECEIVER in peers[SENDER]:
        return f"{SENDER} and {RECEIVER} are connected with each other."
    return (
        f"{SENDER} and {RECEIVER} are NOT connected with each other: "
        f"{SENDER} only with {join_words(peers[SENDER])}, {RECEIVER} only with {join_words(peers[RECEIVER])}."
    )
