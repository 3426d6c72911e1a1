"""What a lab file says of the user's own protocols and services: taken together, and looked for in its folder."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path as FilePath

from orchestrator.labfile_model import LabFile, NodeEntry
from orchestrator.names import did_you_mean
from orchestrator.own import OwnCode, module_file
from orchestrator.reference import KIND_REFERENCE
from orchestrator.yaml_tree import Path, YamlTree

KEYS = ("services", "protocols", "protocols_over_pss")
MAX_MODULE_BYTES = 256 * 1024
"""Larger modules are left to the nodes: what compiles them here must not keep `lab validate` busy."""
MAX_MODULES_REMEMBERED = 32
MAX_LINE_SHOWN_CHARS = 60


def read_own(tree: YamlTree, file: LabFile, key: str, entry: NodeEntry) -> OwnCode | None:
    """What one of our nodes loads: of each key the node's own list, else that of the defaults; None for nothing.

    Args:
        key: under which `entry` is in the file's nodes.

    Raises:
        LabFileError: a module is not in the lab file's folder or is no Python, or the node is of kind reference.
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
    file = module_file(folder, module)
    if file is None:
        near = did_you_mean(module, [other.stem for other in folder.glob("*.py")])
        hint = near or f"modules are looked for in {folder}, the lab file's folder"
        raise tree.error(f"there is no module {module[:60]!r} beside the lab file", path, hint=hint)
    if (mistake := _mistake_in(file)) is not None:
        where = f"{file}:{mistake.lineno}" if mistake.lineno else str(file)
        shown = (mistake.text or "").strip()[:MAX_LINE_SHOWN_CHARS]
        hint = f"the line reads {shown!r}" if shown else ""
        raise tree.error(f"module {module[:60]!r} is broken: {where}: {mistake.msg}", path, hint=hint)


def _mistake_in(file: FilePath) -> SyntaxError | None:
    """Why a file is no Python; None where it is, or where that is left to the node."""
    try:
        with file.open("rb") as opened:
            source = opened.read(MAX_MODULE_BYTES + 1)
    except OSError:  # who mounts the folder says so
        return None
    return _compile(source) if len(source) <= MAX_MODULE_BYTES else None


@functools.lru_cache(maxsize=MAX_MODULES_REMEMBERED)  # every node of a lab asks
def _compile(source: bytes) -> SyntaxError | None:
    """Compiled and thrown away; nothing of it is run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "module", "exec", dont_inherit=True)
        except SyntaxError as error:
            return error.with_traceback(None)
        except ValueError as error:  # a null byte
            return SyntaxError(str(error))
        except (RecursionError, MemoryError):  # nested too deeply for here
            return None
    return None
