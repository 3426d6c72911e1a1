"""The node image: found by what went into it, or built.

Three layers, each named by a digest of its inputs and kept: a base (`base`), the node's packages on it, and the
node's source on those. So a change of source costs a second and no network, and nothing is built when nothing changed.
The build itself needs no network, no BuildKit and no registry; see images/README.md for what the image promises.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import docker
from docker.errors import DockerException

from node import __version__
from orchestrator.errors import ImageError
from orchestrator.image.base import Base, BaseRecipe, find_image, obtain_base, present_bases
from orchestrator.image.context import digest_tree, read_tree, short_digest, write_context
from orchestrator.image.lock import LockEntry, format_requirements, parse_lock, parse_roots, select_for_image
from orchestrator.image.wheels import install_wheels, machine_of

PROJECT_DIR = Path(__file__).resolve().parent.parent.parent
NODE_REPOSITORY = "pss-lab-node"
RUNTIME_REPOSITORY = "pss-lab-runtime"
LATEST_TAG = f"{NODE_REPOSITORY}:latest"
"""The name that Compose files use."""

SOURCE_FOLDERS = ("node", "examples")
"""What of the checkout is in the image. The examples are there for `lab chapter`."""

BYTES_PER_MB = 1_000_000

BUILDER_CHATTER = ("Step ", "--->", "Removing intermediate container", "Successfully ")
"""How lines begin that come from the builder, not from what it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """The node image in the engine."""

    tag: str
    id: str
    """`sha256:...`"""

    size_bytes: int
    """With all layers, as `docker images` shows it."""

    built: bool
    """False if it was there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInputs:
    """Everything from the checkout that decides what the image is; read once."""

    arch: str
    """The engine's name of its architecture."""

    recipe: BaseRecipe
    packages: tuple[LockEntry, ...]
    runtime_dockerfile: bytes
    node_dockerfile: bytes
    sources: Mapping[str, bytes]
    """Files of :data:`SOURCE_FOLDERS` by path in the checkout."""

    @classmethod
    def read(cls, project_dir: Path, *, arch: str) -> ImageInputs:
        """Read the checkout.

        Raises:
            ImageError: this is not a checkout, or its lock is not usable.
        """
        images = project_dir / "images"
        try:
            lock = parse_lock((project_dir / "requirements.lock").read_text())
            roots = parse_roots((images / "node" / "requirements.in").read_text())
            return cls(
                arch=arch,
                recipe=BaseRecipe.read(images, arch=arch),
                packages=tuple(select_for_image(lock, roots, machine=machine_of(arch))),
                runtime_dockerfile=(images / "runtime" / "Dockerfile").read_bytes(),
                node_dockerfile=(images / "node" / "Dockerfile").read_bytes(),
                sources={
                    f"{folder}/{name}": content
                    for folder in SOURCE_FOLDERS
                    for name, content in read_tree(project_dir / folder).items()
                },
            )
        except OSError as error:
            raise ImageError(f"the image is built from a checkout: {error.filename}: {error.strerror}") from error

    def runtime_tag(self, base: Base) -> str:
        """Name of the base with the node's packages on it."""
        parts = (base.id, self.arch, format_requirements(list(self.packages)))
        return f"{RUNTIME_REPOSITORY}:{short_digest(self.runtime_dockerfile, *(part.encode() for part in parts))}"

    def node_tag(self, base: Base) -> str:
        """Name of the finished image."""
        parts = (self.runtime_tag(base), digest_tree(self.sources), __version__)
        return f"{NODE_REPOSITORY}:{short_digest(self.node_dockerfile, *(part.encode() for part in parts))}"


def ensure_image(client: docker.DockerClient, *, report: Callable[[str], None], rebuild: bool = False) -> ImageInfo:
    """Find the node image for this checkout, or build it.

    Args:
        client: an engine that answers.
        report: gets one short line per step that takes time; nothing when nothing is built.
        rebuild: build every layer again, the Debian base included.

    Raises:
        ImageError: it cannot be built here; the text says what to do about it.
    """
    try:
        inputs = ImageInputs.read(PROJECT_DIR, arch=str(client.version()["Arch"]))
        if not rebuild and (info := _find_finished(client, inputs)):
            return info
        with _build_lock(report):
            if not rebuild and (info := _find_finished(client, inputs)):
                return info  # somebody else built it while we waited
            return _build(client, inputs, report=report, rebuild=rebuild)
    except DockerException as error:
        raise ImageError(f"the engine failed while the node image was made: {error}") from error


def find_finished_image(client: docker.DockerClient) -> ImageInfo | None:
    """The node image for this checkout; None if it is not there. Nothing is built.

    Raises:
        ImageError: this is not a checkout, or the engine fails.
    """
    try:
        return _find_finished(client, ImageInputs.read(PROJECT_DIR, arch=str(client.version()["Arch"])))
    except DockerException as error:
        raise ImageError(f"the engine failed while the node image was looked for: {error}") from error


def _find_finished(client: docker.DockerClient, inputs: ImageInputs) -> ImageInfo | None:
    """The finished image on any base that is there: a base that turns up later does not make an image stale."""
    for base in present_bases(client, inputs.recipe):
        if find_image(client, inputs.node_tag(base)):
            return _describe(client, inputs.node_tag(base), built=False)
    return None


def _build(
    client: docker.DockerClient, inputs: ImageInputs, *, report: Callable[[str], None], rebuild: bool
) -> ImageInfo:
    started = time.monotonic()
    base = obtain_base(client, inputs.recipe, report=report, rebuild=rebuild)
    runtime_tag, node_tag = inputs.runtime_tag(base), inputs.node_tag(base)
    if rebuild or find_image(client, runtime_tag) is None:
        _build_runtime(client, inputs, base=base, tag=runtime_tag, report=report)
    report("building the node image")
    files = {f"app/{name}": content for name, content in inputs.sources.items()}
    files["app/version.txt"] = f"pss-lab {__version__} {node_tag.partition(':')[2]}\n".encode()
    files["Dockerfile"] = inputs.node_dockerfile
    with tempfile.TemporaryFile(prefix="pss-lab-") as context:
        write_context(context, files=files)
        _run_build(client, context, tag=node_tag, argument=("RUNTIME", runtime_tag))
    info = _describe(client, node_tag, built=True)
    report(f"{info.tag} ready in {time.monotonic() - started:.0f} s, {info.size_bytes / BYTES_PER_MB:.0f} MB")
    return info


def _build_runtime(
    client: docker.DockerClient, inputs: ImageInputs, *, base: Base, tag: str, report: Callable[[str], None]
) -> None:
    report(f"fetching {len(inputs.packages)} Python packages for linux/{inputs.arch}, hashes checked, 10 to 60 s")
    with tempfile.TemporaryDirectory(prefix="pss-lab-runtime-") as work:
        lib = install_wheels(list(inputs.packages), machine=machine_of(inputs.arch), work_dir=Path(work))
        report("building the runtime image from them, 5 to 30 s")
        with tempfile.TemporaryFile(dir=work) as context:
            write_context(context, files={"Dockerfile": inputs.runtime_dockerfile}, folders={"lib": lib})
            _run_build(client, context, tag=tag, argument=("BASE", base.tag))


def _run_build(client: docker.DockerClient, context: IO[bytes], *, tag: str, argument: tuple[str, str]) -> None:
    """Build one Dockerfile without network; on failure repeat the last thing a step printed."""
    name, value = argument
    said: list[str] = []
    for event in client.api.build(
        fileobj=context,
        custom_context=True,
        tag=tag,
        buildargs={name: value},
        rm=True,
        forcerm=True,  # no container stays behind, whether the build fails or is interrupted
        network_mode="none",
        decode=True,
    ):
        if "error" in event:
            reason = said[-1] if said else str(event["error"]).strip()
            raise ImageError(f"building {tag} failed: {reason}")
        said += [line for line in _plain_lines(str(event.get("stream", ""))) if not line.startswith(BUILDER_CHATTER)]


def _plain_lines(text: str) -> list[str]:
    """Lines without the colour codes in which the builder wraps what a step wrote to stderr."""
    return [line.strip() for line in re.sub(r"\x1b\[\d*m", "", text).splitlines() if line.strip()]


def _describe(client: docker.DockerClient, tag: str, *, built: bool) -> ImageInfo:
    """Read the image's size and let `latest` name it."""
    image = client.images.get(tag)
    if LATEST_TAG not in image.tags:
        repository, _, latest = LATEST_TAG.partition(":")
        image.tag(repository, latest)
    return ImageInfo(tag=tag, id=image.id or "", size_bytes=int(image.attrs["Size"]), built=built)


@contextlib.contextmanager
def _build_lock(report: Callable[[str], None]) -> Iterator[None]:
    """Let one process of this user build at a time; the kernel frees the lock when its holder dies."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pss-lab"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "image.lock").open("w")
    except OSError as error:
        raise ImageError(f"cannot write to {folder} ({error.strerror}); set XDG_CACHE_HOME") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another process is building the node image; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
