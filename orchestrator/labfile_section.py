"""What all sections of a lab file have in common, see :mod:`orchestrator.labfile_model`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, model_validator

from orchestrator.durations import DURATION_PATTERN, parse_duration

EXTENSION_PREFIX = "x-"
"""Keys that begin so are for others' tools; we do not look at them."""

Seconds = Annotated[
    float,
    BeforeValidator(lambda value: parse_duration(value) if isinstance(value, str) else value),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["60s", "1m30s", "500ms"]}),
]


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
