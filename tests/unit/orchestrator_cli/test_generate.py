"""`lab init` and `lab generate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.generate import KIND_NAMES
from orchestrator.topology import Kind
from tests.unit.orchestrator_cli.conftest import Run


def test_init_writes_a_file_that_validates_and_never_overwrites_it(run: Run) -> None:
    first = run("init", "first")
    assert (first.exit_code, first.stdout) == (0, "")
    assert first.stderr == "wrote first.lab.yml; lab up first.lab.yml starts it\n"
    assert run("validate", "first.lab.yml").stdout == "first.lab.yml: lab first, 5 nodes, 5 links\n"
    Path("first.lab.yml").write_text("mine")
    again = run("init", "first.lab.yml")
    assert (again.exit_code, again.stderr) == (2, "error: first.lab.yml is there already\nhint: lab init NAME\n")
    assert Path("first.lab.yml").read_text() == "mine"


def test_init_without_a_name(run: Run) -> None:
    assert run("init").exit_code == 0
    assert "lab my-lab, 5 nodes" in run("validate", "my-lab.lab.yml").stdout


@pytest.mark.parametrize("name", ["a/b", "../x", "Not A Name", ""])
def test_init_with_a_name_that_makes_no_sense(run: Run, name: str) -> None:
    result = run("init", name)
    assert result.exit_code == 2
    assert "lab name" in result.stderr
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_what_is_generated_validates(run: Run, kind: str) -> None:
    generated = run("generate", kind, "-n", "9", "--seed", "3")
    assert (generated.exit_code, generated.stderr) == (0, "")
    assert f"made by: lab generate {kind} -n 9 --seed 3 --name {kind}9" in generated.stdout
    checked = run("validate", "-", stdin=generated.stdout.encode())
    assert checked.stdout.startswith(f"-: lab {kind}9, 9 nodes, ")
    assert run("generate", kind, "-n", "9", "--seed", "3").stdout == generated.stdout


def test_all_kinds_are_named() -> None:
    assert tuple(str(kind) for kind in Kind) == KIND_NAMES


def test_generate_with_options(run: Run) -> None:
    text = run("generate", "smallworld", "-n", "12", "--k", "6", "--p", "0.5", "--name", "small").stdout
    assert text.startswith(
        "# 12 nodes, 36 links; made by: lab generate smallworld -n 12 --seed 1 --name small --k 6 --p 0.5\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["circle"], "no topology kind 'circle'"),
        (["rin"], "did you mean 'ring'?"),
        (["ring", "-n", "2"], "a ring of 2 nodes is a line"),
        (["ring", "--k", "4"], "has no option 'k'"),
        (["kademlia", "--degree", "4"], "has no option 'degree'"),
        (["smallworld", "--k", "3"], "a k of 3 is not an even number"),
        (["ring", "--name", "Not A Name"], "lab name"),
    ],
)
def test_generate_what_makes_no_sense(run: Run, arguments: list[str], says: str) -> None:
    result = run("generate", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
