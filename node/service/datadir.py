"""The files of a node: instance directory, lock, node key, lists of nodes (spec 03 section 7)."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

from node.crypto.secp256k1 import InvalidKey, PrivateKey
from node.enode import InvalidEnode, Node, parse_node
from node.errors import ConfigError
from node.statefile import StateFile

log = logging.getLogger(__name__)

KEY_FILE = "nodekey"
LOCK_FILE = "LOCK"
STATIC_NODES_FILE, TRUSTED_NODES_FILE = "static-nodes.json", "trusted-nodes.json"
NODE_DATABASE = "nodes"
KEY_DIGITS = 64
MAX_LISTED_NODES = 1024
"""Taken from a list of nodes, the first ones; ours."""


class InstanceDir:
    """A directory that one running node has for itself."""

    def __init__(self, path: Path) -> None:
        """Create and lock it.

        Raises:
            ConfigError: another process uses it, or it cannot be made.
        """
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock: int | None = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"data directory {path}: {(error.strerror or str(error)).lower()}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise ConfigError(f"data directory {path}: datadir already used by another process") from error

    def release(self) -> None:
        """Let others have it; twice is fine."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def node_key(self) -> PrivateKey:
        """The key in the key file; a new one if there is none, or none that is valid."""
        return load_or_create_key(self.path / KEY_FILE)

    @property
    def node_database(self) -> Path:
        """The directory for what the p2p server remembers."""
        return self.path / NODE_DATABASE

    def static_nodes(self) -> list[Node]:
        """Nodes to stay connected with, as the user lists them."""
        return load_nodes(self.path / STATIC_NODES_FILE)

    def trusted_nodes(self) -> list[Node]:
        """Nodes to let in whatever the limits say, as the user lists them."""
        return load_nodes(self.path / TRUSTED_NODES_FILE)


def load_nodes(path: Path) -> list[Node]:
    """The nodes in a JSON array of enode URLs and node records; other entries are skipped with a log line."""
    document = StateFile(path).read()
    if document is None:
        return []
    if not isinstance(document, list):
        log.warning("%s is ignored: it holds no list of nodes", path)
        return []
    if len(document) > MAX_LISTED_NODES:
        log.warning("%s: only the first %d of %d nodes are taken", path, MAX_LISTED_NODES, len(document))
    nodes = []
    for number, text in enumerate(document[:MAX_LISTED_NODES]):
        try:
            if not isinstance(text, str):
                raise InvalidEnode("expected a text")
            nodes.append(parse_node(text))
        except InvalidEnode as error:
            log.warning("%s: entry %d is skipped: %s", path, number, error)
    return nodes


def load_key(path: Path) -> PrivateKey:
    """Read a key file: 64 hex digits, whatever follows is ignored.

    Raises:
        ConfigError: not readable, or no key. The text does not quote the contents.
    """
    try:
        digits = path.read_bytes()[:KEY_DIGITS].decode("ascii")
        return PrivateKey(bytes.fromhex(digits))
    except OSError as error:
        raise ConfigError(f"key file {path}: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, InvalidKey):
        raise ConfigError(f"key file {path}: want {KEY_DIGITS} hex digits of a valid private key") from None


def load_or_create_key(path: Path) -> PrivateKey:
    """Read a key file; on any failure make a new key and write it, mode 0600.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        return load_key(path)
    except ConfigError:
        key = PrivateKey.generate()
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                os.fchmod(descriptor, 0o600)  # one that was there keeps its mode otherwise
                file.write(key.secret.hex())
        except OSError as error:
            raise ConfigError(f"key file {path}: {(error.strerror or str(error)).lower()}") from error
        return key
