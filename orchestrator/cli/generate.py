"""`lab init` and `lab generate`: lab files to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.output import say
from orchestrator.errors import OrchestratorError

SUFFIX = ".lab.yml"
DEFAULT_NAME = "my-lab"
KIND_NAMES = ("line", "ring", "star", "full", "tree", "random", "smallworld", "kademlia")


class FileExists(OrchestratorError):
    """There is such a file, and it is not ours to replace."""

    exit_code = 2


@click.command("init")
@click.argument("name", default=DEFAULT_NAME)
def init(name: str) -> None:
    """Write a commented lab file NAME.lab.yml into this directory.

    A file that is there stays as it is: exit code 2.
    """
    from orchestrator.generate import first_lab_file

    name = name.removesuffix(SUFFIX)
    text, file = first_lab_file(name), Path(f"{name}{SUFFIX}")
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise FileExists(f"{file} is there already", hint="lab init NAME") from None
    except OSError as error:
        raise OrchestratorError(f"{file}: {error.strerror or error}") from None
    say(f"wrote {file}; lab up {file} starts it")


@click.command("generate")
@click.argument("kind", metavar="|".join(KIND_NAMES))
@click.option("-n", "--nodes", type=int, default=8, show_default=True, metavar="N", help="How many nodes.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, metavar="N", help="Keys, and chance.")
@click.option("--name", metavar="NAME", help="Of the lab; by default kind and number, such as ring8.")
@click.option("--branching", type=int, metavar="N", help="Of a tree: children of each node; 2 by default.")
@click.option("--degree", type=float, metavar="X", help="Of random: links per node on average; 3 by default.")
@click.option(
    "--k",
    type=int,
    metavar="N",
    help="Of smallworld: neighbours on the ring, 4 by default; of kademlia: peers of each bin at most.",
)
@click.option("--p", type=float, metavar="X", help="Of smallworld: share of shortcuts, 0.2; of random: of all pairs.")
def generate(
    kind: str,
    nodes: int,
    seed: int,
    name: str | None,
    branching: int | None,
    degree: float | None,
    k: int | None,
    p: float | None,
) -> None:
    """Print a lab file with nodes and links of a shape.

    The two nodes farthest from each other are alice and bob; not in kademlia, where links follow from addresses.
    """
    from orchestrator.generate import lab_file
    from orchestrator.topology import generate as make_topology

    name = name or f"{kind}{nodes}"
    given = {"branching": branching, "degree": degree, "k": k, "p": p}
    words = [f"lab generate {kind} -n {nodes} --seed {seed} --name {name}"]
    words += [f"--{option} {value:g}" for option, value in given.items() if value is not None]
    topology = make_topology(kind, nodes, name=name, seed=seed, branching=branching, degree=degree, k=k, p=p)
    click.echo(lab_file(topology, name=name, seed=seed, made_by=" ".join(words)), nl=False)
