"""web3.py, written for reference nodes, works on ours over each of its transports."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from node.service.endpoints import EndpointConfig
from tests.support.nodes import lab_node
from tests.support.processes import pss_node

MODULES = "admin,pss,web3,hive"
SCRIPT_TIMEOUT_S = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("transport", ["ipc", "http", "ws"])
async def test_web3_is_a_client(tmp_path: Path, transport: str) -> None:
    http, ws, other_http = free_port(), free_port(), free_port()
    flags = ["--http", "--httpport", str(http), "--httpapi", MODULES, "--ws", "--wsport", str(ws), "--wsapi", MODULES]
    serving = EndpointConfig(port=other_http, modules=("pss",))
    async with pss_node(tmp_path, *flags) as node, lab_node(2, http=serving) as other:
        endpoint = {"ipc": str(node.ipc), "http": f"http://127.0.0.1:{http}", "ws": f"ws://127.0.0.1:{ws}"}[transport]
        script = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.web3_client",
            transport,
            endpoint,
            other.enode.url,
            f"http://127.0.0.1:{other_http}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(SCRIPT_TIMEOUT_S):
            out, err = await script.communicate()
        assert (script.returncode, out) == (0, b"ok\n"), err.decode()
