"""orchestrator.image.wheels: how pip is asked, and what is taken out afterwards."""

from __future__ import annotations

from pathlib import Path

from orchestrator.image.wheels import pip_command, platform_tags, trim


def test_platform_tags_cover_the_glibc_of_the_image_and_older() -> None:
    tags = platform_tags("aarch64")
    assert tags[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"} < set(tags)
    assert "manylinux_2_37_aarch64" not in tags


def test_pip_checks_hashes_and_builds_nothing() -> None:
    command = pip_command(target=Path("t"), requirements=Path("r"), machine="x86_64")
    assert {"--require-hashes", "--only-binary=:all:", "--no-deps", "--no-compile"} <= set(command)
    assert command[command.index("--python-version") + 1] == "3.11"
    assert command[command.index("--abi") + 1] == "cp311"
    assert not [word for word in command if "index" in word or "://" in word]


def test_trim_keeps_code_libraries_and_licences(tmp_path: Path) -> None:
    kept = ["pkg/__init__.py", "pkg/fast.abi3.so", "pkg-1.dist-info/LICENSE", "pkg/testing.py"]
    dropped = ["bin/tool", "pkg/tests/test_x.py", "Crypto/SelfTest/x.py", "pkg/fast.pyx", "pkg/__init__.pyi"]
    for name in kept + dropped:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    trim(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        kept
    )
