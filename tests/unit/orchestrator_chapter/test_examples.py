"""orchestrator.chapter.examples: who plays in an example, read from its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.chapter.examples import all_examples, find_example
from orchestrator.errors import LabFileError


def test_the_examples_of_the_tutorial() -> None:
    examples = all_examples()
    chapters = [example.chapter for example in examples]
    assert chapters == sorted(chapters)
    assert len(chapters) == len(set(chapters)) == 23
    assert all(example.title.startswith(f"{example.chapter.upper()}: ") for example in examples)


@pytest.mark.parametrize("name", ["e2", "E2", "e2_dark", "e2_dark.py"])
def test_finding_one(name: str) -> None:
    example = find_example(name)
    assert (example.name, example.cast) == ("e2_dark", ("relay", "alice", "bob"))
    assert example.title.startswith("E2: dark routing.")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LabFileError, match="no example 'z9'") as caught:
        find_example("z9")
    assert caught.value.hint.startswith("there are: a1, a2")
    with pytest.raises(LabFileError, match="not installed here"):
        all_examples(tmp_path / "nowhere")


def test_modules_that_play_nothing_are_no_examples(tmp_path: Path) -> None:
    (tmp_path / "a1_one.py").write_text('"""A1: one."""\nif __name__ == "__main__":\n    play(solo)\n')
    (tmp_path / "helper.py").write_text("def play(*roles): ...\n")
    assert [example.cast for example in all_examples(tmp_path)] == [("solo",)]
