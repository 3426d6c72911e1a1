"""A lab back to the lab file that says it: the reverse of :func:`orchestrator.labfile.load_lab_file`.

Not everything can be said. :func:`write` reads what it has written, and refuses a lab that comes back as another one.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from node.crypto.secp256k1 import PrivateKey
from orchestrator.errors import LabFileError
from orchestrator.faults.model import Conditions
from orchestrator.identity import derive_key
from orchestrator.labfile import load_lab_file
from orchestrator.labfile_model import API_VERSION
from orchestrator.placement import MAX_PREFIX_BITS
from orchestrator.reference import KIND_REFERENCE
from orchestrator.spec import LabSpec, Link, NodeLimits, NodeSpec, Readiness

LEFT_OUT = {"source", "expires"}
"""Where a lab's file is, and when it goes, is not what it is."""
KEYS = {"timeline": "faults", "checks": "verify"}
"""Of the lab file, where the field has another name."""
CAN_BE_LEFT_OUT = ("net", "timeline", "traffic", "checks")
SECONDS_DIGITS, PERCENT_DIGITS, RATE_DIGITS = 6, 4, 3
"""Decimal places that lab files take (orchestrator.durations, orchestrator.faults.model)."""


def write(path: Path, spec: LabSpec, *, header: str = "", more: dict[str, Any] | None = None) -> None:
    """Write a lab file; with it `lab up` makes the same lab, keys and addresses included.

    Args:
        header: comment lines before it.
        more: other keys.

    Raises:
        LabFileError: the lab cannot be said there, or not in that folder; nothing is written.
    """
    folder = path.absolute().parent
    for node in spec.nodes:
        if node.node_key.secret != derive_key(spec.seed, spec.name, node.name, "node").secret:
            raise LabFileError(
                f"lab {spec.name} cannot be kept: the keys of {node.name} do not follow from the lab's name and seed",
                hint="it may have been renamed: keep it under the name that it had",
            )
        if node.chooses_keys:
            raise LabFileError(
                f"lab {spec.name} cannot be kept: node {node.name} chooses keys of its own at each start"
            )
        if node.own is not None and Path(node.own.directory) != folder:
            raise LabFileError(
                f"lab {spec.name} cannot be kept in {folder}: node {node.name} loads modules from {node.own.directory}",
                hint="a lab file is beside the modules that its nodes load: keep it there",
            )
    text = header + yaml.safe_dump({**_document(spec), **(more or {})}, sort_keys=False)
    # Modules are looked for beside the file, so there has to be one when it is read.
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text)
        _check_same(spec, load_lab_file(text, source=str(draft)))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _check_same(spec: LabSpec, found: LabSpec) -> None:
    fields = [field.name for field in dataclasses.fields(LabSpec) if field.name not in LEFT_OUT]
    lost = [name for name in fields if _plain(getattr(spec, name)) != _plain(getattr(found, name))]
    if lost:
        without = ", ".join(f"{name}=()" for name in lost if name in CAN_BE_LEFT_OUT)
        hint = f"keep it without: dataclasses.replace(spec, {without})" if without else ""
        keys = ", ".join(KEYS.get(name, name) for name in lost)
        raise LabFileError(f"lab {spec.name} cannot be kept: what it has of {keys} cannot be said there", hint=hint)


def _plain(value: Any) -> Any:
    """What can be compared: keys are their bytes."""
    if isinstance(value, PrivateKey):
        return value.secret
    if isinstance(value, NodeSpec):
        return [_plain(getattr(value, field.name)) for field in dataclasses.fields(NodeSpec)]
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _document(spec: LabSpec) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    if spec.image:
        defaults["image"] = spec.image
    if spec.limits != NodeLimits():
        defaults |= {"mem": f"{spec.limits.memory_mb}m", "cpus": spec.limits.cpus, "pids": spec.limits.pids}
    if spec.verbosity != LabSpec.verbosity:
        defaults["log"] = spec.verbosity
    ready: dict[str, Any] = {}
    if spec.ready_when is not Readiness.HEALTHY:
        ready["when"] = spec.ready_when.value
    if spec.ready_timeout_s != LabSpec.ready_timeout_s:
        ready["timeout"] = _seconds(spec.ready_timeout_s)
    net = {fault.nodes + fault.peers: fault.conditions for fault in spec.net}
    document = {
        "apiVersion": API_VERSION,
        "name": spec.name,
        "metadata": {"title": spec.title} if spec.title else {},
        "seed": spec.seed,
        "defaults": defaults,
        "nodes": {node.name: _node(spec, node) for node in spec.nodes},
        "links": [_link(link, net.get((link.a, link.b))) for link in spec.links],
        "autoconnect": spec.auto_connect,
        "ready": ready,
    }
    return {key: value for key, value in document.items() if value or key in ("seed", "nodes", "links")}


def _node(spec: LabSpec, node: NodeSpec) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if node.role:
        entry["role"] = node.role
    if node.reference is not None:
        entry |= {"kind": KIND_REFERENCE, "image": node.reference.image}
        entry |= {"command": list(node.reference.command), "ws_port": node.reference.ws_port}
    if node.own is not None:
        entry |= {"services": list(node.own.load), "protocols_over_pss": list(node.own.load_over_pss)}
    if prefix := _prefix(spec, node):
        entry["overlay"] = f"0b{prefix}"
    return entry


def _prefix(spec: LabSpec, node: NodeSpec) -> str:
    """The shortest prefix of its overlay address with which a node's key is found; none if it is the first of all.

    The key was the first whose address begins with some prefix, so it is the first for every longer one too. To try
    all up to that takes twice the keys that it took to find the node's.
    """
    bits = f"{int.from_bytes(node.overlay, 'big'):0{len(node.overlay) * 8}b}"
    for length in range(MAX_PREFIX_BITS + 1):
        first = derive_key(spec.seed, spec.name, node.name, "bzz", overlay_prefix=bits[:length])
        if first.secret == node.bzz_key.secret:
            return bits[:length]
    return ""


def _link(link: Link, conditions: Conditions | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"endpoints": [link.a, link.b]}
    if conditions is not None:
        said = {
            "delay": _seconds(conditions.delay_s) if conditions.delay_s is not None else None,
            "jitter": _seconds(conditions.jitter_s) if conditions.jitter_s is not None else None,
            "loss": f"{_decimal(conditions.loss * 100, PERCENT_DIGITS)}%" if conditions.loss is not None else None,
            "rate": f"{_decimal(conditions.rate_bps / 1e3, RATE_DIGITS)}kbit"
            if conditions.rate_bps is not None
            else None,
        }
        entry["net"] = {key: value for key, value in said.items() if value is not None}
    return entry


def _seconds(seconds: float) -> str:
    return f"{_decimal(seconds, SECONDS_DIGITS)}s"


def _decimal(number: float, digits: int) -> str:
    return f"{number:.{digits}f}".rstrip("0").rstrip(".")
