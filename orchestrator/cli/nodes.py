"""Commands on single nodes and links: exec, rpc, connect, disconnect, node start|stop|kill."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.labs import choose_lab
from orchestrator.cli.output import print_json, say
from orchestrator.cli.pick import known_node, running_node
from orchestrator.cli.session import Session, lab_option, pass_session
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.lab import Lab

JSON_BEGINNINGS = ("{", "[", '"')


class CommandNotRun(OrchestratorError):
    """There is no such program where the node is; 127 as in shells."""

    exit_code = 127


@contextlib.contextmanager
def opened(session: Session, lab_name: str | None) -> Iterator[Lab]:
    """A running lab for the time of one command."""
    lab = session.labs.open(choose_lab(session.labs, lab_name))
    try:
        yield lab
    finally:
        lab.close()


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@lab_option
@click.argument("node")
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGUMENT]...")
@pass_session
def execute(session: Session, lab_name: str | None, node: str, command: tuple[str, ...]) -> None:
    """Run a command where a node is.

    Its exit code is ours.
    """
    # What follows the node's name is the command's, so the separator that users are told to write is passed on to us.
    words = command[1:] if command[0] == "--" else command
    if not words:
        raise click.UsageError("no command given")
    with opened(session, lab_name) as lab:
        spec = running_node(lab, node)
        try:
            code, output = lab.runtime.execute(spec, words)
        except OSError as error:
            raise CommandNotRun(f"{words[0]}: {error.strerror or error}") from None
    click.echo(output, nl=False)
    if code:
        raise click.exceptions.Exit(code)


@click.command()
@click.argument("node")
@click.argument("method")
@click.argument("params", nargs=-1, metavar="[PARAM]...")
@lab_option
@pass_session
def rpc(session: Session, node: str, method: str, params: tuple[str, ...], lab_name: str | None) -> None:
    """Call a JSON-RPC method of a node.

    Such as admin_peers; the result is JSON. PARAMs are JSON; a word that is none, such as 0xab or hello, is taken as a
    string.
    """
    values = [_parse_param(text) for text in params]
    with opened(session, lab_name) as lab:
        running_node(lab, node)
        print_json(lab[node].rpc(method, *values))


@click.command()
@click.argument("a")
@click.argument("b")
@lab_option
@pass_session
def connect(session: Session, a: str, b: str, lab_name: str | None) -> None:
    """Let node A dial node B, and wait for it."""
    with opened(session, lab_name) as lab:
        _check_pair(lab, a, b)
        lab.connect(a, b)
    say(f"{a} and {b} are connected")


@click.command()
@click.argument("a")
@click.argument("b")
@lab_option
@pass_session
def disconnect(session: Session, a: str, b: str, lab_name: str | None) -> None:
    """Take a connection down; neither dials again."""
    with opened(session, lab_name) as lab:
        _check_pair(lab, a, b)
        lab.disconnect(a, b)
    say(f"{a} and {b} are not connected")


@click.group("node")
def node_group() -> None:
    """Start, stop, kill, restart, pause or unpause a node of a running lab."""


@node_group.command()
@click.argument("name")
@lab_option
@pass_session
def start(session: Session, name: str, lab_name: str | None) -> None:
    """Start a node that was stopped, and connect it as the lab wants it."""
    with opened(session, lab_name) as lab:
        known_node(lab, name)
        lab.start(name)
    say(f"{name} runs")


@node_group.command()
@click.argument("name")
@lab_option
@pass_session
def stop(session: Session, name: str, lab_name: str | None) -> None:
    """Stop a node with SIGTERM: it says goodbye to its peers."""
    with opened(session, lab_name) as lab:
        known_node(lab, name)
        lab.stop(name)
    say(f"{name} is stopped")


@node_group.command()
@click.argument("name")
@lab_option
@pass_session
def kill(session: Session, name: str, lab_name: str | None) -> None:
    """Kill a node with SIGKILL: as if the power went."""
    with opened(session, lab_name) as lab:
        known_node(lab, name)
        lab.kill(name)
    say(f"{name} is dead")


def _check_pair(lab: Lab, a: str, b: str) -> None:
    running_node(lab, a)
    running_node(lab, b)
    if a == b:
        raise click.UsageError(f"a node cannot be its own peer: {a}")


def _parse_param(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        if text.startswith(JSON_BEGINNINGS):
            raise click.UsageError(f"{text[:80]!r} is no JSON: {error}") from None
        return text
