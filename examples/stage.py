"""What all examples share: actors, what they say, and how they learn of each other.

An example is one async function for each actor. Run as a script, all actors play in one process; ``lab chapter`` plays
each of them in a container of its own. In both cases they know of each other only what was put up on the board.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Protocol

from board import Board, BoardGone, HostedBoard, RemoteBoard

try:
    from node.errors import LabError
    from node.events import EventBus, NodeEvent
except ModuleNotFoundError as error:
    sys.exit(f"{error}: use .venv/bin/python, which `make venv` makes")

PLAY_TIMEOUT_S = 30.0
"""An example that takes this long hangs."""
EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class Actor:
    """One of those who take part; every example function gets its own."""

    def __init__(self, name: str, cast: Sequence[str], board: Board, host: str, *, as_json: bool) -> None:
        self.name, self.host = name, host
        self._cast, self._board, self._as_json = cast, board, as_json
        self._width = max(map(len, cast))

    def say(self, text: str) -> None:
        """Print a line with the actor's name in front."""
        if self._as_json:
            self._print({"at": time.time(), "say": text})
        else:
            print(f"{self.name:{self._width}}  {text}", flush=True)

    # -- the board

    async def tell(self, **facts: Any) -> None:
        """Let everybody know something about us."""
        for what, value in facts.items():
            await self._board.put(self.name, what, value)

    async def learn(self, who: Role, what: str) -> Any:
        """What another actor tells, as soon as it does."""
        return await self._board.get(who.__name__, what)

    async def together(self, where: str = "the end") -> None:
        """Wait here until every actor has come to the same point."""
        await self.tell(**{where: True})
        for name in self._cast:
            await self._board.get(name, where)

    # -- for `lab chapter`

    def watch(self, events: EventBus, node_id: str) -> None:
        """Let it see what becomes of this node's pss messages."""
        if not self._as_json:
            return
        self._print({"node_id": node_id})
        events.listen(self._report)

    def leave(self) -> None:
        """Let it know that this part was played to its end."""
        if self._as_json:
            self._print({"end": True})

    def _report(self, event: NodeEvent) -> None:
        if event.kind.startswith("pss."):
            self._print({"event": dataclasses.asdict(event)})

    def _print(self, record: dict[str, Any]) -> None:
        print(json.dumps(record), flush=True)


class Role(Protocol):
    """What an actor does: an async function that gets the actor. Its name is the actor's."""

    __name__: str

    def __call__(self, me: Actor) -> Coroutine[Any, Any, None]: ...


def play(*roles: Role) -> None:
    """Play an example to its end, and end the process: exit code 0, or 1 with the reason."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("-v", "--verbose", action="store_true", help="also show what the library logs")
    for flag, text in {
        "--role": "play one actor only; the others play elsewhere",
        "--board": "HOST:PORT of the board, which the first actor opens",
        "--host": "address to listen on (default %(default)s)",
    }.items():
        parser.add_argument(flag, help=text, default="127.0.0.1" if flag == "--host" else None)
    parser.add_argument("--json", action="store_true", help="print JSON lines, with events, for other programs")
    arguments = parser.parse_args()
    names = [role.__name__ for role in roles]
    if arguments.role not in (None, *names):
        parser.error(f"no actor {arguments.role!r}; there are: {', '.join(names)}")
    if bool(arguments.role) != bool(arguments.board):
        parser.error("--role and --board go together")
    if arguments.board and not arguments.board.rpartition(":")[2].isdigit():
        parser.error(f"--board {arguments.board!r}: expected HOST:PORT")
    level = logging.DEBUG if arguments.verbose else logging.ERROR
    logging.basicConfig(level=level, format=LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("asyncio").setLevel(logging.INFO)
    try:
        asyncio.run(_play(roles, arguments))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except (LabError, BoardGone, TimeoutError) as error:
        print(f"{sys.argv[0]}: {error or type(error).__name__}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except OSError as error:
        # Nobody reads what we say: `| head`, a full disk. Nothing more can be said then, at the end of Python either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"{sys.argv[0]}: {error.strerror or error}", file=sys.stderr)
        sys.exit(EXIT_FAILED)


async def _play(roles: Sequence[Role], arguments: argparse.Namespace) -> None:
    names = [role.__name__ for role in roles]
    async with _board(names, arguments) as board:
        actors = [
            (role, Actor(role.__name__, names, board, arguments.host, as_json=arguments.json))
            for role in roles
            if arguments.role in (None, role.__name__)
        ]
        acting = asyncio.create_task(_perform_all(actors))
        try:
            await asyncio.wait({acting}, timeout=PLAY_TIMEOUT_S)
            awaited = sorted(f"{what!r} of {who}" for who, what in set(board.awaited))
        finally:
            acting.cancel()
            await asyncio.wait({acting})
    if acting.cancelled():
        waits = f"; somebody waits for {', '.join(awaited)}" if awaited else ""
        raise TimeoutError(f"not through after {PLAY_TIMEOUT_S:g} s{waits}")
    acting.result()


async def _perform_all(actors: Sequence[tuple[Role, Actor]]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for role, actor in actors:
                group.create_task(_perform(role, actor))
    except ExceptionGroup as failures:
        # The first one that failed; the others were only cancelled.
        raise failures.exceptions[0] from None


async def _perform(role: Role, actor: Actor) -> None:
    await role(actor)
    actor.leave()


@contextlib.asynccontextmanager
async def _board(names: Sequence[str], arguments: argparse.Namespace) -> AsyncIterator[Board]:
    if arguments.board is None:
        yield Board()
        return
    host, _, port = arguments.board.rpartition(":")
    if arguments.role == names[0]:
        async with HostedBoard().hosting(host, int(port)) as hosted:
            yield hosted
    else:
        async with RemoteBoard.visiting(host, int(port)) as remote:
            yield remote
