"""Who the nodes of a lab are: every key follows from the lab's seed.

The same lab file gives the same node ids, overlay addresses and so kademlia tables on every machine, and a trace made
in one class can be read in the next. The price: whoever has the lab file has all keys. They are for labs only; never
use one where a secret matters.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import Literal

from node.crypto.secp256k1 import InvalidKey, PrivateKey
from orchestrator.spec import NodeSpec

Purpose = Literal["node", "bzz"]
"""``node``: devp2p identity. ``bzz``: overlay address and pss key."""

KEY_DOMAIN = "pss-lab key v1"
NETWORK_DOMAIN = "pss-lab network v1"
"""What a digest is for comes first in it, so that no two uses can meet. Changing one changes every lab."""

MIN_NETWORK_ID = 11
"""1 to 10 are used by public networks, 4 is Swarm's own (spec 05 section 3)."""
NETWORK_IDS = 2**32 - MIN_NETWORK_ID
"""How many there are: the id fits 32 bits wherever it is shown."""


def derive_key(seed: int, lab_name: str, node_name: str, purpose: Purpose) -> PrivateKey:
    """The private key of one node for one purpose; predictable from the arguments, so for labs only.

    SHA-256 in counter mode: the first digest that is a scalar of the curve is the key (all but one in 2^128 are).
    """
    for counter in itertools.count():
        digest = _digest(KEY_DOMAIN, seed, lab_name, node_name, purpose, counter)
        try:
            return PrivateKey(digest)
        except InvalidKey:
            continue
    raise AssertionError("unreachable: the count has no end")


def network_id_for(seed: int, lab_name: str) -> int:
    """The overlay network of a lab: nodes of other labs, and of the world, are refused by their handshake."""
    return MIN_NETWORK_ID + int.from_bytes(_digest(NETWORK_DOMAIN, seed, lab_name), "big") % NETWORK_IDS


def make_node(seed: int, lab_name: str, node_name: str, *, role: str = "") -> NodeSpec:
    """A node with its keys."""
    return NodeSpec(
        name=node_name,
        node_key=derive_key(seed, lab_name, node_name, "node"),
        bzz_key=derive_key(seed, lab_name, node_name, "bzz"),
        role=role,
    )


def _digest(*parts: str | int) -> bytes:
    """SHA-256 of the parts; names hold no NUL, so they cannot run into each other."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
