"""Breaking a lab on purpose: partition, heal, cut, slow, flaky, slowmo, churn, node pause|unpause|restart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.arguments import DURATION, NamedOption, Parsed
from orchestrator.cli.nodes import node_group, opened
from orchestrator.cli.output import format_seconds, join_words, say
from orchestrator.cli.pick import known_node, running_node
from orchestrator.cli.session import Session, lab_option, pass_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.faults.control import Faults
    from orchestrator.lab import Lab

NOTHING = "there was nothing to heal"
HELPER = "helper "
"""What the names of helpers begin with among those of what was healed (orchestrator.docker_helper)."""
INTERRUPTED = "interrupted; taking back what was done"
OFF = "off"


def _parser(name: str) -> Callable[[str], float]:
    """A parser of :mod:`orchestrator.faults.model`, loaded when it is needed."""

    def parse(text: str) -> float:
        from orchestrator.faults import model

        return float(getattr(model, name)(text))

    return parse


DELAY = Parsed("duration", _parser("parse_delay"))
PERCENT = Parsed("percent", _parser("parse_percent"))
RATE = Parsed("rate", _parser("parse_rate"))
FREQUENCY = Parsed("frequency", _parser("parse_frequency"))

name_option = click.option("--name", metavar="NAME", default="", help="What lab fault clear calls it.")
silent_option = click.option(
    "--silent", is_flag=True, help="Do not tell the nodes: they notice after 30 s that nothing comes."
)


dry_option = click.option("--dry-run", is_flag=True, help="Say what would be done to which node, and do nothing.")


@contextlib.contextmanager
def _faults(session: Session, lab_name: str | None, *, dry: bool) -> Iterator[tuple[Lab, Faults]]:
    """The faults of a lab, for one verb. For a dry run those that do nothing; what they would do is said at the end."""
    with opened(session, lab_name) as lab:
        if not dry:
            yield lab, lab.faults
            return
        rehearsal = lab.rehearsal()
        yield lab, rehearsal
    for line in rehearsal.lines:
        click.echo(line)
    say("nothing was done" if rehearsal.lines else "there is nothing to do")


@click.command()
@click.argument("groups", nargs=-1, metavar="[GROUP]...")
@click.option("--random", is_flag=True, help="Two halves of the nodes, chosen by the lab's seed.")
@click.option("--seed", metavar="N", type=int, help="Other halves than those of the lab's own seed.")
@silent_option
@dry_option
@name_option
@lab_option
@pass_session
def partition(
    session: Session,
    groups: tuple[str, ...],
    random: bool,
    seed: int | None,
    silent: bool,
    dry_run: bool,
    name: str,
    lab_name: str | None,
) -> None:
    """Let nothing pass between groups of nodes.

    A GROUP is names, globs or role=ROLE, separated by commas: lab partition alice,n0* bob,n1*. Nodes that no group
    names are one more group. With --random there are two, in which as many nodes run; the same seed gives the same.
    Links are made again when it ends: lab heal.
    """
    if random == bool(groups):
        raise click.UsageError("give groups of nodes, or --random" + (", not both" if groups else ""))
    if seed is not None and not random:
        raise click.UsageError("--seed is for --random")
    with _faults(session, lab_name, dry=dry_run) as (_, faults):
        if random:
            fault = faults.random_partition(seed=seed, name=name, silent=silent)
        else:
            fault = faults.partition(*groups, name=name, silent=silent)
        _say(dry_run, f"{fault.name}: nothing passes between {fault.fault}")


@click.command()
@click.argument("a")
@click.argument("b")
@silent_option
@dry_option
@name_option
@lab_option
@pass_session
def cut(session: Session, a: str, b: str, silent: bool, dry_run: bool, name: str, lab_name: str | None) -> None:
    """Let nothing pass between two nodes."""
    with _faults(session, lab_name, dry=dry_run) as (lab, faults):
        _check_pair(lab, a, b)
        fault = faults.cut(a, b, name=name, silent=silent)
        _say(dry_run, f"{fault.name}: nothing passes between {a} and {b}")


@click.command()
@dry_option
@lab_option
@pass_session
def heal(session: Session, dry_run: bool, lab_name: str | None) -> None:
    """Take all faults back and connect what they disconnected.

    Also what a command left that was killed. Conditions of the lab file stay; nodes that somebody stopped, too.
    """
    with _faults(session, lab_name, dry=dry_run) as (_, faults):
        healed = faults.heal()
        _say(dry_run, f"healed: {_counted(healed)}" if healed else NOTHING)


def _counted(healed: Sequence[str]) -> str:
    """Faults by name; how many helpers, as nobody knows those by theirs."""
    names = [name for name in healed if not name.startswith(HELPER)]
    helpers = len(healed) - len(names)
    return join_words(names + [f"{helpers} helper{'' if helpers == 1 else 's'}"] * bool(helpers))


def _say(dry: bool, text: str) -> None:
    say(f"dry run: {text}" if dry else text)


def _shape_options(command: Any) -> Any:
    for option in (
        pass_session,
        lab_option,
        name_option,
        dry_option,
        click.option(
            "--direction",
            type=click.Choice(("egress", "ingress", "both")),
            default="egress",
            show_default=True,
            help="What they send, what they get, or both.",
        ),
        click.option(
            "--with", "peers", cls=NamedOption, metavar="SELECTOR", default="", help="Only on links with these."
        ),
        click.option("--rate", type=RATE, metavar="RATE", help="Such as 500kbit."),
        click.option("--loss", type=PERCENT, metavar="PERCENT", help="Such as 0.5%."),
        click.option("--jitter", type=DELAY, metavar="DURATION", help="Plus or minus, uniform."),
        click.option("--delay", type=DELAY, metavar="DURATION", help="Such as 200ms."),
        click.argument("selector"),
    ):
        command = option(command)
    return command


@click.command()
@_shape_options
def slow(session: Session, **options: Any) -> None:
    """Delay, disturb or narrow links of the nodes SELECTOR.

    What is not given stays as other faults have it. See lab fault show for what came of it.
    """
    _shape(session, **options)


@click.command()
@_shape_options
def flaky(session: Session, **options: Any) -> None:
    """Lose some of what the nodes SELECTOR send; 5% unless --loss says otherwise.

    Connections are TCP, which repeats what is lost: what arrives late is what a node sees of it.
    """
    from orchestrator.faults.model import DEFAULT_LOSS

    options["loss"] = options["loss"] or DEFAULT_LOSS
    _shape(session, **options)


def _shape(session: Session, *, selector: str, lab_name: str | None, peers: str, dry_run: bool, **options: Any) -> None:
    delay, jitter, rate = options.pop("delay"), options.pop("jitter"), options.pop("rate")
    if not any((delay, jitter, rate, options["loss"])):
        raise click.UsageError("give at least one of --delay, --jitter, --loss and --rate")
    with _faults(session, lab_name, dry=dry_run) as (_, faults):
        fault = faults.conditions(selector, peers=peers, delay_s=delay, jitter_s=jitter, rate_bps=rate, **options)
        _say(dry_run, f"{fault.name}: {fault.fault}")


@click.command()
@click.argument("delay")
@dry_option
@lab_option
@pass_session
def slowmo(session: Session, delay: str, dry_run: bool, lab_name: str | None) -> None:
    """Slow motion: every node waits DELAY, such as 500ms, before it sends anything.

    lab slowmo off ends it.
    """
    with _faults(session, lab_name, dry=dry_run) as (_, faults):
        if delay == OFF:
            ended = faults.full_speed()
            _say(dry_run, "full speed again" if ended else "it was not in slow motion")
        else:
            faults.slow_motion(DELAY.convert(delay, None, click.get_current_context()), instead=True)
            _say(dry_run, f"every node waits {delay} before it sends; lab slowmo off ends it")


@click.command()
@click.argument("selector")
@click.option("--rate", type=FREQUENCY, default="6/min", show_default=True, metavar="N/min", help="Deaths; also N/s.")
@click.option("--down", type=DURATION, default="3s", show_default=True, metavar="DURATION", help="Until it comes back.")
@click.option("--count", type=click.IntRange(1, 100_000), default=5, show_default=True, help="Deaths in all.")
@click.option("--protect", metavar="SELECTOR", default="", help="Nodes that never die.")
@click.option("--seed", metavar="N", type=int, help="Another order of deaths than the lab's own.")
@lab_option
@pass_session
def churn(
    session: Session,
    selector: str,
    rate: float,
    down: float,
    count: int,
    protect: str,
    seed: int | None,
    lab_name: str | None,
) -> None:
    """Kill nodes of SELECTOR at random and start them again, until COUNT died.

    The same lab and seed give the same deaths at the same times. Ctrl-C starts who is down and ends it.
    """
    from orchestrator.faults.churn import Churn, without
    from orchestrator.faults.play import play
    from orchestrator.faults.timeline import churn_acts

    with opened(session, lab_name) as lab, contextlib.ExitStack() as begun:
        nodes = without(lab.faults.select(selector), lab.faults.select(protect) if protect else ())
        plan = Churn(nodes=nodes, rate_per_s=rate, down_s=down, count=count)
        seed = lab.spec.seed if seed is None else seed
        acts = churn_acts(plan, name="churn", at_s=0.0, seed=seed)
        idle = True

        def tell(at_s: float, line: str) -> None:
            nonlocal idle
            if idle:  # from here on there is something to take back
                begun.enter_context(session.interrupts.cleaning(INTERRUPTED))
                idle = False
            click.echo(f"{at_s:7.2f} s  {line}")

        say(f"first death in {format_seconds(acts[0].at_s)}; Ctrl-C ends it")
        play(lab, acts, tell)


@node_group.command()
@click.argument("selector")
@lab_option
@pass_session
def pause(session: Session, selector: str, lab_name: str | None) -> None:
    """Freeze nodes: they keep their connections and do nothing."""
    with opened(session, lab_name) as lab:
        fault = lab.faults.paused(selector)
    say(f"{fault.name}: {fault.fault}; lab node unpause, or lab heal, lets go on")


@node_group.command()
@click.argument("selector")
@lab_option
@pass_session
def unpause(session: Session, selector: str, lab_name: str | None) -> None:
    """Let frozen nodes go on."""
    with opened(session, lab_name) as lab:
        names = lab.faults.select(selector)
        lab.faults.unpause(selector)
    say(f"{join_words(names)}: going on")


@node_group.command()
@click.argument("name")
@lab_option
@pass_session
def restart(session: Session, name: str, lab_name: str | None) -> None:
    """Stop a node and start it again, connected as the lab wants it."""
    with opened(session, lab_name) as lab:
        known_node(lab, name)
        lab.stop(name)
        lab.start(name)
    say(f"{name} runs")


def _check_pair(lab: Lab, a: str, b: str) -> None:
    running_node(lab, a)
    running_node(lab, b)
    if a == b:
        raise click.UsageError(f"there is nothing to cut between {a} and itself")
