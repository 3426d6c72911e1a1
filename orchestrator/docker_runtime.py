"""Nodes as containers: one internal network for the peers, one for control, and a gateway with the only open port.

::

    host 127.0.0.1:PORT -- gateway -- control network -- node -- data network -- node

Nodes get no capability, no way out, a read-only root and limits (docs/architecture.md, security). Everything carries
the lab's labels; what they name can be removed without knowing anything else.
"""

from __future__ import annotations

import functools
import ipaddress
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator import docker_helper, docker_networks, docker_reference, labels, subnets
from orchestrator.engine import Engine
from orchestrator.errors import LabNotReady, OrchestratorError, PreflightError, RuntimeUnavailable
from orchestrator.image import ensure_image
from orchestrator.own import MOUNT_POINT, check_mountable
from orchestrator.runtime import ControlAddress, NodeState, Report
from orchestrator.spec import LabSpec, NodeSpec
from orchestrator.state import StateDir

if TYPE_CHECKING:
    from docker.models.containers import Container
    from docker.models.networks import Network

CONTROL_PORT = 7070
GATEWAY_PORT = 7000
P2P_PORT = 30399
FIRST_HOST = 10
"""Addresses below this offset are the engine's and the gateway's."""
DATA_DIRECTORY = "/data"
STATES = {"running": NodeState.RUNNING, "paused": NodeState.PAUSED}
NODE_UID = 10001
"""As in images/node/Dockerfile."""
TMPFS_MB = 16
STOP_TIMEOUT_S = 4
GATEWAY_MEMORY_MB = 128
GATEWAY_CPUS = 1.0


class DockerRuntime:
    """Runs the nodes of one lab as containers."""

    name = "docker"

    def __init__(self, state: StateDir, engine: Engine, *, port: int = 0) -> None:
        """`port` is the gateway's port on the loopback interface; 0 lets the engine choose."""
        self._lab_id, self._token, self._engine = state.lab_id, state.token, engine
        self._place = {labels.STATE_DIR: str(state.directory)}
        self._wanted_port = port
        self._spec: LabSpec | None = None
        self._image = ""
        self._report: Report = lambda line: None
        self._lock = threading.Lock()
        self._port: int | None = None
        self._subnets: dict[str, ipaddress.IPv4Network] = {}

    # -- Runtime

    def prepare(self, spec: LabSpec, report: Report) -> None:
        self._spec, self._report = spec, report
        if not self._find_networks():
            check_mountable((node.own for node in spec.nodes if node.own), self._engine)
            self._the_image()
            docker_reference.ensure_images(self._engine, spec, report)
            report("networks and gateway")
            self._make_networks(len(spec.nodes))
            self._start_gateway()

    def start_node(self, node: NodeSpec) -> None:
        existing = self._find(node.name)
        if existing is not None:
            if node.reference is not None:
                docker_reference.put_keys(existing, node, uid=NODE_UID)  # its maker may have been killed before
            self._join_control(existing, ipv4_address=self._ip("control", node), aliases=[node.name])
            self._start(existing, node)
            return
        spec = self._the_spec
        if node.reference is None:
            image, own = self._the_image(), self._own_settings(node)
        else:
            image = node.reference.image
            own = docker_reference.settings(node.reference, self._placeholders(node), uid=NODE_UID)
        container = self._create(
            f"lab-{self._lab_id}-{node.name}",
            labels.for_node(spec, self._lab_id, node),
            image=image,
            hostname=node.name,
            network=self._network_name("data"),
            ip=self._ip("data", node),
            mem_limit=f"{spec.limits.memory_mb}m",
            memswap_limit=f"{spec.limits.memory_mb}m",
            nano_cpus=int(spec.limits.cpus * 1e9),
            pids_limit=spec.limits.pids,
            **own,
        )
        if node.reference is not None:
            docker_reference.put_keys(container, node, uid=NODE_UID)
        self._join_control(container, ipv4_address=self._ip("control", node), aliases=[node.name])
        self._start(container, node)

    def stop_node(self, node: NodeSpec, *, kill: bool = False) -> None:
        container = self._find(node.name)
        if container is None:
            return
        if kill:
            if container.status in ("running", "paused"):
                container.kill()
        else:
            container.stop(timeout=STOP_TIMEOUT_S)

    def pause_node(self, node: NodeSpec, paused: bool) -> None:
        container = self._find(node.name)
        if container is not None and container.status == ("running" if paused else "paused"):
            container.pause() if paused else container.unpause()

    def node_states(self) -> dict[str, NodeState]:
        return {
            container.labels[labels.NODE]: STATES.get(container.status, NodeState.STOPPED)
            for container in self._containers(labels.KIND_NODE)
        }

    def control_address(self, node: NodeSpec) -> ControlAddress:
        port = node.reference.ws_port if node.reference else CONTROL_PORT
        return ControlAddress(
            f"{node.name}:{port}", self._token, f"http://lab:{self._token}@127.0.0.1:{self.gateway_port}"
        )

    def logs(self, node: NodeSpec, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        container = self._find(node.name)
        if container is None:
            return
        amount: Any = "all" if tail is None else tail
        if not follow:
            yield from container.logs(tail=amount).decode(errors="replace").splitlines()
            return
        rest = b""
        for chunk in container.logs(tail=amount, stream=True, follow=True):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")

    def execute(self, node: NodeSpec, command: Sequence[str]) -> tuple[int, str]:
        container = self._find(node.name)
        if container is None or container.status != "running":
            raise LabNotReady(f"node {node.name} does not run")
        code, output = container.exec_run(list(command))
        assert code is not None
        assert isinstance(output, bytes)
        return code, output.decode(errors="replace")

    def data_address(self, node: NodeSpec) -> str:
        """Where a node's peers reach it."""
        return self._ip("data", node)

    def in_namespace(self, node: NodeSpec | None, script: str, *, role: str) -> str:
        """Run shell commands from a helper in a node's network, or one of its own, see :func:`docker_helper.run`."""
        own = (docker_helper.name(self._lab_id, role, node), labels.for_helper(self._the_spec, self._lab_id, role))
        create = functools.partial(self._create, *own, image=self._the_image())
        network = docker_helper.network_of(self._find(node.name), node.name) if node else docker_helper.ALONE
        return docker_helper.run(create, network, node.name if node else "the kernel", script)

    def remove_helpers(self, role: str, *, only_look: bool = False) -> list[str]:
        """Remove helpers that are left of somebody who was killed, or only look for them; their names."""
        return docker_helper.remove(self._containers(labels.KIND_HELPER), role, only_look=only_look)

    def down(self) -> list[str]:
        return remove_lab(self._engine, self._lab_id)

    def close(self) -> None:
        self._engine.close()

    @property
    def engine(self) -> Engine:
        """Where the containers are."""
        return self._engine

    # -- networks and gateway

    @property
    def gateway_port(self) -> int:
        """Where the gateway listens on the loopback interface."""
        if self._port is None:
            gateways = self._containers(labels.KIND_GATEWAY)
            if not gateways:
                raise LabNotReady("the lab has no gateway", hint="lab up makes one")
            bindings = gateways[0].ports.get(f"{GATEWAY_PORT}/tcp")
            if not bindings:
                raise LabNotReady("the lab's gateway does not run", hint="lab up starts it")
            self._port = int(bindings[0]["HostPort"])
        return self._port

    def _make_networks(self, nodes: int) -> None:
        import docker.errors
        import docker.types

        spec = self._the_spec
        used = docker_networks.used(self._engine)
        for kind in ("data", "control"):
            for _ in range(subnets.MAX_ATTEMPTS):
                subnet = subnets.choose(used, hosts=nodes + FIRST_HOST, start=f"{self._lab_id}-{kind}")
                used.append(subnet)
                pool = docker.types.IPAMPool(subnet=str(subnet))
                try:
                    self._engine.client.networks.create(
                        self._network_name(kind),
                        driver="bridge",
                        internal=True,
                        labels=labels.for_network(spec, self._lab_id, kind) | self._place,
                        ipam=docker.types.IPAMConfig(pool_configs=[pool]),
                        check_duplicate=True,
                    )
                except docker.errors.APIError as error:
                    # Another lab may have taken the subnet since we looked.
                    if "overlaps" in str(error):
                        continue
                    raise _engine_error(error, "creating a network") from None
                self._subnets[kind] = subnet
                break
            else:
                raise PreflightError("no free subnet for the lab's networks", hint="lab gc, or docker network prune")

    def _find_networks(self) -> bool:
        """Take over the networks of a lab that is there already."""
        for network in self._engine.client.networks.list(filters=labels.filters(self._lab_id)):
            config = (network.attrs.get("IPAM") or {}).get("Config") or []
            if config:
                self._subnets[network.attrs["Labels"][labels.ROLE]] = ipaddress.IPv4Network(config[0]["Subnet"])
        return set(self._subnets) == {"data", "control"}

    def mend_gateway(self, report: Report, *, port: int = 0) -> None:
        """Let the gateway of a lab from before run again: somebody may have stopped or removed it, or the engine.

        Args:
            port: of a new one.

        Raises:
            PreflightError: its port is in use.
        """
        gateways = self._containers(labels.KIND_GATEWAY)
        if gateways and gateways[0].status == "running":
            return
        # A port that the engine chooses is another one at every start.
        self._port = None
        if gateways:
            report("starting the gateway again")
            self._run_gateway(gateways[0])
        else:
            report("making the gateway again")
            self._wanted_port = port
            self._start_gateway()

    def _start_gateway(self) -> None:
        foreign = [f"{node.name}:{node.reference.ws_port}" for node in self._the_spec.nodes if node.reference]
        allowed = ["--allow", str(CONTROL_PORT), *(word for target in foreign for word in ("--only", target))]
        gateway = self._create(
            f"lab-{self._lab_id}-gateway",
            labels.for_gateway(self._the_spec, self._lab_id),
            image=self._the_image(),
            hostname="gateway",
            entrypoint=["python3", "-m", "node.control.gateway"],
            command=["--port", str(GATEWAY_PORT), *allowed],
            environment={"PSS_CONTROL_TOKEN": self._token},
            ports={f"{GATEWAY_PORT}/tcp": ("127.0.0.1", self._wanted_port or None)},
            mem_limit=f"{GATEWAY_MEMORY_MB}m",
            memswap_limit=f"{GATEWAY_MEMORY_MB}m",
            nano_cpus=int(GATEWAY_CPUS * 1e9),
            pids_limit=self._the_spec.limits.pids,
        )
        self._run_gateway(gateway)

    def _run_gateway(self, gateway: Container) -> None:
        """Start the gateway's container.

        Raises:
            PreflightError: its port is in use.
        """
        import docker.errors

        self._join_control(gateway)
        try:
            gateway.start()
        except docker.errors.APIError as error:
            if "already in use" in str(error) or "already allocated" in str(error):
                raise PreflightError(
                    f"port {self._wanted_port or 'of the gateway'} on 127.0.0.1 is in use",
                    hint="choose another with --port, or leave it out",
                ) from None
            raise _engine_error(error, "starting the gateway") from None

    # -- one container

    def _join_control(self, container: Container, **endpoint: Any) -> None:
        """Connect a container with the control network, unless it is: its maker may have been killed in between."""
        if self._network_name("control") not in container.attrs["NetworkSettings"]["Networks"]:
            self._network("control").connect(container, **endpoint)

    def _create(
        self, name: str, container_labels: dict[str, str], *, image: str, ip: str = "", **settings: Any
    ) -> Container:
        import docker.errors
        import docker.types

        if ip:
            endpoint = docker.types.EndpointConfig("1.41", ipv4_address=ip, aliases=[settings["hostname"]])
            settings["networking_config"] = {settings["network"]: endpoint}
        try:
            return self._engine.client.containers.create(
                image,
                name=name,
                labels=container_labels | self._place,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                read_only=True,
                detach=True,
                log_config=docker.types.LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"}),
                **settings,
            )
        except docker.errors.ImageNotFound:
            raise RuntimeUnavailable(f"the engine has no image {image}", hint="make image") from None
        except docker.errors.APIError as error:
            raise _engine_error(error, f"creating {name}") from None

    def _start(self, container: Container, node: NodeSpec) -> None:
        """Start a node's container.

        Raises:
            LabNotReady: the engine does not, as when there is no such program in the image.
        """
        import docker.errors

        try:
            container.start()
        except docker.errors.APIError as error:
            raise LabNotReady(f"node {node.name} does not start: {error.explanation or error}") from None

    def _own_settings(self, node: NodeSpec) -> dict[str, Any]:
        """What only containers of our nodes have."""
        import docker.types

        own = [docker.types.Mount(MOUNT_POINT, node.own.directory, type="bind", read_only=True)] if node.own else []
        return {
            "mounts": own,
            "environment": self._environment(node),
            "tmpfs": {DATA_DIRECTORY: f"rw,noexec,nosuid,size={TMPFS_MB}m,uid={NODE_UID},mode=0700"},
        }

    def _placeholders(self, node: NodeSpec) -> dict[str, str]:
        return docker_reference.placeholder_values(
            self._the_spec,
            node,
            data_ip=lambda other: self._ip("data", other),
            control_ip=self._ip("control", node),
            p2p_port=P2P_PORT,
            data_dir=DATA_DIRECTORY,
        )

    def _environment(self, node: NodeSpec) -> dict[str, str]:
        spec = self._the_spec
        data_ip = self._ip("data", node)
        return {
            "PSS_NAME": node.name,
            "PSS_DATADIR": DATA_DIRECTORY,
            "PSS_ADDR": data_ip,
            "PSS_PORT": str(P2P_PORT),
            "PSS_NAT": f"extip:{data_ip}",
            "PSS_NODEKEYHEX": node.node_key.secret.hex(),
            "PSS_BZZKEYHEX": node.bzz_key.secret.hex(),
            "PSS_BZZNETWORKID": str(spec.network_id),
            "PSS_MAXPEERS": str(max(len(spec.nodes), 50)),
            "PSS_DISABLE_AUTO_CONNECT": str(not spec.auto_connect).lower(),
            "PSS_FORGET_PEERS": "true",  # who is to be connected, the lab says
            "PSS_CONTROL": f"{self._ip('control', node)}:{CONTROL_PORT}",
            "PSS_CONTROL_TOKEN": self._token,
            "PSS_VERBOSITY": str(spec.verbosity),
            **(node.own.environment(MOUNT_POINT) if node.own else {}),
        }

    def _ip(self, kind: str, node: NodeSpec) -> str:
        return str(self._subnets[kind][FIRST_HOST + self._the_spec.node_names.index(node.name)])

    # -- finding things

    def _the_image(self) -> str:
        """The image of the nodes; looked for, or built, when the first container is made and not before."""
        with self._lock:
            if not self._image:
                self._image = self._the_spec.image or ensure_image(self._engine.client, report=self._report).tag
            return self._image

    @property
    def _the_spec(self) -> LabSpec:
        assert self._spec is not None
        return self._spec

    def _network_name(self, kind: str) -> str:
        return f"lab-{self._lab_id}-{kind}"

    def _network(self, kind: str) -> Network:
        return self._engine.client.networks.get(self._network_name(kind))

    def _containers(self, kind: str) -> list[Container]:
        return self._engine.client.containers.list(
            all=True, filters=labels.filters(self._lab_id, kind=kind), ignore_removed=True
        )

    def _find(self, node: str) -> Container | None:
        found = self._engine.client.containers.list(
            all=True, filters=labels.filters(self._lab_id, node=node), ignore_removed=True
        )
        return found[0] if found else None


def remove_lab(engine: Engine, lab_id: str) -> list[str]:
    """Remove all containers and networks that carry a lab's id; the names of what was removed."""
    import docker.errors

    removed = []
    filters = labels.filters(lab_id)
    for container in engine.client.containers.list(all=True, filters=filters, ignore_removed=True):
        try:
            container.remove(force=True, v=True)
        except docker.errors.NotFound:
            continue
        except docker.errors.APIError as error:
            if error.status_code != 409:  # somebody else removes it just now
                raise _engine_error(error, f"removing {container.name}") from None
        removed.append(f"container {container.name}")
    for network in engine.client.networks.list(filters=filters):
        try:
            network.remove()
        except docker.errors.NotFound:
            continue
        except docker.errors.APIError as error:
            raise _engine_error(error, f"removing network {network.name}") from None
        removed.append(f"network {network.name}")
    return removed


def _engine_error(error: Exception, doing: str) -> OrchestratorError:
    return OrchestratorError(f"{doing}: {getattr(error, 'explanation', None) or error}")
