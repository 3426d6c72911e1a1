"""orchestrator.image: names that follow from the inputs. No Docker: what an engine has is played by a small fake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import ImageNotFound

from orchestrator.errors import ImageError
from orchestrator.image import build
from orchestrator.image.base import OFFICIAL_BASE, Base
from orchestrator.image.build import PROJECT_DIR, ImageInputs, ensure_image

BASE = Base(tag="pss-lab-base:0", id="sha256:00")


class FakeEngine:
    """An engine that has some images and counts builds; building puts the tag in."""

    def __init__(self, tags: dict[str, str], *, failure: str = "") -> None:
        self.tags = tags
        self.built: list[str] = []
        self.failure = failure
        self.images = self
        self.api = self

    def version(self) -> dict[str, str]:
        return {"Arch": "amd64"}

    def get(self, tag: str) -> Any:
        if tag not in self.tags:
            raise ImageNotFound(tag)
        return SimpleNamespace(id=self.tags[tag], tags=[tag], attrs={"Size": 1}, tag=self._alias)

    def _alias(self, repository: str, tag: str) -> None:
        self.tags[f"{repository}:{tag}"] = "alias"

    def build(self, *, tag: str, **_options: Any) -> Iterator[dict[str, str]]:
        yield {"stream": "Step 1/1 : RUN true"}
        if self.failure:
            yield {"stream": f"\x1b[91m{self.failure}\n\x1b[0m"}
            yield {"stream": "Removing intermediate container 0123"}
            yield {"error": "The command '/bin/sh -c ...' returned a non-zero code: 1"}
            return
        self.built.append(tag)
        self.tags[tag] = f"sha256:{len(self.tags)}"


@pytest.fixture
def inputs() -> ImageInputs:
    return ImageInputs.read(PROJECT_DIR, arch="amd64")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Collects what is reported; no wheel is fetched and the lock lies in a folder of the test."""
    (tmp_path / "lib").mkdir()
    monkeypatch.setattr(build, "install_wheels", lambda *_args, **_options: tmp_path / "lib")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return []


def ensure(engine: FakeEngine, lines: list[str], **options: Any) -> build.ImageInfo:
    return ensure_image(cast(Any, engine), report=lines.append, **options)


def test_a_changed_source_changes_the_node_but_not_the_runtime(inputs: ImageInputs) -> None:
    changed = replace(inputs, sources={**inputs.sources, "__init__.py": b"# changed"})
    assert changed.runtime_tag(BASE) == inputs.runtime_tag(BASE)
    assert changed.node_tag(BASE) != inputs.node_tag(BASE)


def test_every_other_input_changes_both(inputs: ImageInputs) -> None:
    variants = [
        (replace(inputs, runtime_dockerfile=b"FROM x"), BASE),
        (replace(inputs, packages=inputs.packages[1:]), BASE),
        (replace(inputs, arch="arm64"), BASE),
        (inputs, Base(tag=BASE.tag, id="sha256:01")),
    ]
    assert len({inputs.runtime_tag(BASE), *(one.runtime_tag(base) for one, base in variants)}) == 5
    assert len({inputs.node_tag(BASE), *(one.node_tag(base) for one, base in variants)}) == 5


def test_the_node_package_goes_in_and_caches_do_not(inputs: ImageInputs) -> None:
    assert {"node/__init__.py", "examples/stage.py"} <= set(inputs.sources)
    assert not [name for name in inputs.sources if "__pycache__" in name or name.endswith(".pyc")]


def test_builds_runtime_then_node_and_nothing_the_second_time(lines: list[str], inputs: ImageInputs) -> None:
    engine = FakeEngine({OFFICIAL_BASE: "sha256:aa"})
    first = ensure(engine, lines)
    assert first.built
    assert [tag.partition(":")[0] for tag in engine.built] == ["pss-lab-runtime", "pss-lab-node"]
    assert build.LATEST_TAG in engine.tags
    reported = len(lines)
    second = ensure(engine, lines)
    assert (second.tag, second.built, len(engine.built), len(lines)) == (first.tag, False, 2, reported)


def test_an_official_image_that_turns_up_later_does_not_cause_a_build(lines: list[str], inputs: ImageInputs) -> None:
    ours = Base(tag=inputs.recipe.tag, id="sha256:bb")
    tags = {ours.tag: ours.id, OFFICIAL_BASE: "sha256:aa", inputs.node_tag(ours): "sha256:cc"}
    assert ensure(FakeEngine(tags), lines).tag == inputs.node_tag(ours)


def test_rebuild_builds_every_layer(lines: list[str]) -> None:
    engine = FakeEngine({OFFICIAL_BASE: "sha256:aa"})
    ensure(engine, lines)
    assert ensure(engine, lines, rebuild=True).built
    assert len(engine.built) == 4


def test_a_failed_build_repeats_what_the_step_printed(lines: list[str]) -> None:
    engine = FakeEngine({OFFICIAL_BASE: "sha256:aa"}, failure="ImportError: libstdc++.so.6: cannot open")
    with pytest.raises(ImageError, match=r"pss-lab-runtime:\w+ failed: ImportError: libstdc\+\+\.so\.6: cannot open$"):
        ensure(engine, lines)


def test_a_folder_that_is_no_checkout_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"built from a checkout: .*requirements\.lock: No such file"):
        ImageInputs.read(tmp_path, arch="amd64")


def test_an_architecture_without_packages_is_named() -> None:
    with pytest.raises(ImageError, match=r"runs on s390x; .* amd64 and arm64"):
        ImageInputs.read(PROJECT_DIR, arch="s390x")
