from contextlib import suppress
from dataclasses import dataclass

from node.devp2p.protocol import ProtocolSpec
from node.errors import PeerDisconnected
from node.p2p.protocol import Protocol
from node.p2p.typed import TypedPeer, typed_protocol
from node.service.service import API, Service


@dataclass
class Rumour:
    text: str


class Gossip(Service):
    def protocols(self) -> list[Protocol]:
        self.peers, self.heard = set[TypedPeer](), list[str]()
        return [typed_protocol(ProtocolSpec(name="gossip", version=1, messages=(Rumour,)), self.run)]

    def apis(self) -> list[API]:
        return [API("gossip", self, methods=["tell", "heard_so_far"])]

    async def run(self, peer: TypedPeer) -> None:
        self.peers.add(peer)
        try:
            await peer.run(lambda rumour: self.tell(rumour.text))
        finally:
            self.peers.discard(peer)

    async def tell(self, text: str) -> None:
        if text not in self.heard:  # for the first time: pass it on
            self.heard.append(text)
            for peer in set(self.peers):
                with suppress(PeerDisconnected):  # who left just now; the others are told all the same
                    await peer.send(Rumour(text))

    async def heard_so_far(self) -> list[str]:
        return self.heard
