"""Inspects every container, network and volume that a process asks the engine for, before anybody else can.

A helper may live for a tenth of a second. Whoever looks at the engine from outside, or waits for its events, may come
too late; so the look is part of the call that creates a container, and again of the one that starts it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

DIRECTORY_VARIABLE = "ENGINE_EYE"
"""Where processes that begin with our `sitecustomize` leave what they saw."""


def hooks(directory: Path) -> dict[str, Callable[..., Any]]:
    """What to put in place of methods of docker.APIClient, by name: they do the same, and leave what they saw.

    Args:
        directory: gets a file for each look: ``{"type": ..., "moment": ..., "id": ..., "inspected": {...}}``.
    """
    from docker import APIClient

    create, start = APIClient.create_container_from_config, APIClient.start
    create_network, create_volume = APIClient.create_network, APIClient.create_volume

    def note(kind: str, moment: str, name: str, inspected: object) -> None:
        text = json.dumps({"type": kind, "moment": moment, "id": name, "inspected": inspected})
        (directory / f"{uuid.uuid4()}.json").write_text(text)

    def create_container_from_config(self: APIClient, *arguments: Any, **options: Any) -> Any:
        made = create(self, *arguments, **options)
        note("container", "create", made["Id"], self.inspect_container(made["Id"]))
        return made

    def start_container(self: APIClient, container: Any, *arguments: Any, **options: Any) -> Any:
        found = self.inspect_container(container)
        note("container", "start", found["Id"], found)
        return start(self, container, *arguments, **options)

    def create_a_network(self: APIClient, *arguments: Any, **options: Any) -> Any:
        made = create_network(self, *arguments, **options)
        note("network", "create", made["Id"], self.inspect_network(made["Id"]))
        return made

    def create_a_volume(self: APIClient, *arguments: Any, **options: Any) -> Any:
        made = create_volume(self, *arguments, **options)
        note("volume", "create", made["Name"], made)
        return made

    return {
        "create_container_from_config": create_container_from_config,
        "start": start_container,
        "create_network": create_a_network,
        "create_volume": create_a_volume,
    }
