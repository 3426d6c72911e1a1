"""orchestrator.image.apt: mirrors from a host's apt configuration, and the words for a missing tool."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import ImageError
from orchestrator.image import apt
from orchestrator.image.apt import (
    debian_codename,
    find_mmdebstrap,
    forwarded_settings,
    mirror_lines,
    read_sources,
)

DEB822 = """# a comment
Types: deb deb-src
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """# deb http://old.test/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/vendor.gpg] https://vendor.test/apt bookworm main
deb [arch=amd64] https://containers.test/linux/debian bookworm stable
deb-src http://mirror.test/debian bookworm main
deb cdrom:[Debian 12]/ bookworm main
deb http://second.test/debian/ bookworm main non-free # trailing
"""


@pytest.fixture
def apt_dir(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def lines_of(apt_dir: Path, codename: str = "bookworm") -> list[str]:
    return mirror_lines(read_sources(apt_dir), host_codename=codename)


def test_deb822_sources_with_security_and_updates(apt_dir: Path) -> None:
    (apt_dir / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert lines_of(apt_dir) == [
        "deb http://mirror.test/debian bookworm main",
        "deb http://mirror.test/debian bookworm-updates main",
        "deb http://mirror.test/debian-security bookworm-security main",
    ]


def test_one_line_sources_without_third_parties(apt_dir: Path) -> None:
    (apt_dir / "sources.list").write_text(ONE_LINE)
    assert lines_of(apt_dir) == ["deb http://second.test/debian/ bookworm main"]


def test_another_debian_release_keeps_its_mirror_and_gets_our_suite(apt_dir: Path) -> None:
    (apt_dir / "sources.list").write_text("deb http://mirror.test/debian trixie main\n")
    assert lines_of(apt_dir, "trixie") == ["deb http://mirror.test/debian bookworm main"]


@pytest.mark.parametrize("codename", ["", "bookworm"])
def test_the_choice_is_left_to_mmdebstrap_where_the_host_has_no_mirror(apt_dir: Path, codename: str) -> None:
    (apt_dir / "sources.list").write_text("deb http://archive.test/ubuntu noble main\n")
    assert lines_of(apt_dir, codename) == []


def test_only_debian_has_a_debian_codename(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    assert debian_codename(release) == "bookworm"
    release.write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    assert debian_codename(release) == ""
    assert debian_codename(tmp_path / "none") == ""


def test_settings_that_reach_the_mirror_are_shared_and_others_are_not() -> None:
    wanted = ['Acquire::http::Proxy "http://proxy.test:3128";', 'Acquire::Check-Valid-Until "false";']
    others = ['APT::Architecture "amd64";', 'Acquire::Languages:: "none";', 'DPkg::Post-Invoke:: "rm x";']
    assert forwarded_settings("\n".join([*others, *wanted, 'Acquire::http "";'])) == wanted


def test_without_root_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ImageError, match=r"run `sudo apt-get install .*mmdebstrap") as caught:
        find_mmdebstrap(print)
    assert "\n" not in str(caught.value)


def test_without_apt_one_line_says_how_to_bring_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ImageError, match="`docker save` and `docker load`"):
        find_mmdebstrap(print)


def test_root_installs_it_says_so_and_refreshes_old_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(command: list[str], **_options: object) -> str:
        ran.append(command[1] if "update" in command else "install")
        if ran == ["install"]:
            raise ImageError("apt-get: E: Unable to locate package mmdebstrap")
        return ""

    def which(name: str) -> str | None:
        return f"/usr/bin/{name}" if name == "apt-get" or len(ran) == 3 else None

    monkeypatch.setattr(apt, "run_command", run)
    monkeypatch.setattr(shutil, "which", which)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    said: list[str] = []
    assert find_mmdebstrap(said.append) == "/usr/bin/mmdebstrap"
    assert ran == ["install", "update", "install"]
    assert "installing it: apt-get install" in said[0]
