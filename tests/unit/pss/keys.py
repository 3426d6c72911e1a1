"""The test identities of the specification (spec 05, node 1, 2, 3)."""

from __future__ import annotations

from node.crypto.secp256k1 import PrivateKey

NODE_1, NODE_2, NODE_3 = (PrivateKey(bytes([n]) * 32) for n in (1, 2, 3))
