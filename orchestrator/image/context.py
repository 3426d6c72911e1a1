"""Tar archives and digests: what goes to the engine, and how its result is named.

Archives are the same for the same content whoever makes them: names sorted, owner root, one fixed time. That lets the
engine's build cache work and makes a tag mean something. No engine, no processes.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

DIGEST_CHARS = 12
"""48 bits in a tag: enough to tell the images of one engine apart."""

FIXED_MTIME_S = 1_700_000_000
"""Modification time of everything we pack, in seconds since 1970; the value means nothing."""

MODE_BITS_KEPT = 0o1777
"""Permissions and sticky; no file of an image is setuid or setgid."""

_NOT_SOURCE = re.compile(r"(^|/)(__pycache__(/|$)|\.|#)|\.py[co]$|~$")


def short_digest(*parts: bytes) -> str:
    """Digest of a sequence; where one part ends and the next begins counts."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:DIGEST_CHARS]


def read_tree(root: Path) -> dict[str, bytes]:
    """All files of a source folder by relative path; no caches, hidden or backup files.

    Read once, so that the digest and the archive cannot disagree when somebody saves a file in between.
    """
    paths = ((path.relative_to(root).as_posix(), path) for path in root.rglob("*"))
    return {name: path.read_bytes() for name, path in sorted(paths) if not _NOT_SOURCE.search(name) and path.is_file()}


def digest_tree(files: Mapping[str, bytes]) -> str:
    """Digest of names and contents."""
    return short_digest(*(part for name in sorted(files) for part in (name.encode(), files[name])))


def write_context(out: IO[bytes], *, files: Mapping[str, bytes], folders: Mapping[str, Path] | None = None) -> None:
    """Write a build context and rewind it.

    Args:
        out: where to; a file opened for reading and writing.
        files: name in the context -> content.
        folders: name in the context -> folder on the host whose files are added below it.
    """
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in sorted(files.items()):
            _add(archive, name, content, mode=0o644)
        for name, folder in sorted((folders or {}).items()):
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                inside = f"{name}/{path.relative_to(folder).as_posix()}"
                _add(archive, inside, path.read_bytes(), mode=0o755 if ".so" in path.suffixes else 0o644)
    out.seek(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludeRules:
    """Which files of a base are left out; the first rule that matches decides."""

    rules: tuple[tuple[re.Pattern[str], bool], ...]

    @classmethod
    def parse(cls, text: str) -> ExcludeRules:
        """Read images/base/exclude.txt: one shell pattern a line, `!` keeps, ` #` starts a comment."""
        lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
        rules = (
            (re.compile(fnmatch.translate(line.removeprefix("!"))), not line.startswith("!")) for line in lines if line
        )
        return cls(rules=tuple(rules))

    def excludes(self, name: str) -> bool:
        """Whether a path, relative to the root, is left out."""
        return next((out for pattern, out in self.rules if pattern.match(name)), False)


def filter_root(source: IO[bytes], out: IO[bytes], *, rules: ExcludeRules, added: Mapping[str, bytes]) -> None:
    """Copy a root file system archive without what the rules exclude, owned by root, with files added.

    A folder goes when the rules exclude it and nothing inside is kept. `out` is rewound.
    """
    with tarfile.open(fileobj=source, mode="r:") as old, tarfile.open(fileobj=out, mode="w") as new:
        members = [(_clean(member.name), member) for member in old.getmembers()]
        kept = {
            name for name, member in members if not member.isdir() and name not in added and not rules.excludes(name)
        }
        needed = {parent for name in kept for parent in map(str, PurePosixPath(name).parents)}
        for name, member in members:
            if name in kept or (member.isdir() and name and (name in needed or not rules.excludes(name))):
                member.name = name
                member.uid = member.gid = 0
                member.uname = member.gname = "root"
                member.mode &= MODE_BITS_KEPT
                if member.islnk():
                    member.linkname = _clean(member.linkname)
                new.addfile(member, old.extractfile(member) if member.isreg() else None)
        for name, content in added.items():
            _add(new, name, content, mode=0o644)
    out.seek(0)


def read_list(text: str) -> list[str]:
    """Names, one a line; `#` starts a comment."""
    names = (line.partition("#")[0].strip() for line in text.splitlines())
    return [name for name in names if name]


def _clean(name: str) -> str:
    """`./usr/bin/` -> `usr/bin`; the root itself becomes empty."""
    return "" if name in (".", "./") else name.removeprefix("./").strip("/")


def _add(archive: tarfile.TarFile, name: str, content: bytes, *, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = mode
    member.mtime = FIXED_MTIME_S
    archive.addfile(member, io.BytesIO(content))
