"""Instance directory, lock and key files (spec 03 section 7)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from node.enode import Node, parse_ip
from node.enr import make_record
from node.errors import ConfigError
from node.service import datadir
from node.service.datadir import InstanceDir, load_key, load_nodes, load_or_create_key
from tests.support.keys import make_key

SECRET = make_key(7).secret.hex()


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def old_umask() -> object:
    old = os.umask(0)
    yield
    os.umask(old)


def test_a_directory_of_its_own(tmp_path: Path, old_umask: None) -> None:
    path = tmp_path / "data" / "pss"
    directory = InstanceDir(path)
    assert mode_of(path) == 0o700
    assert mode_of(path / "LOCK") == 0o600
    directory.release()
    directory.release()


def test_one_node_at_a_time(tmp_path: Path) -> None:
    first = InstanceDir(tmp_path)
    with pytest.raises(ConfigError, match=f"data directory {tmp_path}: datadir already used by another process"):
        InstanceDir(tmp_path)
    first.release()
    InstanceDir(tmp_path).release()


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"data directory .*/file: file exists"):
        InstanceDir(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"data directory .*/file/pss: not a directory"):
        InstanceDir(tmp_path / "file" / "pss")


def test_a_key_is_made_once_and_used_again(tmp_path: Path, old_umask: None) -> None:
    directory = InstanceDir(tmp_path / "pss")
    key = directory.node_key()
    file = tmp_path / "pss" / "nodekey"
    assert file.read_text() == key.secret.hex()
    assert len(file.read_bytes()) == 64
    assert mode_of(file) == 0o600
    assert directory.node_key().secret == key.secret
    directory.release()


@pytest.mark.parametrize(
    "text", ["", SECRET[:-1], "00" * 32, "ff" * 32, "0x" + SECRET, "é" * 64, SECRET[:-2] + "zz", " " * 64]
)
def test_a_broken_key_file_is_replaced(tmp_path: Path, text: str) -> None:
    """And closed to others, whatever its mode was."""
    file = tmp_path / "nodekey"
    file.write_text(text)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"want 64 hex digits of a valid private key") as caught:
        load_key(file)
    assert SECRET[:16] not in str(caught.value)
    key = load_or_create_key(file)
    assert file.read_text() == key.secret.hex()
    assert mode_of(file) == 0o600
    assert load_or_create_key(file).secret == key.secret


@pytest.mark.parametrize("rest", ["", "\n", "\r\n", " # comment", "00" * 10])
def test_what_follows_the_key_is_ignored(tmp_path: Path, rest: str) -> None:
    file = tmp_path / "nodekey"
    file.write_bytes((SECRET.upper() + rest).encode())
    assert load_key(file).secret == make_key(7).secret
    assert load_or_create_key(file).secret == make_key(7).secret
    assert file.read_bytes() == (SECRET.upper() + rest).encode()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"key file .*/none: no such file or directory"):
        load_key(tmp_path / "none")


def test_a_key_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "nodekey").mkdir()
    with pytest.raises(ConfigError, match=r"key file .*/nodekey: is a directory"):
        load_or_create_key(tmp_path / "nodekey")


# -- lists of nodes


def node(number: int) -> Node:
    return Node(make_key(number).public, parse_ip("10.0.0.1"), 30303, 30303)


def test_lists_of_nodes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = InstanceDir(tmp_path / "pss")
    assert directory.static_nodes() == directory.trusted_nodes() == []
    assert not caplog.records
    record = make_record(make_key(3), seq=1, ip=parse_ip("10.0.0.1"), tcp=30303, udp=30303).text
    (directory.path / "static-nodes.json").write_text(json.dumps([node(1).url, record]))
    (directory.path / "trusted-nodes.json").write_text(json.dumps([node(2).url]))
    assert directory.static_nodes() == [node(1), node(3)]
    assert directory.trusted_nodes() == [node(2)]
    directory.release()


def test_bad_entries_are_skipped_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "static-nodes.json"
    file.write_text(json.dumps(["http://x", node(1).url, 5, None, "enode://00@1.2.3.4:5", "enr:"]))
    assert load_nodes(file) == [node(1)]
    skipped = [record.getMessage() for record in caplog.records]
    assert [text.partition(" is skipped: ")[0] for text in skipped] == [f"{file}: entry {n}" for n in (0, 2, 3, 4, 5)]
    assert "wrong length" in skipped[3]


@pytest.mark.parametrize("text", ["", "{}", "null", '"enode://"', "[", "7"])
def test_what_is_no_list_counts_as_absent(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "static-nodes.json"
    file.write_text(text)
    assert load_nodes(file) == []
    assert text == "null" or f"{file} is " in caplog.text


def test_a_list_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(datadir, "MAX_LISTED_NODES", 2)
    file = tmp_path / "static-nodes.json"
    file.write_text(json.dumps([node(n).url for n in range(1, 5)]))
    assert load_nodes(file) == [node(1), node(2)]
    assert "only the first 2 of 4 nodes are taken" in caplog.text
