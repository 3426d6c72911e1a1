"""Whole recorded sessions of admin_*, pss_* and their siblings, repeated against pss-node processes."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from tests.support.processes import pss_node
from tests.vectors.loader import Case, load_cases
from tests.vectors.rpc_session import Session

SESSIONS = {
    "admin_*": {},
    "pss_*: keys": {
        3: "pss_publicKey is a dump of a Go object, not to be implemented (spec 06 section 9.2)",
        167: "releasing with flush forgets all keys in the reference, here only expired ones (spec 07 section A6)",
    },
    "pss messages": {},
}
"""Sessions by how they begin, and the steps at which we differ on purpose."""


def session(folder: Path, beginning: str) -> Case:
    (case,) = [case for case in load_cases(folder / "rpc.json") if case["about"].startswith(beginning)]
    return case


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("beginning", SESSIONS)
async def test_a_recorded_session(tmp_path: Path, vectors_dir: Path, beginning: str) -> None:
    case = session(vectors_dir, beginning)
    async with contextlib.AsyncExitStack() as stack:
        sockets: dict[str, str] = {}
        values: dict[str, str] = {}
        for label, node in case["nodes"].items():
            port = free_port()
            keys = [
                "--nodekeyhex",
                node["node_key"].removeprefix("0x"),
                "--bzzkeyhex",
                node["bzz_key"].removeprefix("0x"),
            ]
            network = ["--bzznetworkid", str(node["network_id"]), "--disable-auto-connect", "--discovery", "--addr", ""]
            process = await stack.enter_async_context(pss_node(tmp_path / label, "--port", str(port), *keys, *network))
            sockets[label] = str(process.ipc)
            name = label.upper()
            public = node["node_public_key"].removeprefix("0x")[-128:]
            values |= {f"{name}_PORT": str(port), f"{name}_ENODE": f"enode://{public}@127.0.0.1:{port}"}
        differences = await Session(case, sockets, values).run()
    assert set(differences) == set(SESSIONS[beginning]), "\n" + "\n".join(differences.values())
