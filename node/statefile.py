"""What a node keeps on disk between two runs: one JSON document in a file.

A file that cannot be read, or that somebody else has written, is reported in the log and counts as absent: a node
starts without its memory rather than not at all. Deliberately unknown here: what is in the document; whoever keeps it
checks it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import threading
from pathlib import Path

log = logging.getLogger(__name__)

MAX_STATE_BYTES = 4 * 1024 * 1024
"""Largest file that is read or written; ours. What a node remembers has bounds of its own, some hundred KB in all."""
FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


class StateFile:
    """A file with one document. One node at a time uses it: the instance directory is locked."""

    def __init__(self, path: Path) -> None:
        """Name it; nothing is read or made yet."""
        self.path = path
        self._turn = threading.Lock()
        """One write after the other: a task that is cancelled leaves its thread at work."""

    def read(self) -> object | None:
        """The document; None if there is none or it is broken. Blocks on the disk."""
        try:
            document: object = json.loads(self._contents())
            return document
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("%s is not read: %s", self.path, error.strerror or error)
        except (ValueError, RecursionError) as error:
            log.warning("%s is not read: no JSON document, %s", self.path, error)
        return None

    def _contents(self) -> bytes:
        # Opening anything but a file, a pipe say, could wait for ever.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("it is no file")
            if status.st_size > MAX_STATE_BYTES:
                raise OSError(f"too big: {status.st_size} > {MAX_STATE_BYTES} bytes")
            return file.read(MAX_STATE_BYTES)

    def write(self, document: object) -> bool:
        """Put a document in the place of the one before, at once or not at all. Blocks on the disk.

        The disk is not waited for, so after a power cut there may be neither; that is as good as a first start.

        Returns:
            Whether it is written; if not, the log says why.
        """
        contents = json.dumps(document, separators=(",", ":")).encode()
        if len(contents) > MAX_STATE_BYTES:
            log.warning("%s is not written: too big: %d > %d bytes", self.path, len(contents), MAX_STATE_BYTES)
            return False
        with self._turn:
            try:
                self._replace(contents)
            except OSError as error:
                log.warning("%s is not written: %s", self.path, error.strerror or error)
                return False
        return True

    def _replace(self, contents: bytes) -> None:
        self.path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        # Always of the same name: what a killed node leaves behind, the next one removes.
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        _remove_stale(temporary)
        # Never anything that is there already: a pipe could make us wait for ever, a link lead anywhere.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(contents)
            os.replace(temporary, self.path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    async def load(self) -> object | None:
        """Like :meth:`read`, beside the event loop."""
        return await asyncio.to_thread(self.read)

    async def save(self, document: object) -> bool:
        """Like :meth:`write`, beside the event loop; `document` must not change meanwhile."""
        return await asyncio.to_thread(self.write, document)


def _remove_stale(path: Path) -> None:
    """Make room for a temporary file; what is no file somebody has put there, and it stays.

    Raises:
        OSError: it is no file.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError(f"in its way there is what is no file: {path.name}")
    path.unlink(missing_ok=True)
