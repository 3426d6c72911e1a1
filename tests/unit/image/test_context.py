"""orchestrator.image.context: digests, build contexts and the filter for base images."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.image.context import (
    ExcludeRules,
    digest_tree,
    filter_root,
    read_list,
    read_tree,
    short_digest,
    write_context,
)


def test_digest_depends_on_where_parts_end() -> None:
    assert short_digest(b"ab", b"c") != short_digest(b"a", b"bc")
    assert len(short_digest()) == 12


def test_digest_follows_content_and_name_but_not_time_or_caches(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text("x = 1")
    first = digest_tree(read_tree(tmp_path))
    (tmp_path / "__pycache__").mkdir()
    for noise in ("__pycache__/a.cpython-311.pyc", ".a.py.swp", "a.py~"):
        (tmp_path / noise).touch()
    source.touch()
    assert digest_tree(read_tree(tmp_path)) == first
    source.write_text("x = 2")
    assert digest_tree(read_tree(tmp_path)) != first
    source.write_text("x = 1")
    source.rename(tmp_path / "b.py")
    assert digest_tree(read_tree(tmp_path)) != first


def test_context_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "lib.abi3.so").write_bytes(b"elf")
    (tmp_path / "mod.py").write_bytes(b"")
    archives = []
    for mtime in (1, 2):
        (tmp_path / "mod.py").touch()
        out = io.BytesIO()
        write_context(out, files={"Dockerfile": b"FROM x", f"z{mtime // 3}": b""}, folders={"lib": tmp_path})
        archives.append(out.getvalue())
    assert archives[0] == archives[1]
    with tarfile.open(fileobj=io.BytesIO(archives[0])) as archive:
        modes = {member.name: member.mode for member in archive}
    assert modes == {"Dockerfile": 0o644, "z0": 0o644, "lib/lib.abi3.so": 0o755, "lib/mod.py": 0o644}


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("usr/share/doc/iproute2/copyright", False),
        ("usr/share/doc/iproute2/README", True),
        ("usr/share/doc", False),
        ("usr/lib/python3.11/test/test_x.py", True),
        ("usr/lib/python3.11/os.py", False),
    ],
)
def test_first_rule_that_matches_decides(name: str, out: bool) -> None:
    rules = ExcludeRules.parse("# why\n!usr/share/doc/*/copyright # kept\nusr/share/doc/*\nusr/lib/python3.11/test/*\n")
    assert rules.excludes(name) is out


def root_archive() -> io.BytesIO:
    """What mmdebstrap writes: names with `./`, owners of the builder, one setuid program, a device."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind in [
            ("./", tarfile.DIRTYPE),
            ("./bin", tarfile.SYMTYPE),
            ("./dev/", tarfile.DIRTYPE),
            ("./dev/null", tarfile.CHRTYPE),
            ("./tmp/", tarfile.DIRTYPE),
            ("./usr/bin/su", tarfile.REGTYPE),
            ("./usr/share/doc/", tarfile.DIRTYPE),
            ("./usr/share/doc/a/", tarfile.DIRTYPE),
            ("./usr/share/doc/a/copyright", tarfile.REGTYPE),
            ("./usr/share/doc/b/", tarfile.DIRTYPE),
            ("./usr/share/doc/b/README", tarfile.REGTYPE),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.uid, member.uname = kind, 1001, "student"
            member.mode = {"./usr/bin/su": 0o4755, "./tmp/": 0o1777}.get(name, 0o755)
            member.linkname = "usr/bin" if kind == tarfile.SYMTYPE else ""
            archive.addfile(member)
    out.seek(0)
    return out


def test_base_is_filtered_and_belongs_to_root() -> None:
    rules = ExcludeRules.parse("dev/*\n!usr/share/doc/*/copyright\nusr/share/doc/*\n")
    out = io.BytesIO()
    filter_root(root_archive(), out, rules=rules, added={"etc/passwd": b"root:x:0:0::/root:/bin/sh\n"})
    with tarfile.open(fileobj=out) as archive:
        members = {member.name: member for member in archive}
    assert list(members) == [
        *("bin", "dev", "tmp", "usr/bin/su"),
        *("usr/share/doc", "usr/share/doc/a", "usr/share/doc/a/copyright", "etc/passwd"),
    ]
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}
    assert members["usr/bin/su"].mode == 0o755
    assert members["tmp"].mode == 0o1777
    assert members["bin"].linkname == "usr/bin"


def test_lists_have_comments() -> None:
    assert read_list("# head\niproute2   # ip, tc\n\ndash\n") == ["iproute2", "dash"]
