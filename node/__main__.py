"""The ``pss-node`` command: options in, a node that runs until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Sequence

from node.app import build_node
from node.config import Options, parse_options
from node.errors import ConfigError, LabError
from node.log import set_up_logging
from node.service.stack import ServiceNode

log = logging.getLogger("node")

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a node.

    Returns:
        0 after a clean stop, 1 if it could not start, 2 if the options make no sense.
    """
    try:
        options = parse_options(sys.argv[1:] if argv is None else argv)
    except ConfigError as error:
        print(f"pss-node: {error}", file=sys.stderr)
        return EXIT_USAGE
    set_up_logging(options.verbosity, name=options.name)
    try:
        asyncio.run(_run(options))
    except LabError as error:
        print(f"pss-node: {error}", file=sys.stderr)
        return EXIT_FAILED
    return 0


async def _run(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    node = build_node(options)
    async with contextlib.AsyncExitStack() as running:
        await running.enter_async_context(node)
        if options.control:
            await _open_control(running, node, options)
        log.info("%s is up: %s", f"node {options.name}" if options.name else "the node", node.server.node.url)
        await stop.wait()
        log.info("stopping")


async def _open_control(running: contextlib.AsyncExitStack, node: ServiceNode, options: Options) -> None:
    # gRPC costs 20 MB and a tenth of a second: only nodes that are controlled pay for it.
    from node.control.server import ControlServer

    await running.enter_async_context(ControlServer(node, options))


if __name__ == "__main__":
    sys.exit(main())
