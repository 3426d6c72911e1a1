"""Protocols and services of the user's in a lab of processes: over pss, and after a restart."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from node.errors import RPCError
from orchestrator.errors import LabNotReady
from orchestrator.lab import NODE_UP_TIMEOUT_S, Lab
from orchestrator.node_handle import NodeHandle
from orchestrator.testing import expect

MODULE = """
from dataclasses import dataclass

from node.devp2p.protocol import ProtocolSpec
from node.p2p.typed import typed_protocol
from node.service.service import API, Service

@dataclass
class Hello:
    text: str

heard = []

async def run(peer):
    await peer.send(Hello("hello"))
    async for message in peer:
        heard.append(message.text)

GREET = typed_protocol(ProtocolSpec(name="greet", version=1, messages=(Hello,)), run)

class Ear(Service):
    def apis(self):
        return [API("ear", self, methods=["heard"])]

    def heard(self) -> list[str]:
        return heard
"""
LAB = """\
apiVersion: lab/v1
name: greeting
topology: {kind: line, n: 3}
defaults: {services: ["greet_own:Ear"], protocols_over_pss: ["greet_own:GREET"]}
"""


def start(folder: Path) -> Lab:
    (folder / "greeting.lab.yml").write_text(LAB)
    return Lab.up(folder / "greeting.lab.yml", runtime="process", state_root=folder / "labs")


def test_over_pss_through_a_relay(tmp_path: Path) -> None:
    (tmp_path / "greet_own.py").write_text(MODULE)
    with start(tmp_path) as lab:
        alice, n01, bob = lab.nodes
        assert "greet_own" not in sys.modules
        (entry,) = alice.rpc("own_protocols")
        assert (entry["name"], entry["version"]) == ("greet", 1)

        def introduce(node: NodeHandle, other: NodeHandle) -> None:
            key, address = other.rpc("pss_getPublicKey"), other.rpc("pss_baseAddr")
            assert node.rpc("own_addPeer", "greet", key, address) == key

        # What bob says first is from somebody whom alice does not know.
        introduce(bob, alice)
        introduce(alice, bob)
        expect.answer(bob, "ear_heard", gives=["hello"])
        assert n01.rpc("ear_heard") == []
        with pytest.raises(RPCError, match="no protocol 'other' runs over pss here; there are: greet"):
            alice.rpc("own_addPeer", "other", bob.rpc("pss_getPublicKey"), "0x")
        with pytest.raises(RPCError, match="no public key"):
            alice.rpc("own_addPeer", "greet", "0x04", "0x")

        # A node that starts again reads the module again.
        (tmp_path / "greet_own.py").write_text(MODULE.replace("heard = []", "heard = ['changed']"))
        lab.stop("n01")
        lab.start("n01")
        assert n01.rpc("ear_heard") == ["changed"]


def test_a_module_that_does_not_load_is_said_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "greet_own.py").write_text("import nothing_like_it\n")
    begun = time.monotonic()
    with pytest.raises(LabNotReady, match="--load greet_own:Ear: importing module greet_own failed: ModuleNotFoundErr"):
        start(tmp_path)
    assert time.monotonic() - begun < NODE_UP_TIMEOUT_S / 2
