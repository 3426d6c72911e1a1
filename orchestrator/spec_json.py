"""A lab as JSON types, for people and programs that read it: without any secret key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.spec import LabSpec


def spec_to_json(spec: LabSpec) -> dict[str, Any]:
    """A lab as it should be; no secret keys."""
    return {
        "lab": spec.name,
        "title": spec.title,
        "seed": spec.seed,
        "network_id": spec.network_id,
        "auto_connect": spec.auto_connect,
        "image": spec.image,
        "source": spec.source,
        "nodes": [
            {
                "name": node.name,
                "role": node.role,
                "kind": node.kind,
                # Null: the node chooses it when it is started.
                "id": None if node.chooses_keys else node.id.hex(),
                "overlay": None if node.chooses_keys else node.overlay.hex(),
                "image": node.reference.image if node.reference else spec.image,
            }
            for node in spec.nodes
        ],
        "links": [[link.a, link.b] for link in spec.links],
    }
