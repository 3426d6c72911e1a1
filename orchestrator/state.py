"""What is remembered of a running lab: one directory with its plan, its token and, for processes, data and logs.

``.lab/<name>/`` below the working directory, or below $LAB_STATE_DIR. Closed to others (0700): the node keys are in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from node.crypto.secp256k1 import PrivateKey
from node.ids import NodeId, OverlayAddress
from orchestrator import names
from orchestrator.errors import OrchestratorError
from orchestrator.faults.model import fault_from_json, fault_to_json
from orchestrator.faults.timeline import timed_from_json, timed_to_json
from orchestrator.own import OwnCode
from orchestrator.reference import Reference
from orchestrator.spec import Identity, LabSpec, Link, NodeLimits, NodeSpec, Readiness
from orchestrator.traffic.model import traffic_from_json, traffic_to_json
from orchestrator.verify.model import check_from_json, check_to_json

STATE_VARIABLE = "LAB_STATE_DIR"
DEFAULT_ROOT = ".lab"
STATE_VERSION = 1
TOKEN_BYTES = 24
STRUCTURED = ("nodes", "links", "limits", "net", "timeline", "traffic", "checks", "ready_when")
"""Fields of a lab that JSON cannot hold as they are."""
TOKEN_HINT = "the lab's token file does not match: lab down, then lab up"  # noqa: S105
"""What to do when a node or the gateway refuses the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedLab:
    """A lab that was started."""

    spec: LabSpec
    runtime: str
    created: str
    """RFC 3339."""
    complete: bool = True
    """Whether it came up; False while `lab up` is at work, and for good if that was killed."""


class StateDir:
    """The directory of one lab."""

    def __init__(self, name: str, root: Path | None = None) -> None:
        """The directory need not exist.

        Raises:
            LabFileError: no name for a lab, and so none that could lead out of the root.
        """
        self.root = (root or default_root()).absolute()
        self.name = names.check_lab_name(name)
        self.directory = self.root / name
        # Two checkouts, users or test workers may each have a lab of this name.
        self.lab_id = names.lab_id(name, f"{getpass.getuser()}:{self.root}")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Let one command at a time change this lab; others wait."""
        while (file := self._lock_file()) is None:
            continue
        with file:
            yield

    def _lock_file(self) -> TextIO | None:
        """The lock file, locked; None if it was removed while we waited, and so guards nothing any more."""
        path = self.root / f"{self.name}.lock"
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = open(path, "w")  # noqa: SIM115  -- the caller closes it, and that unlocks it
        except (FileNotFoundError, FileExistsError):
            return None  # the directory goes just now, with the last lab in it
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        except FileNotFoundError:
            pass
        file.close()
        return None

    @property
    def token(self) -> str:
        """The lab's bearer token; made up at the first call."""
        path = self.directory / "token"
        with contextlib.suppress(FileNotFoundError):
            return path.read_text().strip()
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._write(path, token)
        return token

    def save(self, lab: SavedLab) -> None:
        """Remember a lab."""
        record = {
            "version": STATE_VERSION,
            "runtime": lab.runtime,
            "created": lab.created,
            "complete": lab.complete,
            "spec": _to_json(lab.spec),
        }
        self._write(self.directory / "state.json", json.dumps(record, indent=1))

    def load(self) -> SavedLab | None:
        """What was saved; None if there is no such lab.

        Raises:
            OrchestratorError: the file is damaged or from another version.
        """
        path = self.directory / "state.json"
        try:
            record = json.loads(path.read_text())
            if record["version"] != STATE_VERSION:
                raise OrchestratorError(f"{path} is of version {record['version']}", hint="lab down, then lab up")
            return SavedLab(
                spec=_from_json(record["spec"]),
                runtime=record["runtime"],
                created=record["created"],
                # Files from before there was such a field are of labs that are used.
                complete=bool(record.get("complete", True)),
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise OrchestratorError(f"{path} is damaged: {error}", hint=f"lab down {self.name}") from None

    def clear(self) -> None:
        """Forget the lab but keep its lock, for whoever holds that and starts anew."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def remove(self) -> None:
        """Forget the lab; the root goes with its last lab."""
        self.clear()
        (self.root / f"{self.name}.lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.root.rmdir()

    def _write(self, path: Path, text: str) -> None:
        """Replace a file at once, readable by its owner only."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        temporary.replace(path)


def default_root() -> Path:
    """Where labs are remembered unless somebody says otherwise."""
    return Path(os.environ.get(STATE_VARIABLE) or DEFAULT_ROOT)


def saved_names(root: Path | None = None) -> list[str]:
    """Names of the labs that are remembered."""
    return sorted(path.parent.name for path in (root or default_root()).glob("*/state.json"))


def _to_json(spec: LabSpec) -> dict[str, Any]:
    plain = {key: value for key, value in vars(spec).items() if key not in STRUCTURED}
    return plain | {
        "net": [fault_to_json(fault) for fault in spec.net],
        "timeline": [timed_to_json(entry) for entry in spec.timeline],
        "traffic": [traffic_to_json(entry) for entry in spec.traffic],
        "checks": [check_to_json(check) for check in spec.checks],
        "ready_when": spec.ready_when.value,
        "nodes": [
            {
                "name": node.name,
                "role": node.role,
                "node_key": node.node_key.secret.hex(),
                "bzz_key": node.bzz_key.secret.hex(),
                "reference": asdict(node.reference) if node.reference else None,
                "identity": _hex_values(node.identity) if node.identity else None,
                "own": asdict(node.own) if node.own else None,
            }
            for node in spec.nodes
        ],
        "links": [[link.a, link.b] for link in spec.links],
        "limits": asdict(spec.limits),
    }


def _from_json(record: dict[str, Any]) -> LabSpec:
    nodes = tuple(
        NodeSpec(
            name=node["name"],
            role=node["role"],
            node_key=PrivateKey(bytes.fromhex(node["node_key"])),
            bzz_key=PrivateKey(bytes.fromhex(node["bzz_key"])),
            # Files from before there were such nodes have neither.
            reference=_reference(node.get("reference")),
            identity=_identity(node.get("identity")),
            own=_own(node.get("own")),
        )
        for node in record["nodes"]
    )
    links = tuple(Link(a, b) for a, b in record["links"])
    plain = {key: value for key, value in record.items() if key not in STRUCTURED}
    return LabSpec(
        nodes=nodes,
        links=links,
        limits=NodeLimits(**record["limits"]),
        # Files from before there were faults have none.
        net=tuple(fault_from_json(fault) for fault in record.get("net", ())),
        timeline=tuple(timed_from_json(entry) for entry in record.get("timeline", ())),
        traffic=tuple(traffic_from_json(entry) for entry in record.get("traffic", ())),
        checks=tuple(check_from_json(check) for check in record.get("checks", ())),
        ready_when=Readiness(record.get("ready_when", Readiness.HEALTHY)),
        **plain,
    )


def _hex_values(identity: Identity) -> dict[str, str]:
    return {key: value.hex() for key, value in asdict(identity).items()}


def _reference(record: dict[str, Any] | None) -> Reference | None:
    if record is None:
        return None
    return Reference(image=record["image"], command=tuple(record["command"]), ws_port=record["ws_port"])


def _own(record: dict[str, Any] | None) -> OwnCode | None:
    if record is None:
        return None
    return OwnCode(record["directory"], tuple(record["load"]), tuple(record["load_over_pss"]))


def _identity(record: dict[str, str] | None) -> Identity | None:
    if record is None:
        return None
    raw = {key: bytes.fromhex(text) for key, text in record.items()}
    return Identity(id=NodeId(raw["id"]), overlay=OverlayAddress(raw["overlay"]), public_key=raw["public_key"])
