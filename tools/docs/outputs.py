"""The ```console blocks of the tutorial: a command, and what it really prints.

``python -m tools.docs.outputs`` runs them all and writes down again what has changed; `make docs-outputs` does that.
Keys, ports, paths and times are other ones in every run and are not compared; neither is the order between actors.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.docs.pages import Fence, fences
from tools.docs.tutorial import ROOT, TUTORIAL

PROMPT = "$ "
TIME_LIMIT_S = 20.0
"""For one program; the examples take less than five seconds."""

_KEY = re.compile(r"0x[0-9a-f]{8,}|(?<![0-9a-zA-Z])[0-9a-f]{8,}(?![0-9a-zA-Z])")
_VARYING = (
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"\bport \d+"), "port <port>"),
    (re.compile(r"/(?:tmp|var/folders)/[\w./-]+"), "<temporary path>"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|µs|s)\b"), "<time>"),
)


def normalise(line: str) -> str:
    """A line without what differs from run to run. The length of keys stays."""
    line = _KEY.sub(lambda match: f"<hex, {len(match[0])} characters>", line)
    for pattern, shown in _VARYING:
        line = pattern.sub(shown, line)
    return line.rstrip()


def by_actor(output: str) -> list[str]:
    """The lines, normalised, those of one actor together and in their order."""
    return sorted((normalise(line) for line in output.splitlines()), key=lambda line: line.partition("  ")[0])


def split(fence: Fence) -> tuple[str, str]:
    """Command and output of a block.

    Raises:
        ValueError: it does not begin with a prompt and `python examples/...`.
    """
    first, _, output = fence.content.partition("\n")
    if not first.startswith(f"{PROMPT}python examples/"):
        raise ValueError(f"{fence.place}: expected `{PROMPT}python examples/...`, got {first!r}")
    return first.removeprefix(PROMPT), output


def run(command: str) -> str:
    """What a command prints, run in the project's directory with this interpreter.

    Raises:
        RuntimeError: it fails; the text has its exit code and what it complained of.
    """
    program, *arguments = shlex.split(command)
    assert program == "python", command
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "TMPDIR": home, "COLUMNS": "100"}
        done = subprocess.run(  # noqa: S603 - a command of our own pages
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def difference(fence: Fence, actual: str) -> str:
    """What the page says otherwise than the program; empty if nothing that counts."""
    command, shown = split(fence)
    return "\n".join(difflib.unified_diff(by_actor(shown), by_actor(actual), fence.place, command, lineterm="", n=2))


def console_fences() -> list[Fence]:
    """All of the tutorial."""
    return [fence for path in sorted(TUTORIAL.glob("*.md")) for fence in fences(path) if fence.language == "console"]


def rewrite(path: Path) -> int:
    """Bring the outputs of a page up to date.

    Returns:
        How many there were to change.
    """
    changed = 0
    for fence in reversed(fences(path)):  # from below, so that line numbers stay good
        if fence.language != "console":
            continue
        command, _ = split(fence)
        actual = run(command)
        if difference(fence, actual):
            lines = path.read_text().splitlines(keepends=True)
            end = fence.line + fence.content.count("\n")
            lines[fence.line + 1 : end] = [line.rstrip() + "\n" for line in actual.splitlines()]
            path.write_text("".join(lines))
            changed += 1
    return changed


def main() -> None:
    paths = [Path(name) for name in sys.argv[1:]] or sorted(TUTORIAL.glob("*.md"))
    for path in paths:
        if changed := rewrite(path):
            print(f"{path.name}: {changed} outputs changed")


if __name__ == "__main__":
    main()
