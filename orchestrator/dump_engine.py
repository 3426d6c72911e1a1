"""The part of a dump that the container engine tells; nothing where nodes are processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from orchestrator import labels
from orchestrator.docker_runtime import DockerRuntime
from orchestrator.engine import Engine
from orchestrator.redaction import without_environment

if TYPE_CHECKING:
    from orchestrator.lab import Lab


def files(lab: Lab, note: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """Paths in the dump and texts, of every container and network that carries the lab's id.

    Args:
        note: gets a line about each that could not be had.
    """
    if not isinstance(lab.runtime, DockerRuntime):
        return
    try:
        yield from _files(lab.runtime.engine, lab.state.lab_id, note)
    except Exception as error:  # docker-py lets requests' and urllib3's errors through
        note(f"the engine: {type(error).__name__}: {error}")


def version(lab: Lab) -> str | None:
    """Of the engine; None where nodes are processes."""
    return lab.runtime.engine.version if isinstance(lab.runtime, DockerRuntime) else None


def _files(engine: Engine, lab_id: str, note: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    client, filters = engine.client, labels.filters(lab_id)
    for container in client.containers.list(all=True, filters=filters, ignore_removed=True):
        folder = _folder(container.labels, container.name or container.id or "?")
        try:
            yield f"{folder}/inspect.json", _text(without_environment(container.attrs))
            if not folder.startswith("nodes/"):  # the logs of nodes come from the runtime
                yield f"{folder}/log.txt", container.logs().decode(errors="replace")
        except Exception as error:
            note(f"{folder}: {type(error).__name__}: {error}")
    yield "networks.json", _text([network.attrs for network in client.networks.list(filters=filters)])


def _folder(carried: dict[str, str], name: str) -> str:
    kind = carried.get(labels.KIND, "")
    if kind == labels.KIND_NODE:
        return f"nodes/{carried[labels.NODE]}"
    return "gateway" if kind == labels.KIND_GATEWAY else f"others/{name}"


def _text(document: object) -> str:
    return json.dumps(document, indent=2, default=str) + "\n"
