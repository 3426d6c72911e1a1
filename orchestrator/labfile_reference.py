"""What a lab file says of nodes of kind reference: checked, and put together from the node and its kind."""

from __future__ import annotations

from orchestrator.errors import LabFileError
from orchestrator.labfile_model import LabFile, NodeEntry, ReferenceSection
from orchestrator.names import did_you_mean
from orchestrator.reference import (
    DEFAULT_WS_PORT,
    KIND_OURS,
    KIND_REFERENCE,
    KINDS,
    PLACEHOLDERS,
    Reference,
    placeholders_of,
)
from orchestrator.yaml_tree import Path, YamlTree

SETTINGS = tuple(ReferenceSection.model_fields)
EXAMPLES = {"image": "ethersphere/swarm:0.5.8", "command": '[swarm, --datadir, "{datadir}", ...]'}


def read_reference(tree: YamlTree, file: LabFile, key: str, entry: NodeEntry) -> Reference | None:
    """What a node of kind reference runs, its own settings before those of the kind; None for our nodes.

    Args:
        key: under which `entry` is in the file's nodes.

    Raises:
        LabFileError: no such kind, a setting that is missing or makes no sense, with line and column.
    """
    path: Path = ("nodes", key)
    if entry.kind == KIND_OURS:
        for setting in SETTINGS:
            if getattr(entry, setting) is not None:
                hint = "defaults: {image: ...} is for all other nodes" if setting == "image" else ""
                raise tree.error(
                    f"{setting!r} is for nodes of kind: {KIND_REFERENCE} only",
                    (*path, setting),
                    of_key=True,
                    hint=hint,
                )
        return None
    if entry.kind != KIND_REFERENCE:
        hint = did_you_mean(entry.kind, KINDS) or f"kinds: {', '.join(KINDS)}"
        raise tree.error(f"no kind of node {entry.kind[:40]!r}", (*path, "kind"), hint=hint)
    kind = file.kinds.reference
    image = entry.image or kind.image
    command = entry.command or kind.command
    for setting, value in (("image", image), ("command", command)):
        if not value:
            raise tree.error(
                f"a node of kind {KIND_REFERENCE} needs {setting!r}",
                path,
                of_key=True,
                hint=f"{setting}: {EXAMPLES[setting]}, here or in kinds: {{{KIND_REFERENCE}: ...}}",
            )
    assert image is not None
    assert command is not None
    _check_command(tree, command, (*path, "command") if entry.command else ("kinds", KIND_REFERENCE, "command"))
    port = entry.ws_port or kind.ws_port or DEFAULT_WS_PORT
    return Reference(image=image, command=tuple(command), ws_port=port)


def _check_command(tree: YamlTree, command: list[str], path: Path) -> None:
    for index, word in enumerate(command):
        try:
            named = placeholders_of(word)
        except LabFileError as error:
            raise tree.error(f"command: {error}", (*path, index), hint=error.hint) from None
        for name in named:
            if name not in PLACEHOLDERS:
                hint = did_you_mean(name, PLACEHOLDERS) or f"placeholders: {', '.join(PLACEHOLDERS)}"
                raise tree.error(f"command: no placeholder {{{name[:40]}}}", (*path, index), hint=hint)
