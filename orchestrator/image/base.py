"""The base of the node image: Debian 12 with Python 3.11.

Three sources, in this order: the official Python image if the engine has it, the same image pulled, and an equivalent
made from Debian packages on this host, for engines that can pull nothing. The last one is named by its recipe
(images/base) and used again. Making it needs neither root nor a chroot: packages are extracted, never configured.
"""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from orchestrator.errors import ImageError
from orchestrator.image.apt import (
    SUITE,
    debian_codename,
    find_mmdebstrap,
    forwarded_settings,
    mirror_lines,
    read_sources,
)
from orchestrator.image.context import ExcludeRules, filter_root, read_list, short_digest
from orchestrator.image.process import run_command

OFFICIAL_REPOSITORY, OFFICIAL_TAG = "python", "3.11-slim-bookworm"
OFFICIAL_BASE = f"{OFFICIAL_REPOSITORY}:{OFFICIAL_TAG}"
BASE_REPOSITORY = "pss-lab-base"

PULL_SILENCE_S = 10.0
"""A pull that says nothing for this long is given up, in seconds: a blocked registry often just does not answer."""

APT_TIMEOUT_S = 20
"""How long apt waits for a mirror, in seconds; its own default is two minutes."""

MERGED_USR_HOOK = 'cd "$1" && mkdir -p usr/bin usr/sbin usr/lib usr/lib64 && ln -s usr/bin usr/sbin usr/lib usr/lib64 .'
"""Debian 12 has /bin, /sbin and /lib* as links into /usr; packages alone do not make them."""

ADDED_FILES = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
}
"""What Debian's maintainer scripts would have written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """An image to build on."""

    tag: str
    id: str
    """`sha256:...`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRecipe:
    """How the Debian base is made."""

    arch: str
    """Debian's and the engine's name of the architecture, `amd64` or `arm64`."""

    packages_text: str
    exclude_text: str

    @classmethod
    def read(cls, images_dir: Path, *, arch: str) -> BaseRecipe:
        """Read images/base."""
        folder = images_dir / "base"
        packages, exclude = (folder / "packages.txt").read_text(), (folder / "exclude.txt").read_text()
        return cls(arch=arch, packages_text=packages, exclude_text=exclude)

    @property
    def tag(self) -> str:
        """Name of the result; changes with everything that shapes it, but not with the mirror."""
        added = "".join(f"{name}={content!r}\n" for name, content in ADDED_FILES.items())
        parts = (SUITE, self.arch, self.packages_text, self.exclude_text, MERGED_USR_HOOK, added)
        return f"{BASE_REPOSITORY}:{short_digest(*(part.encode() for part in parts))}"


def present_bases(client: docker.DockerClient, recipe: BaseRecipe) -> list[Base]:
    """The bases the engine has, the preferred one first."""
    found = (find_image(client, tag) for tag in (OFFICIAL_BASE, recipe.tag))
    return [base for base in found if base is not None]


def find_image(client: docker.DockerClient, tag: str) -> Base | None:
    """Look a tag up in the engine."""
    try:
        image = client.images.get(tag)
    except ImageNotFound:
        return None
    return Base(tag=tag, id=image.id or "")


def obtain_base(
    client: docker.DockerClient, recipe: BaseRecipe, *, report: Callable[[str], None], rebuild: bool = False
) -> Base:
    """Find, pull or build a base.

    Raises:
        ImageError: none of the three works here; says what is missing.
    """
    present = present_bases(client, recipe)
    if present and (present[0].tag == OFFICIAL_BASE or not rebuild):
        return present[0]
    report(f"the engine has no {OFFICIAL_BASE}; trying to pull it")
    refusal = pull_official(client)
    if refusal is None and (base := find_image(client, OFFICIAL_BASE)):
        return base
    report(f"cannot pull ({refusal}); building the base from Debian packages instead, about 15 s")
    started = time.monotonic()
    build_base(client, recipe, report=report)
    base = find_image(client, recipe.tag)
    if base is None:
        raise ImageError(f"the engine took the base image but does not have {recipe.tag}")
    report(f"base {recipe.tag} ready in {time.monotonic() - started:.0f} s")
    return base


def pull_official(client: docker.DockerClient) -> str | None:
    """Pull the official image; give up when the registry is silent.

    The engine does the waiting, and docker-py cannot be told to stop listening. So a thread listens, and is left to
    itself (it is a daemon) when it has heard nothing for `PULL_SILENCE_S`.

    Returns:
        None after success, or in a few words why not.
    """
    heard: queue.Queue[str | None] = queue.Queue()  # "" is a sign of life, None success, else the refusal

    def listen() -> None:
        try:
            for event in client.api.pull(OFFICIAL_REPOSITORY, tag=OFFICIAL_TAG, stream=True, decode=True):
                heard.put(str(event.get("error", "")))
            heard.put(None)
        except (DockerException, OSError) as error:
            told = getattr(error, "explanation", None) or str(error) or type(error).__name__
            heard.put(str(told).strip().rpartition(": ")[2])  # engines prefix the cause with URLs and addresses

    threading.Thread(target=listen, name="pull", daemon=True).start()
    while True:
        try:
            word = heard.get(timeout=PULL_SILENCE_S)
        except queue.Empty:
            return f"no answer from the registry within {PULL_SILENCE_S:.0f} s"
        if word != "":
            return word


def build_base(client: docker.DockerClient, recipe: BaseRecipe, *, report: Callable[[str], None]) -> None:
    """Make the base from Debian packages and give it to the engine.

    Raises:
        ImageError: mmdebstrap is missing and cannot be installed, or failed; or the engine refused the result.
    """
    mmdebstrap = find_mmdebstrap(report)
    with tempfile.TemporaryDirectory(prefix="pss-lab-base-") as work:
        work_dir = Path(work)
        with (work_dir / "raw.tar").open("w+b") as raw, (work_dir / "base.tar").open("w+b") as clean:
            run_command(
                mmdebstrap_command(mmdebstrap, recipe),
                what="mmdebstrap could not build the base; check the network and `apt-get update`",
                extra_env={"TMPDIR": work},  # so that an interruption leaves nothing in /tmp
                stdout=raw,
            )
            raw.seek(0)
            filter_root(raw, clean, rules=ExcludeRules.parse(recipe.exclude_text), added=ADDED_FILES)
        repository, _, tag = recipe.tag.partition(":")
        changes = ["LABEL org.psslab.kind=base", 'CMD ["/bin/sh"]']
        try:
            client.api.import_image_from_file(
                str(work_dir / "base.tar"), repository=repository, tag=tag, changes=changes
            )
        except DockerException as error:
            raise ImageError(f"the engine refused the base image: {error}") from error


def mmdebstrap_command(mmdebstrap: str, recipe: BaseRecipe) -> list[str]:
    """The bootstrap call, with the mirrors and apt settings of this host.

    The `extract` variant runs no package scripts, which is what makes the chrootless mode harmless and lets anybody
    use it, for another architecture too.
    """
    packages = ",".join(read_list(recipe.packages_text))
    command = [mmdebstrap, "--quiet", "--mode=chrootless", "--variant=extract", "--format=tar"]
    command += [f"--architectures={recipe.arch}", f"--include={packages}", f"--setup-hook={MERGED_USR_HOOK}"]
    settings = forwarded_settings(run_command(["apt-config", "dump"], what="apt-config"))
    settings += [f'Acquire::{scheme}::Timeout "{APT_TIMEOUT_S}";' for scheme in ("http", "https")]
    command += [f"--aptopt={setting}" for setting in settings]
    return [*command, SUITE, "-", *mirror_lines(read_sources(Path("/etc/apt")), host_codename=debian_codename())]
