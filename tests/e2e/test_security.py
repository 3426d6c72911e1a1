"""What the engine is asked for: every container and network that a lab, a chapter or a doctor makes, as inspected.

An eye on the engine sees each container when it starts, also those that live for a second.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from orchestrator import labels
from orchestrator.doctor.kernel import HELPER_ROLE as DOCTOR_ROLE
from orchestrator.engine import Engine
from orchestrator.image import ensure_image
from tests.e2e.conftest import Factory, in_containers
from tests.e2e.shell import Shell
from tests.e2e.test_reference_kind import lab_spec

EVENT_DEADLINE_S = 10.0


class Eye:
    """Everything with our labels that was started or made since it opened."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen = threading.Condition()
        self.containers: dict[str, dict[str, Any]] = {}
        self.networks: dict[str, dict[str, Any]] = {}

    @contextmanager
    def open(self) -> Iterator[None]:
        stream = self._engine.client.events(decode=True)
        reader = threading.Thread(target=self._read, args=(stream,), name="engine events", daemon=True)
        reader.start()
        try:
            yield
        finally:
            stream.close()
            reader.join()

    def wait_for(self, *, kind: str, count: int = 1) -> None:
        """Until so many containers of a kind were seen."""
        with self._seen:
            assert self._seen.wait_for(lambda: len(self.of_kind(kind)) >= count, EVENT_DEADLINE_S), self.containers

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.containers.values() if one["Config"]["Labels"][labels.KIND] == kind]

    def _read(self, stream: Iterator[dict[str, Any]]) -> None:
        import docker.errors

        with suppress(Exception):  # it is closed from another thread
            for event in stream:
                kind, action, what = event["Type"], event["Action"], event["Actor"]["ID"]
                with suppress(docker.errors.NotFound):
                    if kind == "container" and action == "create":
                        self._note(self.containers, what, self._engine.client.api.inspect_container(what))
                    elif kind == "network" and action == "create":
                        self._note(self.networks, what, self._engine.client.api.inspect_network(what))

    def _note(self, found: dict[str, dict[str, Any]], what: str, inspected: dict[str, Any]) -> None:
        carried = inspected["Config"]["Labels"] if "Config" in inspected else inspected["Labels"]
        if labels.KIND in (carried or {}):
            with self._seen:
                found[what] = inspected
                self._seen.notify_all()


@pytest.fixture
def eye(docker_engine: Engine, request: pytest.FixtureRequest) -> Iterator[Eye]:
    in_containers.add(request.node.nodeid)
    ensure_image(docker_engine.client, report=print)  # what builds it is no part of a lab
    eye = Eye(docker_engine)
    with eye.open():
        yield eye


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
        "no devices": not host["Devices"] and not host.get("DeviceRequests"),
        "own namespaces": "host" not in (host["PidMode"], host["IpcMode"], host["NetworkMode"], host["UTSMode"]),
        "no socket of the engine": not any(
            "docker" in mount["Source"] and mount["Type"] == "bind" for mount in _mounts(container)
        ),
        "nothing writable of the host": not any(
            mount["Type"] == "bind" and mount["RW"] for mount in _mounts(container)
        ),
        "user": helper or config["User"].partition(":")[0] not in ("", "0", "root"),
        "ports": _published(host) == (["127.0.0.1"] if kind == labels.KIND_GATEWAY else []),
        "never restarted": host["RestartPolicy"]["Name"] in ("", "no"),
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


def test_every_object_of_a_lab(eye: Eye, lab_factory: Factory, docker_engine: Engine) -> None:
    """With a node of kind reference, a fault, and keys in no argument."""
    image = ensure_image(docker_engine.client, report=print).tag
    lab = lab_factory(lab_spec("secure", image, "n01"))
    with lab.cut("alice", "n01"):
        eye.wait_for(kind=labels.KIND_HELPER)
    eye.wait_for(kind=labels.KIND_NODE, count=3)
    ours = [one for one in eye.containers.values() if one["Config"]["Labels"].get(labels.LAB) == "secure"]
    assert {one["Config"]["Labels"][labels.KIND] for one in ours} == {"node", "gateway", "helper"}
    assert [weakness for container in ours for weakness in weaknesses(container)] == []
    check_networks([one for one in eye.networks.values() if one["Labels"].get(labels.LAB) == "secure"])
    # Helpers may change the network of one node, and are gone at once.
    nodes = {one["Id"] for one in ours if one["Config"]["Labels"][labels.KIND] == labels.KIND_NODE}
    for helper in (one for one in ours if one["Config"]["Labels"][labels.KIND] == labels.KIND_HELPER):
        mode, _, target = helper["HostConfig"]["NetworkMode"].partition(":")
        assert (mode, target in nodes) == ("container", True)
        assert not [one for one in docker_engine.client.containers.list(all=True) if one.id == helper["Id"]]
    for container in docker_engine.client.containers.list(all=True, filters=labels.filters(lab.state.lab_id)):
        assert weaknesses(container.attrs) == []
        joined = set(container.attrs["NetworkSettings"]["Networks"])
        kind = container.labels[labels.KIND]
        expected = {"control"} | ({"data"} if kind == labels.KIND_NODE else set())
        assert {f"lab-{lab.state.lab_id}-{role}" for role in expected} <= joined
        assert len(joined) == 2  # the gateway's other one is the engine's, for its port
    secrets = [key.secret.hex() for node in lab.spec.nodes for key in (node.node_key, node.bzz_key)]
    for container in ours:
        arguments = " ".join([*(container["Config"]["Cmd"] or []), *(container["Config"]["Entrypoint"] or [])])
        assert not [secret for secret in [*secrets, lab.state.token] if secret in arguments]


def test_every_object_of_a_chapter_and_of_the_doctor(eye: Eye, shell: Shell) -> None:
    result = shell("chapter", "e1", "--runtime", "docker")
    assert result.returncode == 0, result.stderr
    assert shell("doctor").returncode == 0
    eye.wait_for(kind=labels.KIND_HELPER)
    eye.wait_for(kind=labels.KIND_NODE, count=2)
    doctors = [
        one for one in eye.of_kind(labels.KIND_HELPER) if one["Config"]["Labels"].get(labels.ROLE) == DOCTOR_ROLE
    ]
    assert [one["HostConfig"]["NetworkMode"] for one in doctors] == ["none"]
    assert [weakness for container in eye.containers.values() for weakness in weaknesses(container)] == []
    check_networks(list(eye.networks.values()))


def test_what_would_be_a_weakness_is_one(eye: Eye, lab_factory: Factory, docker_engine: Engine) -> None:
    """The assertions above, on containers that are as ours must not be."""
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
    )
    try:
        found = " ".join(weaknesses(docker_engine.client.api.inspect_container(loose.id)))
    finally:
        loose.remove(force=True, v=True)
    for what in (
        *("privileged", "all capabilities dropped", "no capability added", "no new privileges", "read-only root"),
        *("memory limit", "pid limit", "own namespaces", "no socket", "nothing writable", "user", "ports"),
    ):
        assert what in found, what
