"""What all sections of a lab file have in common, see :mod:`orchestrator.labfile_model`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from orchestrator.durations import DURATION_PATTERN, SHARE_PATTERN, parse_duration, parse_share
from orchestrator.errors import UnknownNode
from orchestrator.names import select_nodes
from orchestrator.spec import NodeSpec
from orchestrator.yaml_tree import Path, YamlTree

EXTENSION_PREFIX = "x-"
"""Keys that begin so are for others' tools; we do not look at them."""
MAX_TEXT_CHARS = 1000
MAX_NAME_CHARS = 30
"""Of a fault, an entry of the traffic, a check."""


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be shown")
    return text


def _parse_moment(text: str) -> float:
    """Seconds; unlike a duration it may be zero."""
    return 0.0 if text.strip() in ("0", "0s", "0ms") else parse_duration(text)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS), AfterValidator(_check_printable)]
Seconds = Annotated[
    float,
    BeforeValidator(lambda value: parse_duration(value) if isinstance(value, str) else value),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["60s", "1m30s", "500ms"]}),
]
Moment = Annotated[
    float,
    BeforeValidator(lambda value: _parse_moment(value) if isinstance(value, str) else value),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["0s", "20s"]}),
]
"""A time after the beginning."""
Share = Annotated[
    float,
    BeforeValidator(lambda value: parse_share(value) if isinstance(value, str) else value),
    WithJsonSchema({"type": "string", "pattern": SHARE_PATTERN, "examples": ["99%", "0%"]}),
]
Selectors = Annotated[
    list[str],
    BeforeValidator(_as_list),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""Names, globs or `role=ROLE`, in a list or one text."""


class Section(BaseModel):
    """A mapping of the file. Unknown keys are errors, those with x- are dropped."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        json_schema_extra={"patternProperties": {f"^{EXTENSION_PREFIX}": {}}},
    )
    planned: ClassVar[frozenset[str]] = frozenset()
    """Keys of the format (lab-anchors.md 5.4) that do nothing yet."""

    @model_validator(mode="before")
    @classmethod
    def _drop_extensions(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: entry for key, entry in value.items() if not key.startswith(EXTENSION_PREFIX)}
        return value


def select_at(tree: YamlTree, nodes: Sequence[NodeSpec], selectors: Sequence[str], path: Path) -> tuple[str, ...]:
    """Names of the nodes that the selectors at some place of the file mean.

    Raises:
        LabFileError: one of them means nobody, with line and column.
    """
    try:
        return tuple(node.name for node in select_nodes(nodes, selectors))
    except UnknownNode as error:
        raise tree.error(str(error), path, hint=error.hint) from error
