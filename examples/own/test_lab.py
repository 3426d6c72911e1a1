"""What a test can do with a lab. Run it with `pytest examples/own`."""

import pytest

from orchestrator.errors import DeliveryFailed
from orchestrator.lab import Lab
from orchestrator.testing import expect
from orchestrator.testing.factory import LabFactory


@pytest.mark.lab("line3")  # alice - n01 - bob
def test_without_its_relay_nothing_arrives(lab: Lab) -> None:
    lab.send("alice", "bob", b"hello")
    lab.kill("n01")
    expect.disconnected(lab["alice"], lab["n01"])
    with pytest.raises(DeliveryFailed):
        lab.send("alice", "bob", b"hello?", timeout_s=1)


@pytest.mark.lab(topology="ring", nodes=4, seed=7)
def test_who_hears_what(lab: Lab) -> None:
    bob = lab["bob"]
    to, topic = f"0x{bob.overlay.hex()}", f"0x{bob.topic('chat').hex()}"
    with expect.message(lab, "bob", "chat", "hi", within=5), expect.no_message(lab, "n01", "chat", during=0.5):
        lab["alice"].rpc("pss_sendRaw", to, topic, "0x" + b"hi".hex())
    delivered = expect.event(bob, "pss.delivered")
    assert delivered.data["mode"] == "raw"


@pytest.mark.lab(topology="ring", nodes=4, seed=7)
def test_a_partition_heals(lab: Lab) -> None:
    with lab.partition(["alice", "n01"], ["bob", "n02"]):
        lab.send("alice", "n01", b"on this side")
        with pytest.raises(DeliveryFailed):
            lab.send("alice", "bob", b"across", timeout_s=1)
    lab.send("alice", "bob", b"healed")


def test_two_labs(lab_factory: LabFactory) -> None:
    one, other = lab_factory("line3"), lab_factory(topology="line", nodes=2)
    expect.connected(one["alice"], one["n01"])
    expect.connected(other["alice"], other["bob"])
