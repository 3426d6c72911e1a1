"""Keys, identifiers and enode URLs."""

from __future__ import annotations

import pytest

from node.crypto.secp256k1 import PrivateKey
from node.enode import InvalidEnode, Node, parse_enode, parse_ip
from tests.vectors.loader import Case, unhex

pytestmark = pytest.mark.vectors("keys_enode.json")


def test_derived_identifiers(case_derive: Case) -> None:
    case = case_derive
    public = PrivateKey(unhex(case["priv"])).public
    assert public.uncompressed == unhex(case["pub"])
    assert public.compressed == unhex(case["pub_compressed"])
    assert public.node_id == unhex(case["enode_id"])
    assert public.overlay == unhex(case["bzz_addr"])
    ip = parse_ip(case["ip"]) if case["ip"] else None
    assert Node(public, ip, case["tcp"], case["udp"]).url == case["enode_url"]


def test_parse(case_parse: Case) -> None:
    case = case_parse
    if not case["ok"]:
        with pytest.raises(InvalidEnode):
            parse_enode(case["url"])
        return
    node = parse_enode(case["url"])
    assert node.id == unhex(case["enode_id"])
    assert node.key.uncompressed == unhex(case["pub"])
    assert (str(node.ip) if node.ip else None) == (case["ip"] or None)
    assert (node.tcp, node.udp) == (case["tcp"], case["udp"])
    assert node.url == case["url_again"]
