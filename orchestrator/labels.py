"""What is written on every object of a lab, so that it can be found and removed when nothing else is left.

Objects are found by the lab's id, never by the beginning of their name: the file, the state directory and whoever
started the lab may all be gone. Plain dictionaries of text; knows nothing of the engine that carries them.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import getpass
import hashlib
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node import __version__
from orchestrator.spec import LabSpec, NodeSpec

NAMESPACE = "org.psslab"
"""Reverse DNS form as Docker asks for; its own namespaces are reserved (docs.docker.com, "Docker object labels")."""

LAB = f"{NAMESPACE}.lab"
LAB_ID = f"{NAMESPACE}.lab-id"
NODE = f"{NAMESPACE}.node"
ROLE = f"{NAMESPACE}.role"
"""Of a node: as in the lab file. Of a network: data or control."""
KIND = f"{NAMESPACE}.kind"
OWNER = f"{NAMESPACE}.owner"
CREATED = f"{NAMESPACE}.created"
"""RFC 3339, UTC."""
EXPIRES = f"{NAMESPACE}.expires"
"""RFC 3339, UTC; `lab gc` removes the lab after that. Absent: never."""
TOPO_FILE = f"{NAMESPACE}.topo-file"
TOPO_SHA256 = f"{NAMESPACE}.topo-sha256"
SEED = f"{NAMESPACE}.seed"
TOOL_VERSION = f"{NAMESPACE}.tool-version"
STATE_DIR = f"{NAMESPACE}.state-dir"
"""Where the lab is remembered; when that is gone, `lab gc` on the same host may remove the lab."""
HOST = f"{NAMESPACE}.host"
"""Of which machine that directory is; see :func:`this_host`. Several may use one engine."""

MACHINE_ID = Path("/etc/machine-id")
HOST_DIGITS = 8

KIND_NODE, KIND_GATEWAY, KIND_NET, KIND_IMAGE, KIND_HELPER = "node", "gateway", "net", "image", "helper"


def for_node(
    spec: LabSpec,
    lab_id: str,
    node: NodeSpec,
    *,
    created: datetime.datetime | None = None,
    expires: datetime.datetime | None = None,
) -> dict[str, str]:
    """Labels of a node's container; `created` is now unless given."""
    own = {NODE: node.name, ROLE: node.role}
    return _labels(spec, lab_id, KIND_NODE, own, created=created, expires=expires)


def for_network(
    spec: LabSpec,
    lab_id: str,
    role: str,
    *,
    created: datetime.datetime | None = None,
    expires: datetime.datetime | None = None,
) -> dict[str, str]:
    """Labels of a network; `role` is "data" or "control"."""
    return _labels(spec, lab_id, KIND_NET, {ROLE: role}, created=created, expires=expires)


def for_gateway(
    spec: LabSpec,
    lab_id: str,
    *,
    created: datetime.datetime | None = None,
    expires: datetime.datetime | None = None,
) -> dict[str, str]:
    """Labels of the container through which control reaches the nodes."""
    return _labels(spec, lab_id, KIND_GATEWAY, {}, created=created, expires=expires)


def for_helper(
    spec: LabSpec,
    lab_id: str,
    role: str,
    *,
    created: datetime.datetime | None = None,
    expires: datetime.datetime | None = None,
) -> dict[str, str]:
    """Labels of a short-lived container that does something to a node, such as a fault; `role` says what."""
    return _labels(spec, lab_id, KIND_HELPER, {ROLE: role}, created=created, expires=expires)


def filters(lab_id: str = "", *, kind: str = "", node: str = "") -> dict[str, Any]:
    """The engine's filter for objects of one lab; without `lab_id`, of all labs."""
    wanted = [f"{LAB_ID}={lab_id}" if lab_id else LAB_ID]
    wanted += [f"{key}={value}" for key, value in ((KIND, kind), (NODE, node)) if value]
    return {"label": wanted}


def is_expired(labels: Mapping[str, str], now: datetime.datetime) -> bool:
    """Whether an object's time is over. What cannot be read does not expire: better a leftover than a lost lab.

    Args:
        now: with a time zone.
    """
    try:
        expires = datetime.datetime.fromisoformat(labels[EXPIRES])
    except (KeyError, ValueError):
        return False
    return expires.tzinfo is not None and expires <= now


def format_time(moment: datetime.datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@functools.cache
def this_host() -> str:
    """This machine, ``laptop-1f2e3d4c``: host names are not unique, and containers have their host's or no machine id.

    The id itself is not told to others, as machine-id(5) asks for.
    """
    try:
        machine = MACHINE_ID.read_text().strip()
    except OSError:
        machine = ""
    digest = hashlib.sha256(f"{NAMESPACE} {machine}".encode()).hexdigest()
    return f"{socket.gethostname()}-{digest[:HOST_DIGITS]}"


def spec_digest(spec: LabSpec) -> str:
    """SHA-256 of what makes a lab this lab: nodes, keys, links, limits; not where its file lies nor its title.

    Containers whose label differs belong to an older version of the file.
    """
    content: dict[str, Any] = {
        "name": spec.name,
        "network_id": spec.network_id,
        "nodes": [[node.name, node.role, node.id.hex(), node.overlay.hex()] for node in spec.nodes],
        "links": [[link.a, link.b] for link in spec.links],
        "auto_connect": spec.auto_connect,
        "image": spec.image,
        "limits": [spec.limits.memory_mb, spec.limits.cpus, spec.limits.pids],
        "verbosity": spec.verbosity,
    }
    references = {node.name: dataclasses.asdict(node.reference) for node in spec.nodes if node.reference}
    if references:
        content["references"] = references
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _labels(
    spec: LabSpec,
    lab_id: str,
    kind: str,
    own: Mapping[str, str],
    *,
    created: datetime.datetime | None,
    expires: datetime.datetime | None,
) -> dict[str, str]:
    common = {
        LAB: spec.name,
        LAB_ID: lab_id,
        KIND: kind,
        OWNER: _owner(),
        HOST: this_host(),
        CREATED: format_time(created or datetime.datetime.now(datetime.UTC)),
        EXPIRES: format_time(expires) if expires else spec.expires,
        TOPO_FILE: spec.source,
        TOPO_SHA256: spec_digest(spec),
        SEED: str(spec.seed),
        TOOL_VERSION: __version__,
    }
    return {key: value for key, value in {**common, **own}.items() if value}


def _owner() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container; OSError from Python 3.13 on
        return ""
