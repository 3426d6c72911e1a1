"""A user's own protocols and services: what a node loads, and from which folder (docs/own-protocol.md).

Nothing of it is imported here. The folder is mounted read-only into containers and on the path of processes; the node
loads the modules and says what is wrong with them.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import PreflightError

if TYPE_CHECKING:
    from orchestrator.engine import Engine

MOUNT_POINT = "/own"
"""Where the folder is in a container."""


@dataclass(frozen=True)
class OwnCode:
    """What a node loads: texts ``module:NAME``."""

    directory: str
    """Absolute path of the lab file's folder, on this machine."""
    load: tuple[str, ...] = ()
    load_over_pss: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of it."""
        return self.load + self.load_over_pss

    @property
    def modules(self) -> list[str]:
        return sorted({name.partition(":")[0] for name in self.names})

    def environment(self, directory: str) -> dict[str, str]:
        """Flags of `pss-node` as variables; `directory` is the folder as the node sees it."""
        return {
            "PSS_LOAD": ",".join(self.load),
            "PSS_LOAD_OVER_PSS": ",".join(self.load_over_pss),
            "PSS_LOAD_PATH": directory,
        }


def module_file(directory: Path, module: str) -> Path | None:
    """Where the source of a module is below a folder; None if it is not there."""
    path = directory.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def check_mountable(codes: Iterable[OwnCode], engine: Engine) -> None:
    """Whether containers can read what their nodes are to load.

    Raises:
        PreflightError: the engine is on another machine, or the folder is closed to the containers' user.
    """
    for own in dict.fromkeys(codes):
        if not engine.is_local:
            raise PreflightError(
                f"the engine at {engine.address} cannot see {own.directory}, whose modules the nodes are to load",
                hint="use an engine on this machine, or lab up --runtime process",
            )
        folder = Path(own.directory)
        if not folder.is_dir():
            raise PreflightError(f"{folder}: no such folder; the nodes are to load modules from it")
        needed = [(folder, stat.S_IROTH | stat.S_IXOTH, "rx")]
        files = [module_file(folder, module) for module in own.modules]
        needed += [(file, stat.S_IROTH, "r") for file in files if file is not None]
        for path, bits, letters in needed:
            if path.stat().st_mode & bits != bits:
                raise PreflightError(
                    f"{path} is closed to other users, and containers do not run as you",
                    hint=f"chmod o+{letters} {path}, or lab up --runtime process",
                )
