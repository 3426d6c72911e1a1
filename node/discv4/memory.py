"""The node database in its file: the shell around :mod:`node.discv4.database`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from node.discv4.database import SAVE_INTERVAL_S, Database, from_document
from node.statefile import StateFile

log = logging.getLogger(__name__)

FILE = "nodes.json"


class NodeMemory:
    """What one server remembers; nothing beyond its own life without a directory."""

    def __init__(self, directory: Path | None) -> None:
        """Name the place; :meth:`begin` reads it."""
        self.database = Database()
        """As read, or saved last."""
        self._file = StateFile(directory / FILE) if directory is not None else None

    def begin(self) -> Database:
        """Read the database and count its record number up, on the disk too: no run may use the number of another, were
        it killed right now."""
        if self._file is None:
            self.database = Database(seq=1)
            return self.database
        document, earlier = self._file.read(), Database()
        try:
            earlier = from_document(document, now=time.time()) if document is not None else earlier
        except ValueError as error:
            log.warning("%s is ignored: %s", self._file.path, error)
        self.database = replace(earlier, seq=earlier.seq + 1)
        self._file.write(self.database.to_document())
        return self.database

    async def keep(self, remembered: Callable[[], Database]) -> None:
        """Save again and again, until cancelled."""
        while True:
            await asyncio.sleep(SAVE_INTERVAL_S)
            await self.save(remembered())

    async def save(self, database: Database) -> None:
        """Keep something else from now on; what was not written, for whatever reason, is tried again."""
        if database == self.database:
            return
        if self._file is None or await self._file.save(database.to_document()):
            self.database = database
