"""`lab send` and `lab trace`: one message, and the way it took."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.arguments import DURATION, NamedOption
from orchestrator.cli.failures import NothingMatched, describe
from orchestrator.cli.labs import choose_lab
from orchestrator.cli.output import join_words, json_option, print_json
from orchestrator.cli.pick import running_node
from orchestrator.cli.session import Session, lab_option, pass_session
from orchestrator.errors import DeliveryFailed, OrchestratorError

if TYPE_CHECKING:
    from orchestrator.lab import Delivery, Lab
    from orchestrator.trace import Journey

LAST = "last"
DIGEST_HEX_DIGITS = 64
MIN_HEX_DIGITS = 4
"""Of the beginning of a digest."""
MORE_HEX_DIGITS = 8
"""Shown of a digest after a beginning that several have."""
CANDIDATES_SHOWN = 5
STDIN = "-"
MS_PER_S = 1000


class AmbiguousDigest(OrchestratorError):
    """Several messages begin so."""

    exit_code = 2


@click.command()
@click.argument("sender", metavar="FROM")
@click.argument("receiver", metavar="TO")
@click.argument("message")
@click.option(
    "--mode", type=click.Choice(["raw", "sym", "asym"]), default="asym", show_default=True, help="Encryption."
)
@click.option("--timeout", type=DURATION, default="10s", show_default=True, help="How long to wait for the delivery.")
@click.option(
    "--trace/--no-trace",
    "show_tree",
    cls=NamedOption,
    default=None,
    help="Show where it went and why, as lab trace does; or no path at all. Without either: the path to the receiver.",
)
@lab_option
@json_option
@pass_session
def send(
    session: Session,
    sender: str,
    receiver: str,
    message: str,
    mode: str,
    timeout: float,
    show_tree: bool | None,
    lab_name: str | None,
    as_json: bool,
) -> None:
    """Send a pss message and wait until it is there.

    MESSAGE - reads it from standard input. Exit code 124 if it does not arrive in time.
    """
    if sender == receiver:
        raise click.UsageError(f"sender and receiver are the same node: {sender}")
    name = choose_lab(session.labs, lab_name)
    payload = sys.stdin.buffer.read() if message == STDIN else message.encode()
    lab = session.labs.open(name)
    try:
        running_node(lab, sender)
        running_node(lab, receiver)
        delivery = lab.send(sender, receiver, payload, mode=mode, timeout_s=timeout)
    except DeliveryFailed as error:
        digest = error.digest
        if digest:
            session.labs.remember_digest(name, digest.hex())
        if as_json:
            text, hint = describe(error)
            print_json({"delivered": False, "digest": digest.hex() or None, "error": text, "hint": hint})
        raise
    finally:
        lab.close()
    session.labs.remember_digest(name, delivery.digest.hex())
    if as_json:
        print_json({"from": sender, "to": receiver, "mode": mode} | delivery_to_json(delivery))
        return
    took = f"{delivery.seconds * MS_PER_S:.1f} ms"
    click.echo(f"{receiver} got {len(delivery.payload)} bytes from {sender} ({mode}) after {took}")
    if show_tree:
        click.echo(str(delivery.journey))
    elif show_tree is None:
        print_path(delivery.journey, receiver)


@click.command()
@click.argument("digest", metavar="DIGEST|last", default=LAST)
@lab_option
@json_option
@pass_session
def trace(session: Session, digest: str, lab_name: str | None, as_json: bool) -> None:
    """Show where a message went.

    Who passed it on to whom and why, who dropped it, who took it. DIGEST is what lab send --json shows, or its first
    digits, 4 at least, as lab events shows them; "last" is the message sent last.
    """
    name = choose_lab(session.labs, lab_name)
    digits = _parse_digest(digest, session.labs.last_digest(name))
    lab = session.labs.open(name)
    try:
        wanted = bytes.fromhex(digits if len(digits) == DIGEST_HEX_DIGITS else _complete(lab, digits))
        journey = lab.trace(wanted)
    finally:
        lab.close()
    if not journey.origin and not journey.hops:
        hint = "; ".join(journey.gaps)
        raise NothingMatched(f"no node of lab {name} remembers message {wanted.hex()}", hint=hint)
    if as_json:
        print_json(journey.to_json())
    else:
        click.echo(str(journey))


def delivery_to_json(delivery: Delivery) -> dict[str, Any]:
    """A delivery as JSON types."""
    return {
        "delivered": True,
        "digest": delivery.digest.hex(),
        "bytes": len(delivery.payload),
        "ms": round(delivery.seconds * MS_PER_S, 3),
        "journey": delivery.journey.to_json(),
    }


def print_path(journey: Journey, receiver: str) -> None:
    """The way of what was sent last to the receiver, one hop a line with the time it took."""
    path = journey.last_path_to(receiver)
    if not path:
        click.echo(f"  {journey.summary}")
        return
    if path[0].detached:
        click.echo(f"  its way to {path[0].sender} is not known")
    width = max(len(hop.sender) for hop in path)
    to_width = max(len(hop.receiver) for hop in path)
    for hop in path:
        took = f"{hop.took_ms:7.1f} ms" if hop.took_ms is not None else "      ? ms"
        click.echo(f"  {hop.sender:<{width}} -> {hop.receiver:<{to_width}} {took}")


def _parse_digest(text: str, last: str) -> str:
    """The hex digits of a digest or its beginning, or those of the last message."""
    if text == LAST:
        if not last:
            raise NothingMatched("no message was sent yet", hint='lab send alice bob "hi"')
        text = last
    digits = text.removeprefix("0x").removesuffix("…").lower()
    if not re.fullmatch(f"[0-9a-f]{{{MIN_HEX_DIGITS},{DIGEST_HEX_DIGITS}}}", digits):
        raise click.UsageError(
            f"{text[:80]!r} is no message digest: expected {DIGEST_HEX_DIGITS} hex digits, or the first of them "
            f"({MIN_HEX_DIGITS} at least), or last"
        )
    return digits


def _complete(lab: Lab, digits: str) -> str:
    """The one digest that nodes remember and that begins so.

    Raises:
        NothingMatched: nobody remembers one.
        AmbiguousDigest: there are several.
    """
    from node.events import Kind

    kinds = (Kind.PSS_SENT, Kind.PSS_RECEIVED, Kind.PSS_DROPPED)  # the first that a node tells of any message
    telling = {node.name for node in lab.spec.nodes if node.reference is None}
    told = lab.ask(lambda node: node.control.history(*kinds), lab.running & telling)
    found = sorted({event.digest for events in told.values() for event in events if event.digest.startswith(digits)})
    if not found:
        silent = sorted(telling - set(told))
        hint = f"{join_words(silent)} could not be asked" if silent else "lab events --kind pss"
        raise NothingMatched(f"no node of lab {lab.spec.name} remembers a message that begins with {digits}", hint=hint)
    if len(found) > 1:
        shown = [f"{digest[: len(digits) + MORE_HEX_DIGITS]}…" for digest in found]
        raise AmbiguousDigest(
            f"{len(found)} messages begin with {digits}: {join_words(shown, limit=CANDIDATES_SHOWN)}",
            hint="give more of its digits",
        )
    return found[0]
