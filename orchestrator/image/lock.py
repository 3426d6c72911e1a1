"""The part of requirements.lock that goes into the image.

One lock serves the virtual environment and the image. Each of its entries says for whom it is there ("# via aiohttp"),
so the packages of the image are those the node imports and everything that is there for one of them. Markers are
decided for the image (Linux, CPython 3.11), not for the machine that builds it. Pure text; no package is looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from orchestrator.errors import ImageError
from orchestrator.image.context import read_list

IMAGE_PYTHON = "3.11"
"""Python of the image; Debian 12 has 3.11.2, the official image some later 3.11."""

_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;]+)\s*(?:;\s*(?P<marker>[^\\]+))?")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEntry:
    """One pinned package."""

    name: str
    """Normalised: lower case, words joined by `-`."""

    version: str
    marker: str
    """When it applies; empty for always."""

    hashes: tuple[str, ...]
    """`sha256:...` of each file that may be installed."""

    via: frozenset[str]
    """Normalised names of the packages that need it."""

    def applies_to(self, environment: dict[str, str]) -> bool:
        """Whether the marker holds in an environment."""
        return not self.marker or Marker(self.marker).evaluate(environment)

    def format(self) -> str:
        """The entry as pip reads it, without marker: it has been decided."""
        return " \\\n    ".join([f"{self.name}=={self.version}", *(f"--hash={digest}" for digest in self.hashes)])


@dataclass(slots=True)
class _Draft:
    """A lock entry while its lines are being read."""

    name: str
    version: str
    marker: str
    hashes: list[str] = field(default_factory=list)
    via: set[str] = field(default_factory=set)

    def finish(self) -> LockEntry:
        return LockEntry(
            name=self.name,
            version=self.version,
            marker=self.marker,
            hashes=tuple(sorted(self.hashes)),
            via=frozenset(self.via),
        )


def parse_lock(text: str) -> list[LockEntry]:
    """Read a lock as `uv pip compile --generate-hashes` writes it.

    Raises:
        ImageError: an entry has no hash, or the notes that say what needs what are missing.
    """
    drafts: list[_Draft] = []
    for line in text.splitlines():
        if match := _ENTRY.match(line):
            marker = (match["marker"] or "").strip()
            drafts.append(_Draft(canonicalize_name(match["name"]), match["version"], marker))
        elif not drafts:
            continue  # the header
        elif match := _HASH.search(line):
            drafts[-1].hashes.append(match[1])
        elif line.lstrip().startswith("#"):
            note = line.lstrip(" #").removeprefix("via").split()
            if note:
                drafts[-1].via.add(canonicalize_name(note[0]))
    for draft in drafts:
        if not draft.hashes:
            raise ImageError(f"requirements.lock: {draft.name} has no --hash; make it again with `make lock`")
        if not draft.via:
            raise ImageError(f'requirements.lock: {draft.name} has no "# via" note; make it again with `make lock`')
    return [draft.finish() for draft in drafts]


def parse_roots(text: str) -> list[str]:
    """Read images/node/requirements.in: one name a line, `#` starts a comment."""
    return [canonicalize_name(name) for name in read_list(text)]


def select_for_image(entries: list[LockEntry], roots: list[str], *, machine: str) -> list[LockEntry]:
    """Choose the roots and everything that is locked because of them.

    Args:
        entries: the whole lock.
        roots: normalised names of what the node imports.
        machine: `platform.machine()` inside the image, `x86_64` or `aarch64`.

    Raises:
        ImageError: a root is not in the lock.
    """
    environment = image_environment(machine)
    candidates = [entry for entry in entries if entry.applies_to(environment)]
    missing = set(roots) - {entry.name for entry in candidates}
    if missing:
        names = ", ".join(sorted(missing))
        raise ImageError(f"images/node/requirements.in names {names}, which requirements.lock lacks; run `make lock`")
    chosen = set(roots)
    while added := {entry.name for entry in candidates if entry.via & chosen} - chosen:
        chosen |= added
    return sorted((entry for entry in candidates if entry.name in chosen), key=lambda entry: entry.name)


def format_requirements(entries: list[LockEntry]) -> str:
    """A requirements file for `pip install --require-hashes --no-deps`."""
    return "".join(f"{entry.format()}\n" for entry in entries)


def image_environment(machine: str) -> dict[str, str]:
    """What environment markers see inside the image."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{IMAGE_PYTHON}.2",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{IMAGE_PYTHON}.2",
        "python_version": IMAGE_PYTHON,
        "sys_platform": "linux",
    }
