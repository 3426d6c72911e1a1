"""node.statefile: a document that survives the node, and files that are no such thing."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from node import statefile
from node.statefile import MAX_STATE_BYTES, StateFile

DEADLINE_S = 5.0
DOCUMENT = {"version": 1, "names": ["eins", "zwei", "\u00fc"], "at": 1.5, "none": None}


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "nodes" / "state.json")


def test_what_is_written_is_read(file: StateFile) -> None:
    assert file.write(DOCUMENT)
    assert file.read() == DOCUMENT
    assert StateFile(file.path).read() == DOCUMENT
    assert file.write([])
    assert file.read() == []


def test_nothing_was_written_yet(file: StateFile, caplog: pytest.LogCaptureFixture) -> None:
    assert file.read() is None
    assert not caplog.records
    assert not file.path.parent.exists()


def test_nobody_else_may_read_it(file: StateFile) -> None:
    old = os.umask(0)
    try:
        file.write(DOCUMENT)
        file.path.chmod(0o644)
        file.write(DOCUMENT)
    finally:
        os.umask(old)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert list(file.path.parent.iterdir()) == [file.path]


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"{",
        b'{"version": 1',
        b"\xff\xfe",
        b"-----BEGIN CERTIFICATE-----",
        b"[" * 100_000,
        b'{"n": ' + b"9" * 5000 + b"}",
        b"{} {}",
        bytes(64),
    ],
    ids=lambda contents: repr(contents[:12]),
)
def test_a_broken_file_counts_as_absent(file: StateFile, contents: bytes, caplog: pytest.LogCaptureFixture) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(contents)
    assert file.read() is None
    assert f"{file.path} is not read: no JSON document" in caplog.text
    assert file.write(DOCUMENT)
    assert file.read() == DOCUMENT


def test_the_limit_is_checked_before_reading(file: StateFile, caplog: pytest.LogCaptureFixture) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(b"0".ljust(MAX_STATE_BYTES))
    assert file.read() == 0
    with file.path.open("ab") as longer:
        longer.truncate(1 << 40)  # sparse: it has that size and takes no room
    assert file.read() is None
    assert f"too big: {1 << 40} > {MAX_STATE_BYTES} bytes" in caplog.text


def test_the_limit_holds_for_writing(
    file: StateFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file.write("short")
    monkeypatch.setattr(statefile, "MAX_STATE_BYTES", 100)
    assert file.write("x" * 98)
    assert not file.write("x" * 99)
    assert "is not written: too big: 101 > 100 bytes" in caplog.text
    assert file.read() == "x" * 98


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    for name in ("pipe", "directory"):
        assert StateFile(tmp_path / name).read() is None
        assert f"{tmp_path / name} is not read: " in caplog.text
    assert not StateFile(tmp_path / "directory").write(DOCUMENT)
    assert f"{tmp_path / 'directory'} is not written: " in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "pipe"]


def test_a_directory_that_cannot_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("x")
    inside = StateFile(tmp_path / "file" / "state.json")
    assert not inside.write(DOCUMENT)
    assert inside.read() is None
    assert len(caplog.records) == 2


def test_what_a_killed_node_left_is_in_nobodys_way(file: StateFile, tmp_path: Path) -> None:
    """Nor does a link in its place lead anywhere."""
    file.write("old")
    temporary, victim = file.path.with_name(".state.json.tmp"), tmp_path / "victim"
    temporary.write_text("half of a doc")
    assert file.write("new")
    victim.write_text("precious")
    temporary.symlink_to(victim)
    file.write("newer")
    assert victim.read_text() == "precious"
    assert file.read() == "new"


def test_writers_take_turns(file: StateFile) -> None:
    """The file is a whole document at every moment."""
    documents = [[number] * 20_000 for number in range(8)]
    writers = [threading.Thread(target=file.write, args=(document,)) for document in documents]
    file.write(documents[0])
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert file.read() in documents
    for writer in writers:
        writer.join()
    assert file.read() in documents
    assert list(file.path.parent.iterdir()) == [file.path]


async def test_beside_the_event_loop(file: StateFile) -> None:
    assert await file.load() is None
    assert await file.save(DOCUMENT)
    assert await file.load() == DOCUMENT


@pytest.mark.parametrize("kind", ["pipe", "directory", "link to a pipe"])
def test_what_is_in_the_way_and_no_file(file: StateFile, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is not waited for, and stays."""
    file.write("old")
    temporary = file.path.with_name(".state.json.tmp")
    if kind == "directory":
        temporary.mkdir()
    elif kind == "pipe":
        os.mkfifo(temporary)
    else:
        os.mkfifo(file.path.with_name("pipe"))
        temporary.symlink_to(file.path.with_name("pipe"))
    before, results = temporary.lstat(), []
    writer = threading.Thread(target=lambda: results.append(file.write("new")), daemon=True)
    writer.start()
    writer.join(DEADLINE_S)
    assert results == [False]
    assert "is not written: in its way there is what is no file: .state.json.tmp" in caplog.text
    assert temporary.lstat().st_ino == before.st_ino
    assert file.read() == "old"
