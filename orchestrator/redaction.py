"""Keeping a lab's secrets out of what is written for others to read."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from orchestrator.lab import Lab

REDACTED = "[redacted]"


class Redactor:
    """Replaces secrets in any text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Texts that must not appear, in upper or lower case."""
        longest_first = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if longest_first else None

    @classmethod
    def of(cls, lab: Lab) -> Self:
        """What is secret about a lab: the private keys of its nodes, in hex and base64, and its token."""
        keys = [key.secret for node in lab.spec.nodes for key in (node.node_key, node.bzz_key)]
        token = ""
        with contextlib.suppress(OSError):  # the lab may be gone; asking its state would make up a token
            token = (lab.state.directory / "token").read_text().strip()
        return cls([token, *(form for key in keys for form in (key.hex(), base64.b64encode(key).decode()))])

    def clean(self, text: str) -> str:
        """The same text without secrets."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text


def without_environment(inspected: dict[str, Any]) -> dict[str, Any]:
    """A container as the engine has it, with the names of its environment variables but no value."""
    config = dict(inspected.get("Config") or {})
    config["Env"] = [f"{entry.partition('=')[0]}={REDACTED}" for entry in config.get("Env") or ()]
    return {**inspected, "Config": config}
