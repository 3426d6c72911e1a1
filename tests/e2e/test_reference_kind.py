"""Nodes of kind reference between ours: driven over WebSocket JSON-RPC alone, through the lab's one port.

The image is our own, started as a reference node is: with the flags that both have, and without gRPC control.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.control.client import ControlClient, ControlError
from orchestrator.engine import Engine
from orchestrator.errors import ImageError, LabNotReady
from orchestrator.image import ensure_image
from orchestrator.lab import Lab
from orchestrator.labfile import load_lab_file
from orchestrator.spec import LabSpec
from tests.e2e.conftest import LABS, Factory, in_containers
from tests.e2e.test_lab_command import Shell, objects_of

DEADLINE_S = 10.0
KEYS = ("--nodekey={nodekey_file}", "--bzzkey={bzzkey_file}")
COMMAND = (
    *("python3", "-m", "node", "--datadir={datadir}", "--addr={ip}", "--port={p2p_port}", "--nat=extip:{ip}"),
    *("--bzznetworkid={network_id}", "--disable-auto-connect", "--ws", "--wsaddr={control_ip}", "--wsport={ws_port}"),
)
MODULES = "--wsapi=admin,hive,pss,web3"


def lab_text(
    name: str,
    image: str,
    reference: str = "n01",
    *,
    command: tuple[str, ...] = (*COMMAND, MODULES, *KEYS),
) -> str:
    """A line of three, of which some are of kind reference."""
    nodes = "\n".join(
        f"  {node}: {{kind: {'reference' if node in reference.split() else 'pss-node'}}}"
        for node in ("alice", "n01", "bob")
    )
    words = "\n".join(f"    - {json.dumps(word)}" for word in command)
    return (
        f"apiVersion: lab/v1\nname: {name}\nkinds:\n  reference:\n    image: {image}\n    ws_port: 9546\n"
        f"    command:\n{words}\nnodes:\n{nodes}\nlinks: [alice-n01, n01-bob]\n"
    )


def lab_spec(name: str, image: str, reference: str = "n01", *command: str) -> LabSpec:
    return load_lab_file(lab_text(name, image, reference, command=command or (*COMMAND, MODULES, *KEYS)))


@pytest.fixture(scope="module")
def image(docker_engine: Engine) -> str:
    return ensure_image(docker_engine.client, report=print).tag


@pytest.fixture(scope="module", params=["n01", "alice", "alice n01 bob"], ids=["relay", "end", "all"])
def shared_lab(
    request: pytest.FixtureRequest, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lab, set[str]]]:
    """Labs for tests that only ask and send."""
    spec = lab_spec("refkind-" + request.param.replace(" ", "-"), image, request.param)
    with Lab.up(spec, runtime="docker", state_root=tmp_path_factory.mktemp("labs")) as lab:
        yield lab, set(request.param.split())


@pytest.fixture
def mixed(shared_lab: tuple[Lab, set[str]], request: pytest.FixtureRequest) -> tuple[Lab, set[str]]:
    request.node.stash[LABS] = [shared_lab[0]]
    in_containers.add(request.node.nodeid)
    return shared_lab


@pytest.mark.parametrize("mode", ["raw", "sym", "asym"])
@pytest.mark.parametrize(("sender", "receiver"), [("alice", "bob"), ("bob", "alice"), ("n01", "bob"), ("alice", "n01")])
def test_messages_through_it_from_it_and_to_it(
    mixed: tuple[Lab, set[str]], mode: str, sender: str, receiver: str
) -> None:
    lab, foreign = mixed
    text = f"{sender} to {receiver} by {mode}".encode()
    delivery = lab.send(sender, receiver, text, mode=mode, timeout_s=DEADLINE_S)
    assert delivery.payload == text
    assert set(delivery.journey.silent) == foreign
    # Both ends, and a relay, have to be silent before nobody can tell its way.
    if len(foreign) == 1:
        path = [hop.receiver for hop in delivery.journey.path_to(receiver)]
        assert path == (["n01", receiver] if {sender, receiver} == {"alice", "bob"} else [receiver])


def test_the_same_text_at_the_same_time(mixed: tuple[Lab, set[str]]) -> None:
    """Nothing but its text tells a message to it from others, so each has a topic of its own."""
    lab, _ = mixed
    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(lab.send, "alice", "n01", b"same", mode="raw", timeout_s=DEADLINE_S) for _ in range(4)]
        assert [one.result().payload for one in sending] == [b"same"] * 4
        assert len({one.result().digest for one in sending}) == 4


def test_every_node_is_ready_and_has_the_address_of_its_key(mixed: tuple[Lab, set[str]]) -> None:
    lab, foreign = mixed
    for status in lab.status():
        assert (status.reasons, str(status.state)) == ([], "running")
        assert status.info is not None
        assert bool(status.info.rss_bytes) is (status.name not in foreign)
        node = lab.spec.node(status.name)
        assert not node.chooses_keys
        assert status.info.overlay == node.bzz_key.public.overlay
        assert status.info.node_id == node.node_key.public.node_id
        assert set(status.peers) == lab.spec.neighbours(status.name)


def test_it_has_no_control_port_and_the_gateway_goes_nowhere_else(mixed: tuple[Lab, set[str]]) -> None:
    lab, foreign = mixed
    for name in lab.spec.node_names:
        code, listening = lab.runtime.execute(lab.spec.node(name), ["ss", "-Hltn"])
        assert code == 0, listening
        ports = {line.split()[3].rpartition(":")[2] for line in listening.splitlines()}
        mine = "9546" if name in foreign else "7070"
        # The engine's own resolver listens on a port that it chooses.
        assert {"30399", mine} <= ports
        assert ({"9546", "7070", "8545", "8546"} - {mine}) & ports == set()
        address = lab.runtime.control_address(lab.spec.node(name))
        for port in {"7070", "9546", "30399"} - {mine}:
            other = ControlClient(f"{name}:{port}", token=address.token, proxy=address.proxy)
            with other, pytest.raises(ControlError, match=r"403|Forbidden"):
                other.info(timeout_s=DEADLINE_S)


def test_it_is_as_confined_as_ours(mixed: tuple[Lab, set[str]], docker_engine: Engine) -> None:
    lab, foreign = mixed
    for name in foreign:
        container = docker_engine.client.containers.get(f"lab-{lab.state.lab_id}-{name}")
        host = container.attrs["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Memory"] > 0 < host["PidsLimit"]
        assert host["PortBindings"] in (None, {})
        assert set(container.attrs["NetworkSettings"]["Networks"]) == {
            f"lab-{lab.state.lab_id}-{kind}" for kind in ("data", "control")
        }
        said = json.dumps(container.attrs)
        _, arguments = lab.runtime.execute(lab.spec.node(name), ["cat", "/proc/1/cmdline"])
        for key in (lab.spec.node(name).node_key, lab.spec.node(name).bzz_key):
            assert key.secret.hex() not in said + arguments
        code, mode = lab.runtime.execute(lab.spec.node(name), ["stat", "-c", "%a %u", "/run/lab-keys/nodekey"])
        assert (code, mode.strip()) == (0, "400 10001")


def test_events_are_an_error_that_says_so(mixed: tuple[Lab, set[str]]) -> None:
    lab, foreign = mixed
    for name in foreign:
        with pytest.raises(ControlError, match="no events from reference nodes"):
            lab[name].control.history()
        assert lab[name].rpc("web3_clientVersion").startswith("pss-lab/")


def test_it_stops_and_comes_back(lab_factory: Factory, image: str) -> None:
    lab = lab_factory(lab_spec("refkind-restart", image))
    lab.disconnect("alice", "n01")
    with pytest.raises(LabNotReady, match="not connected"):
        lab.wait_ready(timeout_s=0.1)
    lab.connect("alice", "n01")
    lab.kill("n01")
    lab.start("n01")
    lab.wait_ready()
    assert lab.send("alice", "bob", b"after", timeout_s=DEADLINE_S).payload == b"after"


def test_a_node_that_chooses_its_own_keys(lab_factory: Factory, image: str) -> None:
    lab = lab_factory(lab_spec("refkind-own", image, "n01", *COMMAND, MODULES))
    first = lab.spec.node("n01")
    assert first.identity is not None
    assert first.overlay == lab["n01"].info.overlay != first.bzz_key.public.overlay
    assert lab.send("alice", "n01", b"x", timeout_s=DEADLINE_S).payload == b"x"
    lab.stop("n01")
    lab.start("n01")  # its keys were in memory
    lab.wait_ready()
    second = lab.spec.node("n01")
    assert second.overlay == lab["n01"].overlay == lab["n01"].info.overlay != first.overlay
    assert lab.send("bob", "n01", b"y", timeout_s=DEADLINE_S).payload == b"y"
    with Lab.open(lab.spec.name, state_root=lab.state.root) as again:
        assert again.spec.node("n01").overlay == second.overlay
        assert not [status for status in again.status() if status.reasons]


def test_the_command_line(tmp_path: Path, image: str, docker_engine: Engine, request: pytest.FixtureRequest) -> None:
    in_containers.add(request.node.nodeid)
    shell = Shell(tmp_path, LAB_UP_RUNTIME="docker")
    (tmp_path / "mixed.lab.yml").write_text(lab_text("refkind-typed", image))
    try:
        up = shell("up")
        assert up.returncode == 0, up.stderr
        assert "through 1 relay without a key to it" in up.stdout
        status = shell("status")
        assert (status.returncode, status.stdout.count("ready")) == (0, 3), status.stdout + status.stderr
        document = json.loads(shell("status", "--json").stdout)
        assert document["nodes"][1]["peers"] == ["alice", "bob"]
        assert document["nodes"][1]["rss_bytes"] is None
        sent = json.loads(shell("send", "bob", "alice", "back", "--json").stdout)
        assert [hop["receiver"] for hop in sent["journey"]["hops"]][:2] == ["n01", "alice"]
        assert "no events from reference nodes: n01" in shell("trace").stdout
        assert "bob" in shell("kademlia", "n01").stdout
        assert "the node is up" in shell("logs", "n01").stdout
        assert shell("rpc", "n01", "pss_baseAddr").returncode == 0
        assert shell("node", "stop", "n01").returncode == 0
        assert shell("status").returncode == 6
        again = shell("up")
        assert "starting again: n01" in again.stderr, again.stderr
        assert again.returncode == 0
    finally:
        down = shell("down", "refkind-typed")
    assert down.returncode == 0, down.stderr
    assert objects_of(docker_engine, "refkind-typed") == []
    assert not (tmp_path / ".lab").exists()


def test_nothing_is_left_of_its_keys(lab_factory: Factory, image: str, docker_engine: Engine) -> None:
    lab = lab_factory(lab_spec("refkind-volume", image))
    container = docker_engine.client.containers.get(f"lab-{lab.state.lab_id}-n01")
    (volume,) = [mount["Name"] for mount in container.attrs["Mounts"] if mount["Type"] == "volume"]
    assert volume in {one.name for one in docker_engine.client.volumes.list()}
    lab.down()
    assert volume not in {one.name for one in docker_engine.client.volumes.list()}


# -- what can go wrong; nothing stays


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("swarm", "--ws"), "node n01 does not start: .*swarm.*not found"),
        ((*COMMAND, *KEYS, "--wsapi=pss"), r"n01 does not come up: it does not show admin_nodeInfo .*admin,hive,pss"),
        ((*COMMAND, MODULES, "--name={nodekey_file}"), "node n01 has the node id .* not that of the key it was given"),
    ],
    ids=["no such program", "too few modules", "key not used"],
)
def test_a_command_that_will_not_do(
    command: tuple[str, ...],
    says: str,
    image: str,
    docker_engine: Engine,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    in_containers.add(request.node.nodeid)
    with pytest.raises(LabNotReady, match=says):
        Lab.up(lab_spec("refkind-wrong", image, "n01", *command), runtime="docker", state_root=tmp_path / "labs")
    assert objects_of(docker_engine, "refkind-wrong") == []
    assert not (tmp_path / "labs").exists()


def test_an_image_that_is_nowhere(docker_engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    in_containers.add(request.node.nodeid)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        name = f"localhost:{closed.getsockname()[1]}/none/swarm:0.5.8"
    said: list[str] = []
    with pytest.raises(
        ImageError, match=r"no image .*swarm:0.5.8' for node n01: not here, and pulling failed"
    ) as refused:
        Lab.up(lab_spec("refkind-none", name), runtime="docker", state_root=tmp_path / "labs", report=said.append)
    assert f"docker pull {name}" in refused.value.hint
    assert f"pulling {name}" in said
    assert objects_of(docker_engine, "refkind-none") == []
