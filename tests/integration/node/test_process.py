"""pss-node as a process: it starts, says what is wrong, and stops when told to (issue 2, item 3)."""

from __future__ import annotations

import asyncio
import signal
import socket
import stat
import threading
from pathlib import Path

import pytest

from node.control.client import ControlClient
from node.rpc.client import RPCClient
from tests.support.control import TOKEN, free_port
from tests.support.keys import make_key
from tests.support.processes import pss_node
from tests.support.waiting import DEADLINE_S

NODE_KEY, BZZ_KEY = make_key(0xC0FFEE << 200 | 1), make_key(0xBEEF << 200 | 1)
SYM_KEY = bytes(range(100, 132))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_0_and_leaves_no_socket(tmp_path: Path, number: int) -> None:
    async with pss_node(tmp_path) as node:
        assert stat.S_IMODE(node.ipc.stat().st_mode) == 0o600
        assert await node.stop(number) == 0
        assert not node.ipc.exists()
        left = sorted(path.name for path in (tmp_path / "pss").iterdir())
        assert left == ["LOCK", "bzzkey", "hive.json", "nodekey", "nodes"]
        assert "Traceback" not in "".join(node.log)


async def test_it_ends_in_time_with_peers_clients_and_streams(tmp_path: Path) -> None:
    control = f"127.0.0.1:{free_port()}"
    flags = ["--control", control, "--http", "--httpport", "0", "--ws", "--wsport", "0"]
    async with (
        pss_node(tmp_path / "one", *flags, PSS_CONTROL_TOKEN=TOKEN) as one,
        pss_node(tmp_path / "two") as two,
    ):
        begun, result = threading.Event(), list[str]()

        def follow() -> None:
            with ControlClient(control, token=TOKEN) as client, client.events() as events:
                begun.set()
                try:
                    result.extend(str(event.kind) for event in events)
                except Exception as error:
                    result.append(type(error).__name__)

        following = asyncio.create_task(asyncio.to_thread(follow))
        async with await one.client() as client, await two.client() as other, asyncio.timeout(DEADLINE_S):
            assert await asyncio.to_thread(begun.wait, DEADLINE_S)
            async with await client.subscribe("admin", "peerEvents") as events:
                await other.call("admin_addPeer", (await client.call("admin_nodeInfo"))["enode"])
                assert (await anext(aiter(events)))["type"] == "add"
                assert await one.stop() == 0
        await following
        assert result[0] == "add"
        assert result[-1] == "ControlError"
        assert await two.stop() == 0
        assert "Traceback" not in "".join(one.log + two.log)


async def test_identity_and_data_outlive_it(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        async with pss_node(tmp_path) as node:
            async with await node.client() as client:
                info = await client.call("admin_nodeInfo")
                seen.append((info["id"], await client.call("pss_baseAddr")))
            assert await node.stop() == 0
    assert seen[0] == seen[1]


async def test_a_killed_node_does_not_stand_in_the_way_of_the_next(tmp_path: Path) -> None:
    async with pss_node(tmp_path) as node:
        assert await node.stop(signal.SIGKILL) == -signal.SIGKILL
        assert node.ipc.exists()
    async with pss_node(tmp_path) as node, await node.client() as client:
        assert await client.call("admin_datadir") == str(tmp_path)


async def test_what_it_says_it_is(tmp_path: Path) -> None:
    flags = ["--nodekeyhex", NODE_KEY.secret.hex(), "--nat", "extip:10.1.2.3", "--bzznetworkid", "7"]
    async with pss_node(tmp_path, *flags, PSS_NAME="alice", PSS_BZZKEYHEX=BZZ_KEY.secret.hex()) as node:
        line = await node.logged("is up")
        assert line.startswith("alice ")
        async with await RPCClient.connect(str(node.ipc)) as client:
            info = await client.call("admin_nodeInfo")
            assert info["id"] == NODE_KEY.public.node_id.hex()
            assert "@10.1.2.3:" in info["enode"]
            assert info["enode"] in line
            assert info["protocols"].keys() == {"bzz", "hive", "pss"}
            assert info["name"].startswith("pss-lab/v")
            assert await client.call("pss_baseAddr") == "0x" + BZZ_KEY.public.overlay.hex()
            assert (await client.supported_modules()).keys() == {"admin", "bzz", "hive", "pss", "rpc", "web3"}


async def test_secrets_are_not_in_the_log_at_any_level(tmp_path: Path) -> None:
    control = f"127.0.0.1:{free_port()}"
    (tmp_path / "nodekey").write_text(NODE_KEY.secret.hex())
    flags = ["--verbosity", "5", "--control", control, "--nodekey", str(tmp_path / "nodekey")]
    environ = {"PSS_CONTROL_TOKEN": TOKEN, "PSS_BZZKEYHEX": BZZ_KEY.secret.hex()}
    async with (
        pss_node(tmp_path / "one", *flags, **environ) as one,
        pss_node(tmp_path / "two", "--verbosity", "5") as two,
        await one.client() as client,
        await two.client() as other,
        asyncio.timeout(15),
    ):
        topic, secret = "0x01020304", "0x" + b"for one only".hex()
        info = await client.call("admin_nodeInfo")
        own_key, address = await client.call("pss_getPublicKey"), await client.call("pss_baseAddr")
        async with await client.subscribe("pss", "receive", topic, False, False) as messages:
            await client.call("pss_setSymmetricKey", SYM_KEY, topic, "0x", True)
            key_id = await other.call("pss_setSymmetricKey", SYM_KEY, topic, address, False)
            await other.call("pss_setPeerPublicKey", own_key, topic, address)
            await other.call("admin_addPeer", info["enode"])
            await other.call("pss_sendAsym", own_key, topic, secret)
            await other.call("pss_sendSym", key_id, topic, secret)
            for _ in range(2):
                assert (await anext(aiter(messages)))["Msg"] == secret

        def ask() -> None:
            with ControlClient(control, token=TOKEN) as caller:
                caller.info()

        await asyncio.to_thread(ask)
        two_keys = [(tmp_path / "two" / "pss" / name).read_text() for name in ("nodekey", "bzzkey")]
        assert await one.stop() == await two.stop() == 0
    log = "".join(one.log + two.log).lower()
    assert "is up" in log
    keys = [NODE_KEY.secret.hex(), BZZ_KEY.secret.hex(), SYM_KEY.hex(), *two_keys]
    for text in (*keys, TOKEN, "for one only", b"for one only".hex(), repr(SYM_KEY)[2:-1].lower()):
        assert text not in log
    assert "traceback" not in log


# -- what keeps it from starting


@pytest.mark.parametrize("flag", ["--port", "--httpport", "--wsport", "--control"])
async def test_a_port_in_use_is_named(tmp_path: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = {
            "--port": ["--port", str(port)],
            "--httpport": ["--http", "--httpport", str(port)],
            "--wsport": ["--ws", "--wsport", str(port)],
            "--control": ["--control", f"127.0.0.1:{port}"],
        }[flag]
        async with pss_node(tmp_path, *flags, up=False, PSS_CONTROL_TOKEN=TOKEN) as node:
            assert await node.ended() == 1
            line = node.log[-1]
            assert line.startswith("pss-node: ")
            assert f"127.0.0.1:{port}" in line
            assert "in use" in line
            assert "Traceback" not in "".join(node.log)
            assert not node.ipc.exists()


async def test_a_second_node_on_a_data_directory_is_refused(tmp_path: Path) -> None:
    async with pss_node(tmp_path) as first:
        async with pss_node(tmp_path, up=False) as second:
            assert await second.ended() == 1
            text = f"pss-node: data directory {tmp_path}/pss: datadir already used by another process\n"
            assert second.log == [text]
        async with await first.client() as client:
            assert await client.call("admin_peers") == []


@pytest.mark.parametrize(
    ("flags", "code", "text"),
    [
        (["--nonsense"], 2, "unknown flags: --nonsense"),
        (["--port", "65536"], 2, "argument --port: '65536' is not a port from 0 to 65535"),
        (["--bootnodes", f"enode://{'00' * 64}@127.0.0.1:1"], 2, "invalid public key"),
        (["--control", "127.0.0.1:7000"], 2, "needs --control-token-file or PSS_CONTROL_TOKEN"),
        (["--ipcpath", "/x" * 60], 1, "IPC path is 120 bytes long, at most 107 are possible"),
        (["--addr", "no.such.host.invalid"], 1, "listen tcp no.such.host.invalid:0: "),
    ],
)
async def test_what_makes_no_sense_is_named(tmp_path: Path, flags: list[str], code: int, text: str) -> None:
    async with pss_node(tmp_path, *flags, up=False) as node:
        assert await node.ended() == code
        assert text in node.log[-1]
        assert "Traceback" not in "".join(node.log)


async def test_a_key_file_that_cannot_be_replaced_is_named(tmp_path: Path) -> None:
    (tmp_path / "pss" / "bzzkey").mkdir(parents=True)
    async with pss_node(tmp_path, up=False) as node:
        assert await node.ended() == 1
        assert node.log == [f"pss-node: key file {tmp_path}/pss/bzzkey: is a directory\n"]


async def test_bootnodes_are_dialed(tmp_path: Path) -> None:
    async with pss_node(tmp_path / "boot") as boot, await boot.client() as client:
        enode = (await client.call("admin_nodeInfo"))["enode"]
        async with await client.subscribe("admin", "peerEvents") as events, asyncio.timeout(DEADLINE_S * 2):
            async with pss_node(tmp_path / "node", "--bootnodes", enode) as node, await node.client() as other:
                added = await anext(aiter(events))
                assert added["peer"] == (await other.call("admin_nodeInfo"))["id"]
            assert (await anext(aiter(events)))["type"] == "drop"
