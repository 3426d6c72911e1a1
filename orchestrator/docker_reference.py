"""Containers of nodes of kind reference: image, command line, and keys as files.

They are as confined as ours: the same user, no capability, read-only root, limits, the same two networks. Their keys
come in a volume of their own, written before the container starts: not in its command line, where every process of the
host could read them, and not from a directory of the host, which an engine elsewhere would not have.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from node.enode import Node, parse_ip
from orchestrator.engine import Engine
from orchestrator.errors import ImageError, LabNotReady
from orchestrator.reference import BZZ_KEY, NODE_KEY, Reference
from orchestrator.runtime import Report
from orchestrator.spec import LabSpec, NodeSpec

if TYPE_CHECKING:
    from docker.models.containers import Container

KEY_DIRECTORY = "/run/lab-keys"
KEY_MODE = 0o400
TMPFS_MB = 64
"""For the data directory: a reference node keeps chunks and addresses there; counts towards its memory limit."""
SCRATCH = "/tmp"  # noqa: S108  -- a tmpfs inside a container
SCRATCH_MB = 16


def ensure_images(engine: Engine, spec: LabSpec, report: Report) -> None:
    """Have the image of every node of kind reference in the engine; pull those that are not.

    Raises:
        ImageError: one cannot be had; names it and its nodes.
    """
    wanted: dict[str, list[str]] = {}
    for node in spec.nodes:
        if node.reference is not None:
            wanted.setdefault(node.reference.image, []).append(node.name)
    for image, nodes in wanted.items():
        _ensure_image(engine, image, nodes, report)


def _ensure_image(engine: Engine, image: str, nodes: list[str], report: Report) -> None:
    import docker.errors

    try:
        engine.client.images.get(image)
        return
    except docker.errors.ImageNotFound:
        pass
    except docker.errors.APIError as error:
        raise _no_image(image, nodes, str(error.explanation or error)) from None
    report(f"pulling {image}")
    try:
        engine.client.images.pull(image)
    except docker.errors.APIError as error:
        raise _no_image(image, nodes, f"not here, and pulling failed: {error.explanation or error}") from None


def _no_image(image: str, nodes: list[str], why: str) -> ImageError:
    return ImageError(
        f"no image {image!r} for node {', '.join(nodes)}: {why}",
        hint=f"docker pull {image}; without a registry, docker load -i FILE",
    )


def placeholder_values(
    spec: LabSpec,
    node: NodeSpec,
    *,
    data_ip: Callable[[NodeSpec], str],
    control_ip: str,
    p2p_port: int,
    data_dir: str,
) -> dict[str, str]:
    """What the placeholders of a node's command stand for (:data:`orchestrator.reference.PLACEHOLDERS`).

    Args:
        data_ip: address of a node in the data network.
    """
    assert node.reference is not None
    dialled = [spec.node(link.b) for link in spec.links if link.a == node.name]
    return {
        "name": node.name,
        "ip": data_ip(node),
        "control_ip": control_ip,
        "p2p_port": str(p2p_port),
        "ws_port": str(node.reference.ws_port),
        "network_id": str(spec.network_id),
        "bootnodes": ",".join(
            Node(other.node_key.public, parse_ip(data_ip(other)), p2p_port, 0).url
            for other in dialled
            if other.reference is None or other.reference.takes_node_key
        ),
        "datadir": data_dir,
        NODE_KEY: f"{KEY_DIRECTORY}/nodekey",
        BZZ_KEY: f"{KEY_DIRECTORY}/bzzkey",
    }


def settings(reference: Reference, values: Mapping[str, str], *, uid: int) -> dict[str, Any]:
    """What a container of such a node is created with, besides what all nodes have."""
    program, *arguments = reference.command_line(values)
    data_dir = values["datadir"]
    found: dict[str, Any] = {
        "entrypoint": [program],
        "command": arguments,
        "user": f"{uid}:{uid}",
        # Programs that look for a home look there.
        "environment": {"HOME": data_dir},
        "working_dir": data_dir,
        "tmpfs": {
            data_dir: f"rw,noexec,nosuid,size={TMPFS_MB}m,uid={uid},mode=0700",
            SCRATCH: f"rw,noexec,nosuid,size={SCRATCH_MB}m,mode=1777",
        },
    }
    if reference.takes_node_key or reference.takes_bzz_key:
        found["volumes"] = [KEY_DIRECTORY]  # without a name: it goes with the container
    return found


def put_keys(container: Container, node: NodeSpec, *, uid: int) -> None:
    """Write the keys that a node's command takes into its volume; nothing happens if it takes none.

    Raises:
        LabNotReady: the engine does not take them.
    """
    import docker.errors

    assert node.reference is not None
    files = {}
    if node.reference.takes_node_key:
        files["nodekey"] = node.node_key.secret.hex()
    if node.reference.takes_bzz_key:
        files["bzzkey"] = node.bzz_key.secret.hex()
    if not files:
        return
    try:
        container.put_archive(KEY_DIRECTORY, _archive(files, uid))
    except docker.errors.APIError as error:
        raise LabNotReady(f"node {node.name} cannot be given its keys: {error.explanation or error}") from None


def _archive(files: Mapping[str, str], uid: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid, entry.gid = len(text), KEY_MODE, uid, uid
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()
