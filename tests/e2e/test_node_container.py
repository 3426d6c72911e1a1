"""What one node's container promises (images/README.md): ports, health, user, exit codes, signals."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from node.control.auth import token_metadata
from node.control.client import ControlClient
from node.control.server import SERVICE_NAME
from orchestrator.engine import Engine
from orchestrator.image import ensure_image
from tests.e2e.conftest import in_containers

TOKEN = "one-node-token"
UP_TIMEOUT_S = 20.0
STOP_LIMIT_S = 2.0
CONTROL, P2P = 7070, 30399

# Its reaper is an image that cannot be pulled everywhere; the tests remove what they start.
testcontainers_config.ryuk_disabled = True

Start = Callable[..., DockerContainer]


@pytest.fixture(scope="module")
def image(docker_engine: Engine) -> str:
    return ensure_image(docker_engine.client, report=print).tag


@pytest.fixture
def start(image: str, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start a node as the lab does: no capability, read-only root, data in memory."""
    in_containers.add(request.node.nodeid)
    started: list[DockerContainer] = []

    def run(**environment: str) -> DockerContainer:
        container = DockerContainer(image).with_kwargs(
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            read_only=True,
        )
        container.with_tmpfs_mount("/data", "rw,noexec,nosuid,size=16m,uid=10001,gid=10001,mode=0700")
        for port in (CONTROL, P2P):
            container.ports[f"{port}/tcp"] = ("127.0.0.1", None)  # its own call cannot say "on loopback"
        for name, value in {"PSS_NAME": "solo", "PSS_BZZNETWORKID": "4242", **environment}.items():
            container.with_env(name, value)
        started.append(container)
        return container.start()

    yield run
    for container in started:
        container.stop(force=True)


@pytest.fixture
def node(start: Start) -> DockerContainer:
    container = start(PSS_CONTROL=f"0.0.0.0:{CONTROL}", PSS_CONTROL_TOKEN=TOKEN)
    with ControlClient(address(container), token=TOKEN) as control:
        control.wait_until_up(UP_TIMEOUT_S)
    return container


def address(container: DockerContainer, port: int = CONTROL) -> str:
    return f"127.0.0.1:{container.get_exposed_port(port)}"


def inside(container: DockerContainer, *command: str) -> str:
    code, output = container.exec(list(command))
    assert code == 0, output
    return output.decode()


def wait_for_exit(container: DockerContainer) -> tuple[int, str]:
    """Exit code, and all it said."""
    wrapped = container.get_wrapped_container()
    code = wrapped.wait(timeout=UP_TIMEOUT_S)["StatusCode"]
    return code, wrapped.logs().decode()


def test_health_and_reflection(node: DockerContainer) -> None:
    with grpc.insecure_channel(address(node), options=[("grpc.enable_http_proxy", 0)]) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", SERVICE_NAME):
            answer = health.Check(
                health_pb2.HealthCheckRequest(service=service), metadata=token_metadata(TOKEN), timeout=5
            )
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = stub.ServerReflectionInfo(iter([request]), metadata=token_metadata(TOKEN), timeout=5)
        names = [service.name for service in next(answers).list_services_response.service]
        assert SERVICE_NAME in names


@pytest.mark.parametrize("token", ["", "wrong"])
def test_every_call_wants_the_token(node: DockerContainer, token: str) -> None:
    with grpc.insecure_channel(address(node), options=[("grpc.enable_http_proxy", 0)]) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), metadata=token_metadata(token), timeout=5
            )
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_peers_can_reach_it(node: DockerContainer) -> None:
    with socket.create_connection(("127.0.0.1", node.get_exposed_port(P2P)), timeout=5):
        pass


def test_json_rpc_on_its_socket(node: DockerContainer) -> None:
    assert inside(node, "python3", "-m", "node.rpc", "web3_clientVersion").startswith("pss-lab/v")
    assert inside(node, "stat", "-c", "%a", "/data/bzzd.ipc").strip() == "600"


def test_runs_without_privileges(node: DockerContainer) -> None:
    status = dict(line.split(":\t", 1) for line in inside(node, "cat", "/proc/1/status").splitlines() if ":\t" in line)
    assert status["Uid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    code, output = node.exec(["touch", "/opt/pss/app/x"])
    assert code != 0
    assert b"Read-only" in output


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
def test_ends_cleanly_on_a_signal(node: DockerContainer, signal: str) -> None:
    began = time.monotonic()
    node.get_wrapped_container().kill(signal)
    code, said = wait_for_exit(node)
    assert code == 0, said
    assert time.monotonic() - began < STOP_LIMIT_S


@pytest.mark.parametrize(
    ("variable", "value", "code", "names"),
    [
        ("PSS_PORT", "70000", 2, "'70000'"),
        ("PSS_BOOTNODES", "enode://zz@1.2.3.4:1", 2, "--bootnodes"),
        ("PSS_NODEKEYHEX", "00", 2, "--nodekeyhex"),
        ("PSS_NAT", "extip:nowhere", 2, "--nat"),
        ("PSS_CONTROL", "0.0.0.0:7070", 2, "PSS_CONTROL_TOKEN"),
        ("PSS_ADDR", "192.0.2.1", 1, "192.0.2.1:30399"),
    ],
)
def test_exit_codes(start: Start, variable: str, value: str, code: int, names: str) -> None:
    exited, said = wait_for_exit(start(**{variable: value}))
    assert exited == code, said
    assert names in said
    assert "Traceback" not in said
