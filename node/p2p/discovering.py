"""A server's part in discovery: its socket, its memory, its record. Whom to dial of those found, the finder says."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from node.crypto.secp256k1 import PrivateKey
from node.discv4.core import Discovery
from node.discv4.memory import NodeMemory
from node.discv4.service import DiscoveryService
from node.enode import Node
from node.enr import Record
from node.p2p.config import ServerConfig
from node.p2p.finder import Finder
from node.tasks import TaskOwner

log = logging.getLogger(__name__)


class Discovering:
    """What a server has of discovery; without a UDP socket only the number of its record."""

    def __init__(self, config: ServerConfig, key: PrivateKey) -> None:
        self._config, self._key = config, key
        self._memory = NodeMemory(config.node_database)
        self.service: DiscoveryService | None = None
        """Running, unless it is switched off."""
        self.finder: Finder | None = None
        """Whom it found, if they are to be dialed."""

    def next_record_number(self) -> int:
        """Of the record of this run; no other has it. Blocks on the disk."""
        return self._memory.begin().seq

    async def begin(
        self,
        udp: socket.socket,
        record: Record,
        *,
        may_find: Callable[[Node], bool],
        on_record: Callable[[Record], None],
        tasks: TaskOwner,
    ) -> None:
        """Take part.

        Args:
            udp: bound; closed with :meth:`end`, or if this fails.
            record: our own.
            may_find: whether a node may be dialed.
            on_record: gets the record when others see us elsewhere than we thought.
            tasks: owner of what runs beside.
        """
        config = self._config
        core = Discovery(
            self._key,
            record,
            bootnodes=config.bootstrap_nodes,
            net_restrict=config.net_restrict,
            seeds=[one for one in self._memory.database.nodes if may_find(one.node)],
            predicts_endpoint=config.known_ip is None,
            intervals=config.discovery_intervals,
        )
        try:
            service = await DiscoveryService.open(udp, core)
        except BaseException:
            udp.close()
            raise
        self.service = service

        def renew(record: Record) -> None:
            log.info("others see this node at %s", record.node.url)
            on_record(record)
            # At once: a node that is killed must not use the number again.
            tasks.spawn(self._memory.save(service.remembered()), name="p2p record number")

        service.on_record = renew
        tasks.spawn(self._memory.keep(service.remembered), name="p2p node database")
        if config.max_dialed:
            self.finder = Finder(
                service.random_nodes,
                max_dialed=config.max_dialed,
                now=asyncio.get_running_loop().time(),
                bootnodes=config.bootstrap_nodes,
                allowed=may_find,
            )

    async def end(self) -> None:
        """Remember whom we know, and leave."""
        if self.service is not None:
            service, self.service, self.finder = self.service, None, None
            try:
                await self._memory.save(service.remembered())
            finally:
                await service.close()
