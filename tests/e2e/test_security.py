"""What the engine is asked for: every object that a lab, a chapter or a doctor makes, as inspected when it is made.

Nothing is missed, however short it lives: the look is part of the call that makes it (tests/support/engine_eye). The
engine's own events say whether there was anything else.
"""

from __future__ import annotations

import ipaddress
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator import labels
from orchestrator.docker_reference import KEY_DIRECTORY
from orchestrator.doctor.kernel import HELPER_ROLE as DOCTOR_ROLE
from orchestrator.engine import Engine
from orchestrator.image import ensure_image
from orchestrator.own import MOUNT_POINT
from orchestrator.source import resolve
from tests.e2e.conftest import Factory, in_containers
from tests.e2e.shell import Shell
from tests.e2e.test_reference_kind import lab_text
from tests.support.engine_eye.engine_eye import DIRECTORY_VARIABLE, hooks

EYE = Path(__file__).parents[1] / "support" / "engine_eye"
EVENT_DEADLINE_S = 10.0
PROTOCOL = """\
from node.devp2p.protocol import ProtocolSpec
from node.p2p.typed import typed_protocol

async def run(peer):
    await peer.run(lambda message: None)

PROTOCOL = typed_protocol(ProtocolSpec(name="mine", version=1, messages=()), run)
"""

Inspected = dict[str, Any]


class Eye:
    """Every container, network and volume that this process made since, and commands with its environment."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.environment = {
            DIRECTORY_VARIABLE: str(directory),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(EYE), os.environ.get("PYTHONPATH", "")])),
        }

    def looks(self, kind: str, moment: str = "create") -> list[Inspected]:
        """All of a type, as they were at a moment."""
        found = [json.loads(file.read_text()) for file in self._directory.glob("*.json")]
        return [one["inspected"] for one in found if (one["type"], one["moment"]) == (kind, moment)]

    @property
    def containers(self) -> list[Inspected]:
        """When they were created, and when they were started."""
        return self.looks("container") + self.looks("container", "start")

    def of_kind(self, kind: str) -> list[Inspected]:
        """Containers when they were created."""
        return [one for one in self.looks("container") if one["Config"]["Labels"].get(labels.KIND) == kind]


class Witness:
    """What the engine says was made meanwhile, whoever made it."""

    def __init__(self, engine: Engine) -> None:
        self._client = engine.client
        self._seen = threading.Condition()
        self._events: list[tuple[str, str, dict[str, str]]] = []

    @contextmanager
    def open(self) -> Iterator[None]:
        stream = self._client.events(decode=True)
        reader = threading.Thread(target=self._read, args=(stream,), name="engine events", daemon=True)
        reader.start()
        try:
            yield
        finally:
            stream.close()
            reader.join()

    def containers_of(self, lab_id: str) -> set[str]:
        """Ids of all containers of a lab that were ever created; what was made before the call is in it."""
        last = self._client.volumes.create()  # events come in order: with this one all before are here
        try:
            with self._seen:
                assert self._seen.wait_for(
                    lambda: any(what == last.name for _, what, _ in self._events), EVENT_DEADLINE_S
                )
                return {
                    what
                    for kind, what, attributes in self._events
                    if kind == "container" and attributes.get(labels.LAB_ID) == lab_id
                }
        finally:
            last.remove()

    def _read(self, stream: Iterator[dict[str, Any]]) -> None:
        with suppress(Exception):  # it is closed from another thread
            for event in stream:
                if event["Action"] == "create":
                    with self._seen:
                        self._events.append((event["Type"], event["Actor"]["ID"], event["Actor"]["Attributes"]))
                        self._seen.notify_all()


@pytest.fixture
def eye(
    docker_engine: Engine,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Eye:
    from docker import APIClient

    in_containers.add(request.node.nodeid)
    ensure_image(docker_engine.client, report=print)  # what builds it is no part of a lab
    directory = tmp_path_factory.mktemp("eye")
    for name, method in hooks(directory).items():
        monkeypatch.setattr(APIClient, name, method)
    return Eye(directory)


@pytest.fixture
def witness(docker_engine: Engine) -> Iterator[Witness]:
    witness = Witness(docker_engine)
    with witness.open():
        yield witness


def weaknesses(container: dict[str, Any]) -> list[str]:
    """In what a container is not closed as it should be; of every kind."""
    host, config = container["HostConfig"], container["Config"]
    kind = config["Labels"][labels.KIND]
    helper = kind == labels.KIND_HELPER
    checks = {
        "privileged": not host["Privileged"],
        "all capabilities dropped": host["CapDrop"] == ["ALL"],
        "no capability added": (host["CapAdd"] or []) == (["NET_ADMIN"] if helper else []),
        "no new privileges": "no-new-privileges:true" in (host["SecurityOpt"] or []),
        "confined": not any("unconfined" in option for option in host["SecurityOpt"] or []),
        "read-only root": host["ReadonlyRootfs"] is True,
        "memory limit": 0 < host["Memory"] <= 1024**3 and host["MemorySwap"] == host["Memory"],
        "pid limit": 0 < (host["PidsLimit"] or 0) <= 512,
        "no devices": not (host["Devices"] or host.get("DeviceRequests") or host.get("DeviceCgroupRules")),
        "own namespaces": "host" not in (host["PidMode"], host["IpcMode"], host["NetworkMode"], host["UTSMode"]),
        "namespaces of users": host.get("UsernsMode", "") != "host",
        "no kernel settings": not host.get("Sysctls"),
        "no more groups": not host.get("GroupAdd"),
        "no socket of the engine": not any("docker.sock" in str(mount) for mount in _mounts(container)),
        "nothing writable of the host": not any(
            mount["Type"] == "bind" and mount["RW"] for mount in _mounts(container)
        ),
        "nothing of other containers": not host.get("VolumesFrom"),
        "user": helper or config["User"].partition(":")[0] not in ("", "0", "root"),
        "ports": _published(host) == (["127.0.0.1"] if kind == labels.KIND_GATEWAY else []),
        "no other ports": not host["PublishAllPorts"],
        "only what is mounted on purpose": kind == labels.KIND_NODE or not _mounts(container),
        "nothing to run in what is writable": all(
            "noexec" in options for options in (host.get("Tmpfs") or {}).values()
        ),
        "never restarted": host["RestartPolicy"]["Name"] in ("", "no"),
        "can be killed for its memory": not host.get("OomKillDisable"),
    }
    return [f"{container['Name']}: {what}" for what, good in checks.items() if not good]


def _mounts(container: dict[str, Any]) -> list[dict[str, Any]]:
    return list(container.get("Mounts") or [])


def _published(host: dict[str, Any]) -> list[str]:
    """Addresses on which ports are published."""
    return [binding["HostIp"] for bindings in (host["PortBindings"] or {}).values() for binding in bindings or []]


def check_networks(networks: list[dict[str, Any]]) -> None:
    assert {one["Labels"][labels.ROLE] for one in networks} == {"data", "control"}
    for network in networks:
        assert network["Internal"] is True, network["Name"]
        assert network["Driver"] == "bridge"
        assert network["Attachable"] is False
        (config,) = network["IPAM"]["Config"]
        assert ipaddress.IPv4Network(config["Subnet"]).is_private or config["Subnet"].startswith("198.18")


def check_mounts(containers: list[Inspected], own: dict[str, Path], reference: set[str]) -> None:
    """Nodes see the folder with their own code, read-only, or the volume with their keys; nothing else.

    Args:
        own: folders, by the nodes that load something.
        reference: nodes of kind reference that take keys.
    """
    for container in containers:
        name = container["Config"]["Labels"].get(labels.NODE, "")
        found = {(one["Type"], one["Destination"], one["RW"]) for one in _mounts(container)}
        folders = {one["Source"] for one in _mounts(container) if one["Type"] == "bind"}
        if name in own:
            assert (found, folders) == ({("bind", MOUNT_POINT, False)}, {str(own[name])})
        elif name in reference:
            assert found == {("volume", KEY_DIRECTORY, True)}
        else:
            assert found == set(), container["Name"]


def test_every_object_of_a_lab(
    eye: Eye, witness: Witness, lab_factory: Factory, docker_engine: Engine, tmp_path: Path
) -> None:
    """With a node that loads a protocol, one of kind reference, faults, and a dump; no key in an argument."""
    image = ensure_image(docker_engine.client, report=print).tag
    folder = tmp_path / "own"
    folder.mkdir(mode=0o755)
    (folder / "mine.py").write_text(PROTOCOL)
    text = lab_text("secure", image, "n01")
    plain = "  alice: {kind: pss-node}"
    assert plain in text
    (folder / "secure.lab.yml").write_text(text.replace(plain, "  alice: {protocols: ['mine:PROTOCOL']}"))
    lab = lab_factory(resolve(folder / "secure.lab.yml"))
    made = len(eye.looks("container"))
    assert made == 4
    with lab.cut("alice", "n01"):
        pass
    assert eye.of_kind(labels.KIND_HELPER)
    with lab.partition(["alice"], ["n01", "bob"]), lab.conditions("bob", delay_s=0.01, rate_bps=1e6):
        lab.kill("bob")
        lab.start("bob")
    with lab.paused("alice"):
        pass
    made = len(eye.looks("container"))
    lab.dump(tmp_path / "dump")
    assert len(eye.looks("container")) == made, "a dump looks, and makes nothing"

    ours = eye.containers
    assert {one["Config"]["Labels"][labels.KIND] for one in ours} == {"node", "gateway", "helper"}
    assert eye.looks("volume") == []  # keys of reference nodes are in one without a name, which goes with its container
    assert {one["Id"] for one in ours} == witness.containers_of(lab.state.lab_id)
    assert [weakness for container in ours for weakness in weaknesses(container)] == []
    check_mounts(ours, {"alice": folder}, {"n01"})
    check_networks(eye.looks("network"))
    assert len(eye.looks("network")) == 2
    # Helpers may change the network of one node, or their own that leads nowhere, and are gone at once.
    nodes = {one["Id"] for one in ours if one["Config"]["Labels"][labels.KIND] == labels.KIND_NODE}
    modes = []
    for helper in eye.of_kind(labels.KIND_HELPER):
        mode, _, target = helper["HostConfig"]["NetworkMode"].partition(":")
        assert mode == "none" or (mode, target in nodes) == ("container", True)
        modes.append(mode)
        assert not [one for one in docker_engine.client.containers.list(all=True) if one.id == helper["Id"]]
    assert modes.count("none") == 1, "the kernel is tried once, away from all nodes"
    assert "container" in modes
    for container in docker_engine.client.containers.list(all=True, filters=labels.filters(lab.state.lab_id)):
        assert weaknesses(container.attrs) == []
        joined = set(container.attrs["NetworkSettings"]["Networks"])
        kind = container.labels[labels.KIND]
        expected = {"control"} | ({"data"} if kind == labels.KIND_NODE else set())
        assert {f"lab-{lab.state.lab_id}-{role}" for role in expected} <= joined
        assert len(joined) == 2  # the gateway's other one is the engine's, for its port
        open_on = {
            one["HostIp"] for ports in container.attrs["NetworkSettings"]["Ports"].values() for one in ports or []
        }
        assert open_on == ({"127.0.0.1"} if kind == labels.KIND_GATEWAY else set())
    code, said = lab.runtime.execute(lab["alice"].spec, ["sh", "-c", f"echo x > {MOUNT_POINT}/x"])
    assert (code != 0, "Read-only" in said) == (True, True), said
    assert not (folder / "x").exists()
    secrets = [key.secret.hex() for node in lab.spec.nodes for key in (node.node_key, node.bzz_key)]
    for container in ours:
        arguments = " ".join([*(container["Config"]["Cmd"] or []), *(container["Config"]["Entrypoint"] or [])])
        assert not [secret for secret in [*secrets, lab.state.token] if secret in arguments]


def test_every_object_of_a_chapter_and_of_the_doctor(eye: Eye, shell: Shell) -> None:
    shell.environment |= eye.environment
    result = shell("chapter", "e1", "--runtime", "docker")
    assert result.returncode == 0, result.stderr
    assert len(eye.of_kind(labels.KIND_NODE)) >= 2
    assert shell("doctor").returncode == 0
    (doctor,) = (
        one for one in eye.of_kind(labels.KIND_HELPER) if one["Config"]["Labels"].get(labels.ROLE) == DOCTOR_ROLE
    )
    assert doctor["HostConfig"]["NetworkMode"] == "none"
    assert [weakness for container in eye.containers for weakness in weaknesses(container)] == []
    assert all(labels.KIND in one["Config"]["Labels"] for one in eye.containers)
    check_mounts(eye.containers, {}, set())
    check_networks(eye.looks("network"))


def test_what_would_be_a_weakness_is_one(docker_engine: Engine, request: pytest.FixtureRequest) -> None:
    """The assertions above, on a container that is as ours must not be."""
    in_containers.add(request.node.nodeid)
    image = ensure_image(docker_engine.client, report=print).tag
    mark = {labels.KIND: labels.KIND_NODE}
    loose = docker_engine.client.containers.create(
        image,
        labels=mark,
        privileged=True,
        cap_add=["NET_ADMIN"],
        user="0",
        volumes={"/var/run/docker.sock": {"bind": "/var/run/docker.sock", "mode": "rw"}},
        ports={"7070/tcp": None},
        pid_mode="host",
        userns_mode="host",
        devices=["/dev/null:/dev/null:r"],
        sysctls={"net.ipv4.ip_forward": "1"},
        group_add=["0"],
        publish_all_ports=True,
        tmpfs={"/loose": "rw,exec"},
        restart_policy={"Name": "always"},
        oom_kill_disable=True,
        security_opt=["seccomp=unconfined"],
    )
    try:
        found = " ".join(weaknesses(docker_engine.client.api.inspect_container(loose.id)))
    finally:
        loose.remove(force=True, v=True)
    for what in (
        *("privileged", "all capabilities dropped", "no capability added", "no new privileges", "read-only root"),
        *("memory limit", "pid limit", "own namespaces", "no socket", "nothing writable", "user", "ports"),
        *("confined", "no devices", "namespaces of users", "no kernel settings", "no more groups", "no other ports"),
        *("nothing to run in what is writable", "never restarted", "can be killed for its memory"),
    ):
        assert what in found, what
