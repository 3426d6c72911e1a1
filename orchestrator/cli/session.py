"""What every command gets: the labs there are, and how it was called."""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from orchestrator.cli.arguments import NamedOption
from orchestrator.cli.interrupts import Interrupts
from orchestrator.cli.labs import Labs


@dataclass
class Session:
    """One call of the command line."""

    labs: Labs
    debug: bool = False
    interrupts: Interrupts = field(default_factory=Interrupts)


pass_session = click.make_pass_decorator(Session)
lab_option = click.option(
    "-l",
    "--lab",
    "lab_name",
    cls=NamedOption,
    metavar="NAME",
    help="Which lab; needed only where several run. See lab ls.",
)
