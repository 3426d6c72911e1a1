"""A command line over pretended labs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.app import lab
from orchestrator.cli.session import Session
from tests.unit.orchestrator_cli.fakes import FakeLabs

Run = Callable[..., Result]


@pytest.fixture
def labs() -> FakeLabs:
    """One lab runs: `default`, a line of alice, n01 and bob."""
    return FakeLabs("default")


@pytest.fixture
def run(labs: FakeLabs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """``run("status", "--json")`` in an empty directory."""
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def invoke(*arguments: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Result:
        result = CliRunner().invoke(lab, arguments, obj=Session(labs=labs), input=stdin, env=env or {})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    yield invoke
    for number, handler in before.items():
        signal.signal(number, handler)
