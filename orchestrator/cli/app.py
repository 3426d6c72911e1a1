"""The root of the command line: global options, errors, interrupts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli import (
    chapter,
    collect,
    doctor,
    down,
    dump,
    events,
    exports,
    fault_group,
    faults,
    generate,
    graph,
    logs,
    messages,
    nodes,
    overlay,
    play,
    smoke,
    status,
    up,
    verify,
)
from orchestrator.cli.failures import shown
from orchestrator.cli.installed import InstalledLabs
from orchestrator.cli.session import Session

EPILOG = """\b
Exit codes: 0 ok, 1 failed, 2 usage or invalid file, 4 this machine cannot carry it, 5 no such lab,
6 not ready, 7 no engine, 124 not in time, 130 interrupted, after cleaning up.
Every flag can be set in the environment: LAB_<COMMAND>_<FLAG>, such as LAB_UP_RUNTIME=process."""
"""``\\b`` keeps click from filling the lines anew."""


class RootGroup(click.Group):
    """Runs commands in a session; lists them in the order in which a user meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.obj is None:
            ctx.obj = Session(labs=InstalledLabs(ctx.params["state_dir"]))
        session: Session = ctx.obj
        with shown(debug=ctx.params["debug"]), session.interrupts:
            return super().invoke(ctx)


@click.group(
    cls=RootGroup,
    epilog=EPILOG,
    context_settings={"auto_envvar_prefix": "LAB", "help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where labs are remembered; default .lab in the working directory.  [env: LAB_STATE_DIR]",
)
@click.option("--debug", is_flag=True, help="Show where an error came from.  [env: LAB_DEBUG]")
def lab(state_dir: Path | None, debug: bool) -> None:
    """A network of nodes that speak devp2p, the Swarm overlay and pss, in containers or processes.

    lab up starts one and shows a message being relayed; lab down removes it.
    """


for command in (
    up.up,
    down.down,
    status.status,
    status.list_labs,
    messages.send,
    messages.trace,
    smoke.smoke,
    events.events,
    logs.logs,
    overlay.overlay,
    overlay.kademlia,
    graph.graph,
    nodes.rpc,
    nodes.execute,
    nodes.connect,
    nodes.disconnect,
    nodes.node_group,
    faults.partition,
    faults.cut,
    faults.slow,
    faults.flaky,
    faults.slowmo,
    faults.churn,
    faults.heal,
    fault_group.fault_group,
    play.play,
    verify.verify,
    chapter.chapter,
    generate.init,
    generate.generate,
    exports.validate,
    exports.schema,
    exports.export,
    exports.image,
    doctor.doctor,
    dump.dump,
    collect.gc,
    exports.version,
):
    lab.add_command(command)
