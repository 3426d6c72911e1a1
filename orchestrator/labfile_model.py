"""The keys of a lab file, version lab/v1: which there are, of what type, and within which limits.

Values arrive as text (:mod:`orchestrator.yaml_tree`) and are converted here. Only what works today is accepted; keys
that are planned are refused by name rather than ignored. What the keys mean together is :mod:`orchestrator.labfile`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from orchestrator.durations import MEMORY_PATTERN, parse_memory_mb
from orchestrator.errors import LabFileError
from orchestrator.faults.sections import MAX_FAULTS, FaultEntry, NetSection
from orchestrator.labfile_section import MAX_TEXT_CHARS, Seconds, Section, Text
from orchestrator.names import MAX_NAME_CHARS, check_lab_name
from orchestrator.placement import PREFIX_PATTERN, parse_prefix
from orchestrator.reference import KIND_OURS, KINDS
from orchestrator.spec import (
    DEFAULT_CPUS,
    DEFAULT_MEMORY_MB,
    DEFAULT_PIDS,
    DEFAULT_READY_TIMEOUT_S,
    DEFAULT_VERBOSITY,
    Readiness,
)
from orchestrator.topology import Kind
from orchestrator.traffic.model import MAX_ENTRIES as MAX_TRAFFIC
from orchestrator.traffic.sections import TrafficEntry
from orchestrator.verify.model import MAX_CHECKS
from orchestrator.verify.sections import VerifyEntry

API_VERSION = "lab/v1"
NAME_ERROR = "lab_name"
"""pydantic's type of the errors that come from :mod:`orchestrator.names`; their context has a hint."""
DEFAULT_SEED = 1
MAX_SEED = 2**63 - 1
MAX_CPUS = 1024.0
MIN_PIDS = 16
"""A node's gRPC server alone has a dozen threads."""
MAX_PIDS = 32768
MAX_WORDS = 200
"""Of a command line."""
MAX_PORT = 65535
MAX_LOADABLES = 20
"""Of one kind in one node."""
LOADABLE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
"""``module:NAME``, as `pss-node --load` takes it."""
LOG_LEVELS = {"critical": 0, "error": 1, "warning": 2, "info": 3, "debug": 4, "trace": 5}
"""Names for `pss-node --verbosity`."""

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", re.ASCII)
"""What Docker can take for an image reference; it checks the rest itself."""


def _parse_log(value: Any) -> Any:
    if isinstance(value, str) and not value.isdigit():
        if value not in LOG_LEVELS:
            raise ValueError(f"expected 0 to 5 or one of {', '.join(LOG_LEVELS)}, got {value[:40]!r}")
        return LOG_LEVELS[value]
    return value


def _check_image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not the name of an image")
    return text


def _check_name(text: str) -> str:
    try:
        return check_lab_name(text)
    except LabFileError as error:
        raise PydanticCustomError(NAME_ERROR, "{message}", {"message": str(error), "hint": error.hint}) from None


def _check_loadable(text: str) -> str:
    if not re.fullmatch(LOADABLE, text):
        raise ValueError(f"expected module:NAME, such as gossip:PROTOCOL, got {text[:60]!r}")
    return text


Image = Annotated[str, Field(max_length=MAX_TEXT_CHARS), AfterValidator(_check_image)]
Megabytes = Annotated[
    int,
    BeforeValidator(lambda value: parse_memory_mb(value) if isinstance(value, str) else value),
    WithJsonSchema({"type": "string", "pattern": MEMORY_PATTERN, "examples": ["160m", "1g"]}),
]
LogLevel = Annotated[
    int,
    BeforeValidator(_parse_log),
    Field(ge=0, le=5),
    WithJsonSchema({"enum": [*LOG_LEVELS, *LOG_LEVELS.values()]}),
]


OverlayPrefix = Annotated[
    str,
    BeforeValidator(lambda value: parse_prefix(value) if isinstance(value, str) else value),
    # To other readers of YAML 0x6a is a number.
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": PREFIX_PATTERN}, {"type": "integer", "minimum": 0}]}),
]
"""Bits, see :mod:`orchestrator.placement`."""
Loadable = Annotated[str, AfterValidator(_check_loadable), WithJsonSchema({"type": "string", "pattern": LOADABLE})]
"""A protocol or service of the user's, see :mod:`orchestrator.own`."""
Loadables = Annotated[list[Loadable], Field(max_length=MAX_LOADABLES)]


class Metadata(Section):
    """For people; a lab runs the same without."""

    title: Text = ""
    author: Text = ""
    version: Text = ""
    license: Text = ""
    minutes: Annotated[int, Field(ge=0, le=100_000)] | None = None


class Defaults(Section):
    """What each node gets."""

    planned = frozenset({"role", "luminosity", "env"})

    image: Image | None = None
    mem: Megabytes = DEFAULT_MEMORY_MB
    cpus: Annotated[float, Field(gt=0, le=MAX_CPUS)] = DEFAULT_CPUS
    pids: Annotated[int, Field(ge=MIN_PIDS, le=MAX_PIDS)] = DEFAULT_PIDS
    log: LogLevel = DEFAULT_VERBOSITY
    services: Loadables | None = None
    """The user's own, as `module:NAME`; the modules are looked for in the lab file's folder."""
    protocols: Loadables | None = None
    protocols_over_pss: Loadables | None = None


class TopologySection(Section):
    """Nodes and links made by rule, see :func:`orchestrator.topology.generate`."""

    kind: Annotated[str, WithJsonSchema({"enum": [*Kind]})]
    n: int
    branching: int | None = None
    degree: float | None = None
    k: int | None = None
    p: float | None = None


class ReferenceSection(Section):
    """What a node of kind reference runs; here for all of them, or in the node itself."""

    planned = frozenset({"env", "mem", "cpus", "pids", "entrypoint"})

    image: Image | None = None
    command: Annotated[list[Text], Field(min_length=1, max_length=MAX_WORDS)] | None = None
    """The whole command line; the image's own entry point is not used. See orchestrator.reference.PLACEHOLDERS."""
    ws_port: Annotated[int, Field(ge=1, le=MAX_PORT)] | None = None


class KindsSection(Section):
    """Settings by kind of node, for all nodes of that kind; a node's own win."""

    reference: ReferenceSection = ReferenceSection()


class NodeEntry(ReferenceSection):
    """One node, or each of a range of nodes."""

    planned = frozenset({"luminosity", "mem", "cpus", "pids", "log", "host", "env", "entrypoint"})

    role: Annotated[Text, Field(max_length=MAX_NAME_CHARS)] = ""
    overlay: OverlayPrefix | None = None
    """The first bits of its overlay address, or of each address of a range."""
    kind: Annotated[Text, WithJsonSchema({"enum": [*KINDS]})] = KIND_OURS
    services: Loadables | None = None
    """The user's own; a list here is instead of that of the defaults."""
    protocols: Loadables | None = None
    protocols_over_pss: Loadables | None = None


class LinkEntry(Section):
    """A link in full."""

    endpoints: Annotated[list[str], Field(min_length=2, max_length=2)]
    net: NetSection | None = None
    """Conditions of both directions, from the start."""


def _link_form(value: Any) -> str:
    return "entry" if isinstance(value, dict | LinkEntry) else "text"


LinkItem = Annotated[Annotated[str, Tag("text")] | Annotated[LinkEntry, Tag("entry")], Discriminator(_link_form)]


class ReadySection(Section):
    """When `lab up` is content."""

    when: Annotated[Readiness, WithJsonSchema({"enum": [*Readiness]})] = Readiness.HEALTHY
    timeout: Seconds = DEFAULT_READY_TIMEOUT_S


class LabFile(Section):
    """A lab file."""

    planned = frozenset({"networks", "services", "runtime", "hosts", "insecure_debug"})

    apiVersion: Literal["lab/v1"]
    name: Annotated[str, AfterValidator(_check_name)]
    metadata: Metadata = Metadata()
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = DEFAULT_SEED
    defaults: Defaults = Defaults()
    kinds: KindsSection = KindsSection()
    topology: TopologySection | None = None
    nodes: dict[str, NodeEntry | None] | None = None
    """By name or range of names."""
    links: list[LinkItem] | None = None
    """Texts such as `alice-n01`, or entries."""
    autoconnect: bool = False
    ready: ReadySection = ReadySection()
    faults: Annotated[list[FaultEntry], Field(max_length=MAX_FAULTS)] | None = None
    """A timeline for `lab play`."""
    traffic: Annotated[list[TrafficEntry], Field(max_length=MAX_TRAFFIC)] | None = None
    """Messages for `lab play`."""
    verify: Annotated[list[VerifyEntry], Field(max_length=MAX_CHECKS)] | None = None
    """What `lab verify` checks."""


SECTIONS: dict[str, type[Section]] = {
    "metadata": Metadata,
    "defaults": Defaults,
    "kinds": KindsSection,
    "topology": TopologySection,
    "nodes": NodeEntry,
    "links": LinkEntry,
    "ready": ReadySection,
    "faults": FaultEntry,
    "traffic": TrafficEntry,
    "verify": VerifyEntry,
}
"""Which keys are known below a key of the file."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a lab file, for editors: ``# yaml-language-server: $schema=...``."""
    schema = LabFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "pss lab file"}
