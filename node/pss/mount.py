"""Protocols mounted on a node's pss from its start, and the API to introduce their peers (``own_*``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from node.crypto.secp256k1 import InvalidKey, PublicKey
from node.errors import LocalProtocolError
from node.p2p.protocol import Protocol
from node.p2p.server import Server
from node.pss.protocol import PssProtocol
from node.pss.service import PssService
from node.rpc.encoding import HexBytes, PrefixedHex
from node.service.service import API, Service, ServiceContext, ServiceError


class MountedProtocols(Service):
    """Runs protocols over pss, encrypted asymmetrically, with every peer that is added (spec 07 part B)."""

    def __init__(self, context: ServiceContext, protocols: Sequence[Protocol]) -> None:
        """Raises:
        ServiceError: two protocols of one name.
        """
        pss = context.service(PssService)
        self.mounted: dict[str, PssProtocol] = {}
        for protocol in protocols:
            if protocol.name in self.mounted:
                raise ServiceError(f"two protocols called {protocol.name} are to run over pss")
            self.mounted[protocol.name] = PssProtocol(pss, protocol, asymmetric=True)
        self._api = OwnAPI(pss, self.mounted)

    def apis(self) -> Sequence[API]:
        return (API("own", self._api),)

    async def start(self, server: Server) -> None:
        for mounted in self.mounted.values():
            mounted.start()

    async def stop(self) -> None:
        for mounted in self.mounted.values():
            await mounted.aclose()


class OwnAPI:
    """``own_*``: pss has no connections, so whom a protocol runs with has to be said, on both ends."""

    def __init__(self, pss: PssService, mounted: Mapping[str, PssProtocol]) -> None:
        self._pss, self._mounted = pss, mounted

    def protocols(self) -> list[dict[str, Any]]:
        """What runs over pss: name, version, and the topic that its messages travel on."""
        return [
            {"name": name, "version": mounted.protocol.version, "topic": PrefixedHex(mounted.topic)}
            for name, mounted in self._mounted.items()
        ]

    def add_peer(self, protocol: str, public_key: HexBytes, address: PrefixedHex) -> str:
        """Run a protocol with the owner of a pss key, who is at an overlay address. Returns the id of the key.

        Raises:
            LocalProtocolError: no such protocol, no such key.
        """
        mounted = self._mounted.get(protocol)
        if mounted is None:
            names = ", ".join(self._mounted)
            raise LocalProtocolError(f"no protocol {protocol!r} runs over pss here; there are: {names}")
        try:
            key = PublicKey(public_key)
        except InvalidKey as error:
            raise LocalProtocolError(f"no public key: {error}") from None
        key_id = self._pss.keys.set_peer_public_key(key, mounted.topic, bytes(address))
        mounted.add_peer(key_id, asymmetric=True)
        return key_id
