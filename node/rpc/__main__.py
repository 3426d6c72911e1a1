"""One JSON-RPC call from the command line: ``python -m node.rpc [--to ENDPOINT] METHOD [PARAM...]``.

Params are JSON; what is none is taken as text. In a node's container the endpoint is the node's own socket::

    docker compose exec alice python3 -m node.rpc hive_string

``--receive TOPIC`` prints pss messages on a topic, a line of JSON each, until it is interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence

from node.errors import LabError
from node.rpc.client import RPCClient

DEFAULT_ENDPOINT = os.path.join(os.environ.get("PSS_DATADIR", os.path.expanduser("~/.pss-node")), "bzzd.ipc")
CALL_TIMEOUT_S = 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """Make the call and print its result: text as it is, anything else as JSON. 1 if it failed."""
    parser = argparse.ArgumentParser(prog="node.rpc", description="Call a JSON-RPC method of a node.")
    parser.add_argument("--to", default=DEFAULT_ENDPOINT, metavar="ENDPOINT", help="socket path, http:// or ws:// URL")
    parser.add_argument("--receive", metavar="TOPIC", help="print pss messages on a topic (0x-hex) instead of calling")
    parser.add_argument("method", nargs="?")
    parser.add_argument("params", nargs="*", help="JSON; what is none is taken as text")
    flags = parser.parse_args(argv)
    if bool(flags.method) == bool(flags.receive):
        parser.error("either a method or --receive TOPIC")
    try:
        if flags.receive:
            asyncio.run(_receive(flags.to, flags.receive))
            return 0
        result = asyncio.run(_call(flags.to, flags.method, [_param(text) for text in flags.params]))
    except KeyboardInterrupt:
        return 130
    except (LabError, TimeoutError) as error:
        print(f"error: {error or 'no answer in time'}", file=sys.stderr)
        return 1
    print(result if isinstance(result, str) else json.dumps(result, indent=1))
    return 0


async def _call(endpoint: str, method: str, params: list[object]) -> object:
    async with await RPCClient.connect(endpoint) as client:
        return await client.call(method, *params, timeout=CALL_TIMEOUT_S)


async def _receive(endpoint: str, topic: str) -> None:
    async with (
        await RPCClient.connect(endpoint) as client,
        await client.subscribe("pss", "receive", topic, True, False) as messages,
    ):
        print("listening", flush=True)
        async for message in messages:
            print(json.dumps(message), flush=True)


def _param(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    sys.exit(main())
