"""Messages between nodes that are not connected to each other, over nodes that cannot read them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from node.control.gen import control_pb2 as pb
from node.errors import LabError
from node.events import Kind
from orchestrator.lab import Lab
from orchestrator.topology import make_spec
from tests.e2e.conftest import LABS, Factory, in_containers

DEADLINE_S = 10.0


@pytest.fixture(scope="module", params=[("line", 3), ("line", 5), ("ring", 8)], ids=lambda p: f"{p[0]}{p[1]}")
def shared_lab(
    request: pytest.FixtureRequest, default_runtime: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """One lab for all tests of a topology: they only send."""
    kind, n = request.param
    spec = make_spec(f"relay-{kind}{n}", kind=kind, n=n, seed=7)
    with Lab.up(spec, runtime=default_runtime, state_root=tmp_path_factory.mktemp("labs")) as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab, request: pytest.FixtureRequest, default_runtime: str) -> Lab:
    request.node.stash[LABS] = [shared_lab]
    if default_runtime == "docker":
        in_containers.add(request.node.nodeid)
    return shared_lab


def peers_of(lab: Lab, name: str) -> set[str]:
    by_id = {node.id: node.name for node in lab.spec.nodes}
    return {by_id[peer.node_id] for peer in lab[name].control.peers()}  # type: ignore[index]


@pytest.mark.parametrize("mode", ["raw", "sym", "asym"])
def test_delivered_over_relays(lab: Lab, mode: str) -> None:
    assert "bob" not in peers_of(lab, "alice")
    delivery = lab.send("alice", "bob", f"hello by {mode}".encode(), mode=mode, timeout_s=DEADLINE_S)
    assert delivery.payload == f"hello by {mode}".encode()
    path = [hop.receiver for hop in delivery.journey.path_to("bob")]
    assert path[-1] == "bob"
    assert len(path) >= 2
    # Every step of the journey is a connection that the lab asked for.
    at = "alice"
    for name in path:
        assert name in lab.spec.neighbours(at)
        at = name


@pytest.mark.parametrize("mode", ["sym", "asym"])
def test_relays_only_pass_it_on(lab: Lab, mode: str) -> None:
    """Nobody but bob opens the message, and what is reported of it never contains its text."""
    secret = b"only bob may read this"
    digest = lab.send("alice", "bob", secret, mode=mode).digest.hex()
    delivered_at = []
    for node in lab.nodes:
        history = node.control.history(digest=digest)
        assert secret.decode() not in repr(history)
        assert secret.hex() not in repr(history)
        if any(event.kind is Kind.PSS_DELIVERED for event in history):
            delivered_at.append(node.name)
    assert delivered_at == ["bob"]


def test_a_relay_that_listens_cannot_open_it(lab: Lab) -> None:
    """With no address given every node may be the recipient and tries its keys; only bob has one that fits."""
    alice, bob = lab["alice"], lab["bob"]
    relay = lab[sorted(peers_of(lab, "alice"))[0]]
    topic = alice.topic("eavesdropping")
    key_id = alice.control.set_peer_key(bob.spec.public_key, topic, b"")
    with bob.control.subscribe(topic) as at_bob, relay.control.subscribe(topic, raw=True) as at_relay:
        digest = alice.control.send(pb.MODE_ASYM, topic, b"for bob", key_id=key_id)
        assert next(at_bob).payload == b"for bob"
        # What the relay does get, afterwards, is the first thing it gets at all.
        control_digest = alice.control.send(pb.MODE_RAW, topic, b"for everybody", address=b"")
        assert next(at_relay).digest == control_digest
    kinds = {event.kind for event in relay.control.history(digest=digest.hex())}
    assert Kind.PSS_FORWARDED in kinds
    assert Kind.PSS_DELIVERED not in kinds


def test_sender_and_receiver_were_never_connected(lab: Lab) -> None:
    lab.send("alice", "bob", b"x")
    bob_id = lab["bob"].id.hex()
    assert not [event for event in lab["alice"].control.history(Kind.ADD) if event.peer == bob_id]


def test_without_the_only_relay_nothing_arrives_and_a_new_one_restores_it(lab_factory: Factory) -> None:
    lab = lab_factory(make_spec("relay-lost", kind="line", n=3, seed=3))
    lab.send("alice", "bob", b"before")
    lab.kill("n01")
    with pytest.raises(LabError, match="did not get the message"):
        lab.send("alice", "bob", b"lost", timeout_s=2.0)
    lab.start("n01")
    lab.wait_ready(timeout_s=30)
    assert lab.send("alice", "bob", b"after", timeout_s=DEADLINE_S).payload == b"after"


def test_the_same_lab_as_processes(lab_factory: Factory) -> None:
    lab = lab_factory(make_spec("relay-processes", kind="line", n=3, seed=5), runtime="process")
    for mode in ("raw", "sym", "asym"):
        assert lab.send("alice", "bob", b"hi", mode=mode).payload == b"hi"
