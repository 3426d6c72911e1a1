"""The pss node put together from its services."""

from __future__ import annotations

from collections.abc import Sequence

from node.config import DEFAULT_NETWORK_ID, Options, client_name
from node.crypto.secp256k1 import PrivateKey
from node.enode import Node
from node.load import find_modules_in, load_protocols, load_services
from node.p2p.server import ServerConfig
from node.pss.mount import MountedProtocols
from node.pss.service import PssService
from node.service.datadir import load_or_create_key
from node.service.service import Service, ServiceContext
from node.service.stack import NodeConfig, ServiceNode
from node.swarm.service import OverlayService

INSTANCE_NAME = "pss"
"""Directory inside the data directory."""
BZZ_KEY_FILE = "bzzkey"


def build_node(options: Options) -> ServiceNode:
    """The node that ``pss-node`` runs, not started yet.

    Raises:
        ConfigError: what is to be loaded is not there, or no protocol or service.
    """
    config = NodeConfig(
        name=INSTANCE_NAME,
        client_name=client_name(),
        data_dir=options.data_dir,
        ipc_path=options.ipc_path,
        http=options.http,
        ws=options.ws,
        p2p=ServerConfig(
            private_key=options.node_key,
            listen_addr=options.listen_addr,
            advertise_ip=options.advertise_ip,
            max_peers=options.max_peers,
            no_discovery=not options.discovery,
            bootstrap_nodes=[node for node in options.bootnodes if node.udp],
            no_dial=True,  # the overlay chooses its peers itself (spec 05 section 8)
        ),
    )
    node = make_pss_node(
        config,
        bzz_key=options.bzz_key,
        network_id=options.network_id,
        light=options.light,
        auto_connect=options.auto_connect,
        resume=options.resume,
        bootnodes=options.bootnodes,
    )
    _register_own(node, options)
    return node


def _register_own(node: ServiceNode, options: Options) -> None:
    """Register protocols and services of others, after ours: they may ask the context for these."""
    if options.load_path is not None:
        find_modules_in(options.load_path)
    for constructor in load_services(options.load):
        node.register(constructor)
    protocols = load_protocols(options.load_over_pss)
    if protocols:
        node.register(lambda context: MountedProtocols(context, protocols))


def make_pss_node(
    config: NodeConfig,
    *,
    bzz_key: PrivateKey | None = None,
    network_id: int = DEFAULT_NETWORK_ID,
    light: bool = False,
    auto_connect: bool = True,
    resume: bool = True,
    bootnodes: Sequence[Node] = (),
) -> ServiceNode:
    """A service node with the overlay and pss on it, not started yet. More services can be registered.

    Args:
        config: endpoints, data directory, p2p settings.
        bzz_key: overlay and pss identity; None for that in the data directory, or a new one where there is none.
        network_id, light, auto_connect, resume, bootnodes: as in :class:`OverlayService`.
    """
    node = ServiceNode(config)
    key = bzz_key

    def overlay(context: ServiceContext) -> Service:
        nonlocal key
        if key is None:
            directory = context.instance_dir
            key = load_or_create_key(directory / BZZ_KEY_FILE) if directory else PrivateKey.generate()
        return OverlayService(
            context,
            key=key.public,
            network_id=network_id,
            light=light,
            auto_connect=auto_connect,
            resume=resume,
            bootnodes=bootnodes,
        )

    def pss(context: ServiceContext) -> Service:
        assert key is not None
        return PssService(context, key=key)

    node.register(overlay)
    node.register(pss)
    return node
