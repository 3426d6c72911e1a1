"""What a lab file says of the user's own protocols and services: taken together, and looked for in its folder."""

from __future__ import annotations

from pathlib import Path as FilePath

from orchestrator.labfile_model import LabFile, NodeEntry
from orchestrator.names import did_you_mean
from orchestrator.own import OwnCode, module_file
from orchestrator.reference import KIND_REFERENCE
from orchestrator.yaml_tree import Path, YamlTree

KEYS = ("services", "protocols", "protocols_over_pss")


def read_own(tree: YamlTree, file: LabFile, key: str, entry: NodeEntry) -> OwnCode | None:
    """What one of our nodes loads: of each key the node's own list, else that of the defaults; None for nothing.

    Args:
        key: under which `entry` is in the file's nodes.

    Raises:
        LabFileError: a module is not in the lab file's folder, or the node is of kind reference.
    """
    given = [name for name in KEYS if getattr(entry, name) is not None]
    if entry.kind == KIND_REFERENCE:
        if given:
            message = f"a node of kind {KIND_REFERENCE} cannot load {given[0]}; ours can"
            raise tree.error(message, ("nodes", key, given[0]), of_key=True)
        return None
    # Of standard input nothing is known but where it was typed.
    folder = FilePath(tree.source).absolute().parent if FilePath(tree.source).is_file() else FilePath.cwd()
    found: dict[str, tuple[str, ...]] = {}
    for name in KEYS:
        path: Path = ("nodes", key, name) if name in given else ("defaults", name)
        names = (getattr(entry, name) if name in given else getattr(file.defaults, name)) or ()
        for index, text in enumerate(names):
            _check_module(tree, folder, text, (*path, index))
        found[name] = tuple(names)
    services, protocols, over_pss = (found[name] for name in KEYS)
    if not (services or protocols or over_pss):
        return None
    return OwnCode(directory=str(folder), load=services + protocols, load_over_pss=over_pss)


def _check_module(tree: YamlTree, folder: FilePath, text: str, path: Path) -> None:
    module = text.partition(":")[0]
    if module_file(folder, module) is None:
        near = did_you_mean(module, [file.stem for file in folder.glob("*.py")])
        hint = near or f"modules are looked for in {folder}, the lab file's folder"
        raise tree.error(f"there is no module {module[:60]!r} beside the lab file", path, hint=hint)
