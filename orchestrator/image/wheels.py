"""The node's packages for the image, unpacked into a folder on the host.

pip resolves wheels for the image's platform and Python whatever the host runs, with every hash checked. What a running
node never reads is then taken out. The result is not compiled: that happens inside the image, by its own Python.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

from orchestrator.errors import ImageError
from orchestrator.image.lock import IMAGE_PYTHON, LockEntry, format_requirements
from orchestrator.image.process import run_command

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""The engine's name of an architecture -> the name in wheel tags and in `platform.machine()`."""

GLIBC_MINOR_IMAGE = 36
"""Debian 12 has glibc 2.36: wheels for anything up to that run there."""

GLIBC_MINOR_OLDEST = 17
"""glibc 2.17, manylinux2014: the oldest that current wheels are built for."""

UNUSED_FOLDERS = ("tests", "test", "SelfTest")
UNUSED_SUFFIXES = (".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h", ".hash", ".pyc")


def machine_of(engine_arch: str) -> str:
    """Translate the engine's architecture.

    Raises:
        ImageError: the node's packages are not published for it.
    """
    try:
        return MACHINES[engine_arch]
    except KeyError:
        known = " and ".join(sorted(MACHINES))
        raise ImageError(f"the engine runs on {engine_arch}; the node image is made for {known}") from None


def platform_tags(machine: str) -> list[str]:
    """Wheel platforms that run in the image, the most recent first."""
    recent = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC_MINOR_IMAGE, GLIBC_MINOR_OLDEST - 1, -1)]
    return [*recent, f"manylinux2014_{machine}"]


def pip_command(*, target: Path, requirements: Path, machine: str) -> list[str]:
    """The pip call that unpacks the wheels; index and proxies are those of the user's own pip configuration."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile"]
    command += ["--implementation", "cp", "--python-version", IMAGE_PYTHON]
    command += ["--abi", f"cp{IMAGE_PYTHON.replace('.', '')}"]
    for tag in platform_tags(machine):
        command += ["--platform", tag]
    return [*command, "--target", str(target), "--requirement", str(requirements)]


def install_wheels(entries: list[LockEntry], *, machine: str, work_dir: Path) -> Path:
    """Fetch, check and unpack the packages.

    Args:
        entries: what to install; already decided for the image, see `lock`.
        machine: `x86_64` or `aarch64`.
        work_dir: an empty folder of ours; the caller removes it.

    Returns:
        The folder to put on the image's PYTHONPATH.

    Raises:
        ImageError: pip failed; says what pip said.
    """
    requirements = work_dir / "requirements.txt"
    requirements.write_text(format_requirements(entries))
    target = work_dir / "lib"
    run_command(
        pip_command(target=target, requirements=requirements, machine=machine),
        what=f"pip could not get the node's packages for {machine}; check the network and `pip config list`",
        extra_env={"PIP_USER": "0", "TMPDIR": str(work_dir)},  # a user's default of --user excludes --target
    )
    trim(target)
    strip_libraries(target)
    return target


def trim(target: Path) -> None:
    """Remove tests, type stubs, sources of extensions and command-line scripts."""
    shutil.rmtree(target / "bin", ignore_errors=True)
    for folder in [path for path in target.rglob("*") if path.is_dir() and path.name in UNUSED_FOLDERS]:
        shutil.rmtree(folder, ignore_errors=True)
    for path in [path for path in target.rglob("*") if path.suffix in UNUSED_SUFFIXES and path.is_file()]:
        path.unlink()


def strip_libraries(target: Path) -> None:
    """Take symbol tables out of extension modules where the host has `strip`; saves about 20 MB.

    A library that `strip` does not understand (another architecture) is left as it is.
    """
    strip = shutil.which("strip")
    if strip is None:
        return
    libraries = [str(path) for path in target.rglob("*.so*") if path.is_file()]
    with contextlib.suppress(ImageError):  # it goes on after a file it cannot read, and fails only in the end
        run_command([strip, "--strip-unneeded", *libraries], what="strip")
