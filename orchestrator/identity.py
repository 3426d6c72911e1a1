"""Who the nodes of a lab are: every key follows from the lab's seed.

The same lab file gives the same node ids, overlay addresses and so kademlia tables on every machine, and a trace made
in one class can be read in the next. The price: whoever has the lab file has all keys. They are for labs only; never
use one where a secret matters.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from typing import TYPE_CHECKING, Literal

from node.crypto.secp256k1 import InvalidKey, PrivateKey
from node.ids import NodeId, OverlayAddress
from orchestrator.errors import LabNotReady
from orchestrator.own import OwnCode
from orchestrator.placement import begins_with
from orchestrator.reference import Reference
from orchestrator.spec import Identity, NodeSpec

if TYPE_CHECKING:
    from node.control.gen import control_pb2 as pb

Purpose = Literal["node", "bzz"]
"""``node``: devp2p identity. ``bzz``: overlay address and pss key."""

KEY_DOMAIN = "pss-lab key v1"
NETWORK_DOMAIN = "pss-lab network v1"
"""What a digest is for comes first in it, so that no two uses can meet. Changing one changes every lab."""

MIN_NETWORK_ID = 11
"""1 to 10 are used by public networks, 4 is Swarm's own (spec 05 section 3)."""
NETWORK_IDS = 2**32 - MIN_NETWORK_ID
"""How many there are: the id fits 32 bits wherever it is shown."""


def derive_key(seed: int, lab_name: str, node_name: str, purpose: Purpose, *, overlay_prefix: str = "") -> PrivateKey:
    """The private key of one node for one purpose; predictable from the arguments, so for labs only.

    SHA-256 in counter mode: the first digest that is a scalar of the curve is the key (all but one in 2^128 are).

    Args:
        overlay_prefix: bits; the first key whose overlay address begins with them is taken.
    """
    for counter in itertools.count():
        digest = _digest(KEY_DOMAIN, seed, lab_name, node_name, purpose, counter)
        try:
            key = PrivateKey(digest)
        except InvalidKey:
            continue
        if not overlay_prefix or begins_with(key.public.overlay, overlay_prefix):
            return key
    raise AssertionError("unreachable: the count has no end")


def network_id_for(seed: int, lab_name: str) -> int:
    """The overlay network of a lab: nodes of other labs, and of the world, are refused by their handshake."""
    return MIN_NETWORK_ID + int.from_bytes(_digest(NETWORK_DOMAIN, seed, lab_name), "big") % NETWORK_IDS


def make_node(
    seed: int,
    lab_name: str,
    node_name: str,
    *,
    role: str = "",
    reference: Reference | None = None,
    own: OwnCode | None = None,
    overlay_prefix: str = "",
) -> NodeSpec:
    """A node with its keys; those of a node of kind reference are what it gets if its command takes them.

    Args:
        overlay_prefix: bits with which its overlay address is to begin (:mod:`orchestrator.placement`).
    """
    return NodeSpec(
        name=node_name,
        node_key=derive_key(seed, lab_name, node_name, "node"),
        bzz_key=derive_key(seed, lab_name, node_name, "bzz", overlay_prefix=overlay_prefix),
        role=role,
        reference=reference,
        own=own,
    )


def of_reference(node: NodeSpec, info: pb.NodeInfo) -> NodeSpec:
    """A node of kind reference as it says it is: with the identity it chose, where it takes no key of ours.

    Raises:
        LabNotReady: it was given a key and uses another one.
    """
    assert node.reference is not None
    for taken, what, told, given in (
        (node.reference.takes_node_key, "node id", info.node_id, node.node_key.public.node_id),
        (node.reference.takes_bzz_key, "overlay address", info.overlay, node.bzz_key.public.overlay),
    ):
        if taken and told != given:
            raise LabNotReady(
                f"node {node.name} has the {what} {told.hex()[:16]}…, not that of the key it was given, "
                f"{given.hex()[:16]}…",
                hint="its command names the key's file, but its program does not use it",
            )
    if not node.chooses_keys:
        return node
    own = Identity(id=NodeId(info.node_id), overlay=OverlayAddress(info.overlay), public_key=info.public_key)
    return dataclasses.replace(node, identity=own)


def _digest(*parts: str | int) -> bytes:
    """SHA-256 of the parts; names hold no NUL, so they cannot run into each other."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
