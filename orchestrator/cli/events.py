"""`lab events`: what happens in all nodes, in one stream by time."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.arguments import NamedOption
from orchestrator.cli.labs import choose_lab
from orchestrator.cli.output import say
from orchestrator.cli.session import Session, lab_option, pass_session

if TYPE_CHECKING:
    from node.control.client import Memory
    from node.events import EventFilter, NodeEvent
    from orchestrator.event_stream import Notice, Told
    from orchestrator.lab import Lab
    from orchestrator.node_handle import NodeHandle

SHORT_HEX_DIGITS = 8
WORDS = {"control": "yellow", "live": "green", "current": "cyan"}
"""Somebody asked for it; it happened; it is so now. A word and a colour each."""
KIND_CHARS = 13
INCOMING = ("pss.received", "pss.delivered", "pss.duplicate", "pss.dropped", "msgrecv")
"""Kinds whose peer is where it came from."""
MAX_TEXT_CHARS = 60


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Show what happens from now on, until Ctrl-C.")
@click.option("--current", is_flag=True, help="Begin with what is so now: which nodes run, who is connected with whom.")
@click.option(
    "--filter",
    "filters",
    cls=NamedOption,
    multiple=True,
    metavar="PROTO[:CODES]",
    help="Only events of a protocol, and of some of its message codes: pss, bzz:0,1. May be repeated. Messages are "
    "seen only with --follow.",
)
@click.option(
    "--kind",
    "kinds",
    cls=NamedOption,
    multiple=True,
    metavar="KIND",
    help="Only events of a kind: add, pss.forwarded, or all of pss.",
)
@click.option(
    "--nodes",
    "selectors",
    cls=NamedOption,
    multiple=True,
    metavar="SEL",
    help="Only of some nodes: a name, a glob or role=ROLE.",
)
@click.option(
    "--tail",
    type=click.IntRange(min=0),
    metavar="N",
    help="Only the last N of those that are remembered; with --follow none by default, else all.",
)
@click.option("--json", "as_json", cls=NamedOption, is_flag=True, help="One JSON document a line.")
@lab_option
@pass_session
def events(
    session: Session,
    follow: bool,
    current: bool,
    filters: tuple[str, ...],
    kinds: tuple[str, ...],
    selectors: tuple[str, ...],
    tail: int | None,
    as_json: bool,
    lab_name: str | None,
) -> None:
    """Show the events of all nodes, in the order of time.

    What they remember, or with --follow what happens from now on. "control" is what somebody asked for, "live" what
    happened by itself.
    """
    from node.events import EventFilter
    from orchestrator.event_stream import parse_filters, parse_kinds
    from orchestrator.names import select_nodes

    only = EventFilter(kinds=frozenset(parse_kinds(kinds)), protocols=parse_filters(filters))
    lab = session.labs.open(choose_lab(session.labs, lab_name))
    try:
        nodes = [lab[node.name] for node in select_nodes(lab.spec.nodes, selectors)]
        show = _Printer(lab, as_json)
        count = tail if tail is not None else 0 if follow else None
        if follow:
            _follow(lab, nodes, only, count, show, current=current)
            return
        if current:
            show.current(nodes)
        if count == 0:
            return
        memories = _remembered(lab, nodes, only, count)
        _say_who_is_missing(lab, [node for node in nodes if node.name not in memories])
        shown = _last(memories, count)
        for told in shown:
            show.told(told)
        if _misses_messages(only, shown):
            say("messages are not remembered; to see them as they pass: lab events --follow")
    finally:
        lab.close()


def _follow(
    lab: Lab,
    nodes: list[NodeHandle],
    only: EventFilter,
    tail: int | None,
    show: _Printer,
    *,
    current: bool,
) -> None:
    from orchestrator.event_stream import Follower, Notice

    # Nothing of what is remembered is asked for unless it is shown.
    memories = _remembered(lab, nodes, only, tail) if tail else {}
    seen = {name: memory.position for name, memory in memories.items()}
    _say_what_nobody_speaks(lab, nodes, only)
    with Follower(nodes, only, seen=seen) as stream:
        if current:
            show.current(nodes)
        for told in _last(memories, tail):
            show.told(told)
        heard: dict[str, bool] = {}
        for item in stream:
            if isinstance(item, Notice):
                _say_of(item, heard, len(nodes))
            else:
                show.told(item)


def _say_of(notice: Notice, heard: dict[str, bool], nodes: int) -> None:
    """Tell the user; once something is known of every node (`heard`: whether it is followed), that it has begun."""
    from orchestrator.event_stream import FOLLOWED

    if notice.text != FOLLOWED or len(heard) == nodes:
        say(f"{notice.node} {notice.text}")
    if len(heard) < nodes:
        heard[notice.node] = notice.text == FOLLOWED
        if len(heard) == nodes:
            followed = sum(heard.values())
            count = str(nodes) if followed == nodes else f"{followed} of {nodes}"
            say(f"following {count} nodes; Ctrl-C ends it")


def _remembered(lab: Lab, nodes: list[NodeHandle], only: EventFilter, tail: int | None) -> dict[str, Memory]:
    """What the nodes remember, of each the last `tail`, by name; without those that do not answer or tell no events."""
    asked = {node.name for node in nodes if node.spec.reference is None} & lab.running
    return lab.ask(lambda node: node.control.recall(only, limit=tail), asked)


def _last(memories: Mapping[str, Memory], tail: int | None) -> list[Told]:
    """All or the last `tail` events, in the order of time."""
    from orchestrator.event_stream import Told, merge

    told = merge(Told(name, event) for name, memory in memories.items() for event in memory.events)
    return told if tail is None else told[len(told) - min(tail, len(told)) :]


def _say_who_is_missing(lab: Lab, nodes: list[NodeHandle]) -> None:
    from orchestrator.event_stream import NO_EVENTS
    from orchestrator.runtime import NodeState

    states = lab.runtime.node_states() if nodes else {}
    for node in nodes:
        state = states.get(node.name, NodeState.MISSING)
        why = "does not answer" if state is NodeState.RUNNING else f"is {state}"
        say(f"{node.name} {NO_EVENTS if node.spec.reference is not None else f'{why}: its events are missing'}")


def _say_what_nobody_speaks(lab: Lab, nodes: list[NodeHandle], only: EventFilter) -> None:
    """Name protocols that no connection has, as far as nodes answer: a slip of the pen would show nothing, for ever."""
    if not only.protocols:
        return
    told = lab.ask(lambda node: node.control.peers(), {node.name for node in nodes} & lab.running)
    spoken = {cap.partition("/")[0] for peers in told.values() for peer in peers for cap in peer.caps}
    for protocol in sorted(only.protocols.keys() - spoken if spoken else ()):
        say(f"no connection has a protocol {protocol!r}; there are: {', '.join(sorted(spoken))}")


def _misses_messages(only: EventFilter, shown: list[Told]) -> bool:
    """Whether somebody asked for messages, which nobody remembers, and could take it that there were none."""
    from node.events import MESSAGE_KINDS

    by_name = only.kinds & MESSAGE_KINDS or any(codes is not None for codes in only.protocols.values())
    return only.wants_messages and (bool(by_name) or not shown)


class _Printer:
    """Events as lines."""

    def __init__(self, lab: Lab, as_json: bool) -> None:
        self._lab, self._as_json = lab, as_json
        self._names = {node.id.hex(): node.name for node in lab.spec.nodes}
        self._width = max(len(node.name) for node in lab.spec.nodes)

    def told(self, told: Told) -> None:
        event = told.event
        peer = self._names.get(event.peer, "")
        if self._as_json:
            click.echo(json.dumps({"node": told.node, **asdict(event), "peer_name": peer}))
            return
        at = datetime.datetime.fromtimestamp(event.wall_s).astimezone().strftime("%H:%M:%S.%f")[:-3]
        shown = peer or (f"{event.peer[:SHORT_HEX_DIGITS]}…" if event.peer else "")
        self._line(at, told.node, "control" if event.control else "live", event.kind.value, shown, _details(event))

    def current(self, nodes: list[NodeHandle]) -> None:
        """Which nodes run and who is connected, each connection once."""
        from orchestrator import observe

        chosen, tables = {node.name for node in nodes}, observe.tables(self._lab)
        states = self._lab.runtime.node_states()
        for name in (name for name in self._lab.spec.node_names if name in chosen):
            state = str(states.get(name, "missing"))
            depth = tables[name].depth if name in tables else None
            self._now(name, "node", "", {"state": state, "depth": depth})
        for a, b in sorted(observe.connections(self._lab.spec, tables)):
            if chosen & {a, b}:
                self._now(a, "conn", b, {})

    def _now(self, node: str, kind: str, peer: str, data: dict[str, Any]) -> None:
        if self._as_json:
            click.echo(json.dumps({"node": node, "kind": kind, "current": True, "peer_name": peer, "data": data}))
        else:
            details = " ".join(f"{key}={value}" for key, value in data.items() if value is not None)
            self._line("now", node, "current", kind, peer, details)

    def _line(self, at: str, node: str, word: str, kind: str, peer: str, details: str) -> None:
        coloured = click.style(f"{word:<7}", fg=WORDS[word])
        arrow = "<-" if kind in INCOMING else "->" if kind != "conn" else "--"
        end = f"{arrow} {peer:<{self._width}}" if peer else " " * (self._width + 3)
        click.echo(f"{at:<12}  {node:<{self._width}}  {coloured}  {kind:<{KIND_CHARS}}  {end}  {details}".rstrip())


def _details(event: NodeEvent) -> str:
    return " ".join(_parts(event))


def _parts(event: NodeEvent) -> Iterator[str]:
    if event.protocol:
        yield event.protocol if event.code is None else f"{event.protocol}:{event.code}"
    if event.size is not None:
        yield f"{event.size} B"
    if event.digest:
        yield f"message {event.digest[:SHORT_HEX_DIGITS]}…"
    for key, value in event.data.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield f"{key}={text if len(text) <= MAX_TEXT_CHARS else text[:SHORT_HEX_DIGITS] + '…'}"
    if event.reason:
        yield event.reason[: 2 * MAX_TEXT_CHARS]
