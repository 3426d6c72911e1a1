"""Plays an example: every actor in a container, or in a process where there is no engine."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from orchestrator.chapter.examples import EXAMPLES_DIR, Example
from orchestrator.chapter.transcript import Said, Transcript
from orchestrator.docker_runtime import DockerRuntime
from orchestrator.engine import Engine, engine_required
from orchestrator.errors import DeliveryFailed, LabNotReady, OrchestratorError, RuntimeUnavailable
from orchestrator.identity import make_node, network_id_for
from orchestrator.image import ensure_image
from orchestrator.reference import Reference
from orchestrator.runtime import Report
from orchestrator.spec import LabSpec
from orchestrator.state import StateDir
from orchestrator.uninterrupted import uninterrupted

BOARD_PORT = 30400
"""Of the notice board, on the first actor's container."""
PLAY_TIMEOUT_S = 60.0
"""From the first container's start to the last actor's end; the examples give up by themselves after 30 s."""
HELD_BACK_S = 0.2
"""How long a line may wait for earlier ones of other actors."""
END_TIMEOUT_S = 4.0
"""For a process to end that is told to."""
SEED = 1
"""Of names and networks only: the actors make up their keys."""
IMAGE_EXAMPLES = "/opt/pss/app/examples"
"""Where the examples are in the image (images/README.md)."""
RUN_SCRIPT = ("env", "-u", "PYTHONSAFEPATH", "python3")
"""The image does not import from a script's own folder; the examples do, and in the image nobody can write there."""

Output = queue.SimpleQueue[tuple[str, str | None]]
"""Lines of an actor; None when no more come."""


def play(
    example: Example,
    *,
    runtime: str = "auto",
    state_root: Path | None = None,
    show: Callable[[Said], None] = lambda said: None,
    report: Report = lambda line: None,
) -> Transcript:
    """Play an example to its end. Nothing is left behind.

    Args:
        runtime: "docker", "process", or "auto": docker if an engine answers.
        show: gets each line as it is said.
        report: gets lines about what is being done.

    Raises:
        RuntimeUnavailable: containers are wanted or required, and there is no engine.
        LabNotReady: an actor did not come to its end, with its last lines.
        DeliveryFailed: it takes too long.
    """
    with _actors(example, runtime, state_root, report) as output:
        return _listen(example, output, show)


def _listen(example: Example, output: Output, show: Callable[[Said], None]) -> Transcript:
    transcript, order = Transcript(), InOrder(show)
    deadline = time.monotonic() + PLAY_TIMEOUT_S
    playing = set(example.cast)
    while playing:
        order.release(before_s=time.time() - HELD_BACK_S)
        try:
            actor, line = output.get(timeout=HELD_BACK_S)
        except queue.Empty:
            if time.monotonic() > deadline:
                order.release()
                raise DeliveryFailed(f"{', '.join(sorted(playing))} not through after {PLAY_TIMEOUT_S:g} s") from None
            continue
        if line is not None:
            if (said := transcript.add(actor, line)) is not None:
                order.add(said)
            continue
        playing.discard(actor)
        if actor not in transcript.finished:
            order.release()
            last = [said.text for said in transcript.said if said.actor == actor][-1:]
            raise LabNotReady(f"{actor} did not come to the end: {last[0] if last else 'it said nothing'}")
    order.release()
    return transcript


class InOrder:
    """Holds lines back for a moment, so that what was said first is shown first: outputs come by different ways."""

    def __init__(self, show: Callable[[Said], None]) -> None:
        self._show = show
        self._held: list[tuple[float, int, Said]] = []
        self._count = itertools.count()

    def add(self, said: Said) -> None:
        at_s = time.time() if said.at_s is None else said.at_s
        heapq.heappush(self._held, (at_s, next(self._count), said))

    def release(self, before_s: float = math.inf) -> None:
        """Show what is older than that, in Unix time."""
        while self._held and self._held[0][0] < before_s:
            self._show(heapq.heappop(self._held)[2])


@contextlib.contextmanager
def _actors(example: Example, runtime: str, state_root: Path | None, report: Report) -> Iterator[Output]:
    """The actors at work while the block runs."""
    if runtime == "process":
        with _processes(example) as output:
            yield output
        return
    try:
        engine = Engine()
    except RuntimeUnavailable as error:
        if runtime == "docker" or engine_required():
            raise
        report(f"{error}\nPlaying in local processes instead. For containers: {error.hint}")
        with _processes(example) as output:
            yield output
        return
    with contextlib.closing(engine), _containers(example, engine, state_root, report) as output:
        yield output


# -- containers


@contextlib.contextmanager
def _containers(example: Example, engine: Engine, state_root: Path | None, report: Report) -> Iterator[Output]:
    name = f"chapter-{example.name.replace('_', '-')}"
    state = StateDir(name, state_root)
    with state.lock():
        image = ensure_image(engine.client, report=report).tag
        stage = DockerRuntime(state, engine)
        try:
            spec = _spec(name, example, image)
            with uninterrupted():
                stage.down()  # what a run that was killed has left
                stage.prepare(spec, lambda line: None)
            report(f"a container each: {', '.join(spec.node_names)}" if len(spec.nodes) > 1 else "in a container")
            output: Output = queue.SimpleQueue()
            for node in spec.nodes:
                with uninterrupted():
                    stage.start_node(node)
                lines = stage.logs(node, follow=True)
                _pump(node.name, lines, output)
            yield output
        finally:
            with uninterrupted():
                stage.down()
                state.remove()


def _spec(name: str, example: Example, image: str) -> LabSpec:
    """The actors as nodes that run the example instead of a node."""
    board = f"{example.cast[0]}:{BOARD_PORT}"
    nodes = []
    for actor in example.cast:
        command = [*RUN_SCRIPT, f"{IMAGE_EXAMPLES}/{example.name}.py", "--json", "--host", "{ip}"]
        if len(example.cast) > 1:
            command += ["--role", actor, "--board", board]
        nodes.append(make_node(SEED, name, actor, reference=Reference(image=image, command=tuple(command))))
    return LabSpec(
        name=name, seed=SEED, nodes=tuple(nodes), links=(), network_id=network_id_for(SEED, name), title=example.title
    )


# -- processes


@contextlib.contextmanager
def _processes(example: Example) -> Iterator[Output]:
    board = f"127.0.0.1:{_free_port()}"
    output: Output = queue.SimpleQueue()
    processes: list[subprocess.Popen[str]] = []
    try:
        for actor in example.cast:
            command = [sys.executable, str(EXAMPLES_DIR / f"{example.name}.py"), "--json"]
            if len(example.cast) > 1:
                command += ["--role", actor, "--board", board]
            process = subprocess.Popen(  # noqa: S603  -- our own example
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=_environment(os.environ),
                start_new_session=True,  # ctrl-C is for us, who then end them
            )
            processes.append(process)
            assert process.stdout is not None
            _pump(actor, process.stdout, output)
        yield output
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    # Without compiled modules each process takes a second more to start.
    return {name: value for name, value in inherited.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# -- both


def _pump(actor: str, lines: Iterator[str], output: Output) -> None:
    """Let a thread put the lines of an actor into the queue until there are no more."""

    def run() -> None:
        try:
            for line in lines:
                output.put((actor, line.rstrip("\n")))
        except (OrchestratorError, OSError, ValueError) as error:
            output.put((actor, f"its output broke off: {error}"))
        output.put((actor, None))

    threading.Thread(target=run, name=f"output of {actor}", daemon=True).start()
