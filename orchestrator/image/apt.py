"""What the host knows about Debian: its mirrors, its apt settings, and whether mmdebstrap is there.

The mirrors of the base image are those the host is configured for, found at run time; none is written down anywhere.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ImageError
from orchestrator.image.process import run_command

SUITE = "bookworm"
"""Debian 12: the release whose Python is 3.11."""

TOOL_PACKAGES = ("mmdebstrap", "debian-archive-keyring")

FORWARDED_SETTINGS = re.compile(
    r"^Acquire::(?:(?:http|https)::(?:\S*::)?(?:Proxy|CAInfo|Verify-Peer)(?:::\S+)?|Check-Valid-Until|Check-Date"
    r"|Retries|ForceIPv4|ForceIPv6) "
)
"""Settings without which the host's mirrors could not be reached or would be refused."""

_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSource:
    """One repository and suite of the host's apt configuration."""

    uri: str
    suite: str
    components: frozenset[str]
    signed_by: str
    """Path of the key ring, or empty for apt's default."""


def read_sources(apt_dir: Path) -> list[AptSource]:
    """Read `sources.list`, `sources.list.d/*.list` and `*.sources` below `apt_dir` (`/etc/apt`)."""
    found: list[AptSource] = []
    for path in [apt_dir / "sources.list", *sorted((apt_dir / "sources.list.d").glob("*"))]:
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        if path.suffix == ".list":
            found += _parse_one_line_format(text)
        elif path.suffix == ".sources":
            found += _parse_deb822(text)
    return found


def mirror_lines(sources: list[AptSource], *, host_codename: str) -> list[str]:
    """The `deb` lines for a bookworm base, from what a Debian host uses for its own release.

    A host of another Debian release keeps its mirror and gets our suite. Third parties are left out: they are signed
    by a key of their own or have no `main`.

    Args:
        sources: see `read_sources`.
        host_codename: VERSION_CODENAME of a Debian host; empty if the host is not Debian.

    Returns:
        Nothing where the host is not Debian or names no mirror that serves packages over HTTP: mmdebstrap then takes
        Debian's own.
    """
    lines: list[str] = []
    for source in sources:
        base, _, pocket = source.suite.partition("-")
        usable = source.uri.startswith(("http://", "https://")) and "main" in source.components
        official = not source.signed_by or "debian-archive" in source.signed_by
        if host_codename and base == host_codename and pocket in ("", "updates", "security") and usable and official:
            lines.append(f"deb {source.uri} {'-'.join(filter(None, (SUITE, pocket)))} main")
    if f" {SUITE} " in "".join(lines):
        return list(dict.fromkeys(lines))
    return []


def debian_codename(os_release: Path = Path("/etc/os-release")) -> str:
    """The release name of a Debian host; empty on anything else, whose mirrors do not carry Debian."""
    try:
        text = os_release.read_text()
    except OSError:
        return ""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return fields.get("VERSION_CODENAME", "").strip('"') if fields.get("ID", "").strip('"') == "debian" else ""


def forwarded_settings(apt_config_dump: str) -> list[str]:
    """From the output of `apt-config dump`, the lines that the bootstrap must share with the host."""
    return [line for line in apt_config_dump.splitlines() if FORWARDED_SETTINGS.match(line)]


def find_mmdebstrap(report: Callable[[str], None]) -> str:
    """The path of mmdebstrap; installs it where we may.

    Raises:
        ImageError: it is not there and cannot be installed from here; names the command to type.
    """
    if path := shutil.which("mmdebstrap"):
        return path
    apt_get = shutil.which("apt-get")
    if apt_get is None:
        raise ImageError(
            "no base for the node image: the engine has no python:3.11-slim-bookworm, cannot pull it, and this host has"
            " no apt-get to build one; on a machine with a registry run `docker pull python:3.11-slim-bookworm` and"
            " carry it here with `docker save` and `docker load`"
        )
    install = f"apt-get install --no-install-recommends {' '.join(TOOL_PACKAGES)}"
    if os.geteuid() != 0:
        raise ImageError(
            "no base for the node image: the engine has no python:3.11-slim-bookworm and cannot pull it, and"
            f" mmdebstrap, which builds one, is not installed; run `sudo {install}` and try again"
        )
    report(f"mmdebstrap is needed to build the base and is missing; installing it: {install}")
    command = [apt_get, "-o", "DPkg::Lock::Timeout=120", "--yes", *install.split()[1:]]
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run_command(command, what="apt-get", extra_env=env)
    except ImageError:  # most likely the package lists are old or absent
        run_command([apt_get, "update"], what="could not install mmdebstrap (apt-get update)", extra_env=env)
        run_command(command, what=f"could not install mmdebstrap; try `{install}`", extra_env=env)
    path = shutil.which("mmdebstrap")
    if path is None:
        raise ImageError("apt-get installed mmdebstrap but it is not in PATH")
    return path


def _parse_one_line_format(text: str) -> Iterator[AptSource]:
    for line in text.splitlines():
        if match := _ONE_LINE.match(line.partition("#")[0].strip()):
            options = dict(item.partition("=")[::2] for item in (match["options"] or "").split())
            yield AptSource(
                uri=match["uri"],
                suite=match["suite"],
                components=frozenset(match["components"].split()),
                signed_by=options.get("signed-by", ""),
            )


def _parse_deb822(text: str) -> Iterator[AptSource]:
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t"):
                fields[key] = f"{fields.get(key, '')} {line.strip()}"
            else:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                components = frozenset(fields.get("components", "").split())
                signed_by = fields.get("signed-by", "").strip()
                yield AptSource(uri=uri, suite=suite, components=components, signed_by=signed_by)
