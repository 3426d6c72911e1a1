"""Replays the recorded IPC sessions about JSON-RPC as such, with small stand-ins for the APIs that they call.

The other sessions of rpc.json need nodes; of those only the calls with refused arguments are taken from here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from Crypto.Hash import keccak

from node.rpc import FixedHex, HexBytes, IPCServer, Notifier, PrefixedHex, Registry, subscription
from tests.vectors.loader import Case, load_cases

SKIPPED: dict[tuple[str, int], str] = {}
"""Steps that are not replayed, by case and number, with the reason. There are none: the stand-ins serve them all."""

INVALID_PARAMS = -32602


class Topic(FixedHex):
    SIZE = 4


class Address(PrefixedHex):
    pass


class FakePss:
    """Signatures of the real one; only what the sessions look at is computed."""

    def __init__(self, base: bytes) -> None:
        self._base = HexBytes(base)

    def base_addr(self) -> HexBytes:
        return self._base

    def string_to_topic(self, text: str) -> HexBytes:
        return HexBytes(hashlib.sha256(text.encode()).digest()[:4])

    @subscription("receive")
    def receive(self, notifier: Notifier, topic: Topic, raw: bool, prox: bool) -> None: ...

    def set_peer_public_key(self, pubkey: HexBytes, topic: Topic, address: Address) -> None: ...

    def get_peer_topics(self, pubkeyid: str) -> None: ...

    def get_peer_address(self, pubkeyid: str, topic: Topic) -> None: ...

    def set_symmetric_key(self, key: bytes, topic: Topic, address: Address, cache: bool) -> None: ...

    def generate_symmetric_key(self, topic: Topic, address: Address, cache: bool) -> None: ...

    def get_symmetric_key(self, symkeyid: str) -> None: ...

    def send_asym(self, pubkeyid: str, topic: Topic, msg: HexBytes) -> None: ...

    def send_sym(self, symkeyid: str, topic: Topic, msg: HexBytes) -> None: ...

    def send_raw(self, address: HexBytes, topic: Topic, msg: HexBytes) -> None: ...

    def add_handshake(self, topic: Topic) -> None: ...

    def handshake(self, pubkeyid: str, topic: Topic, sync: bool, flush: bool) -> None: ...

    def is_within_depth(self, address: bytes) -> None: ...


class FakeAdmin:
    def add_peer(self, url: str) -> bool:
        return True

    @subscription("peerEvents")
    def peer_events(self, notifier: Notifier) -> None: ...


class FakeWeb3:
    def client_version(self) -> str:
        return "stand-in"

    def sha3(self, data: HexBytes) -> HexBytes:
        return HexBytes(keccak.new(digest_bits=256, data=data).digest())


@pytest.fixture
def cases(vectors_dir: Path) -> dict[str, Case]:
    return {case["name"]: case for case in load_cases(vectors_dir / "rpc.json")}


class Replay:
    """One server and the connections of a session to it."""

    def __init__(self, path: Path, variables: dict[str, str]) -> None:
        self.path, self.vars = path, dict(variables)
        self._streams: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
        self._probes = 0

    def fill(self, text: str) -> str:
        for name, value in self.vars.items():
            text = text.replace(f"${{{name}}}", value)
        return text

    async def stream(self, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if name not in self._streams:
            self._streams[name] = await asyncio.open_unix_connection(str(self.path))
        return self._streams[name]

    async def step(self, step: Case) -> None:
        reader, writer = await self.stream(step["conn"])
        for part in step.get("parts") or [step["send"]]:
            writer.write(self.fill(part).encode())
            await writer.drain()
        if step.get("half_close"):
            writer.write_eof()
        lines = [(await reader.readline()).decode() for _ in step["recv"]]
        if step.get("closed"):
            assert await reader.read() == b""
        else:
            # answers of methods that do not wait come in order: nothing else may be before this one
            self._probes += 1
            writer.write(f'{{"id":"probe{self._probes}","method":"rpc_probe"}}'.encode())
            assert f'"probe{self._probes}"' in (await reader.readline()).decode()
        self.compare(step, lines)

    def compare(self, step: Case, lines: list[str]) -> None:
        for path_name, path in step.get("save", {}).items():
            self.vars[path_name] = json.loads(lines[0])[path]
        expected = [self.fill(line) for line in step["recv"]]
        specific = step.get("go_specific", [[] for _ in expected])
        if step.get("any_order"):
            lines = sorted(lines, key=lambda line: str(json.loads(line)["id"]))
            order = sorted(range(len(expected)), key=lambda i: str(json.loads(expected[i])["id"]))
            expected, specific = [expected[i] for i in order], [specific[i] for i in order]
        for index, (line, want) in enumerate(zip(lines, expected, strict=True)):
            if step.get("vary"):
                assert _shape(line) == _shape(want)
            elif specific[index] == ["result"]:
                assert "result" in json.loads(line)
            else:
                assert line == want + "\n", "texts of the Go libraries are kept, too"

    async def close(self) -> None:
        for _, writer in self._streams.values():
            writer.close()
            await writer.wait_closed()


def _shape(line: str) -> Any:
    """The answer without what differs from run to run: subscription ids."""
    value = json.loads(line)
    for answer in value if isinstance(value, list) else [value]:
        if len(answer["result"]) > len("0x2c26b46b"):
            answer["result"] = "id"
    return value


@pytest.fixture
async def server(tmp_path: Path, cases: dict[str, Case]) -> AsyncIterator[IPCServer]:
    registry = Registry()
    registry.register("pss", FakePss(bytes.fromhex(cases["protocol"]["vars"]["A_BASE"][2:])))
    registry.register("admin", FakeAdmin())
    registry.register("web3", FakeWeb3())
    async with IPCServer(registry, tmp_path / "node.ipc") as server:
        yield server


async def test_session_about_jsonrpc_as_such(server: IPCServer, cases: dict[str, Case]) -> None:
    case = cases["protocol"]
    replay = Replay(server.path, case["vars"])
    replayed = 0
    for number, step in enumerate(case["steps"]):
        if ("protocol", number) not in SKIPPED:
            await replay.step(step)
            replayed += 1
    await replay.close()
    assert replayed + len(SKIPPED) == case["step_count"]


async def test_survives_what_crashes_the_reference(server: IPCServer, cases: dict[str, Case]) -> None:
    replay = Replay(server.path, cases["crashes"]["vars"])
    for step in cases["crashes"]["steps"]:
        reader, writer = await replay.stream(step["conn"])
        writer.write(replay.fill(step["send"]).encode())
        answer = json.loads(await reader.readline())
        assert "null" not in step["send"] or "invalid request" in json.dumps(answer)
        # and the same connection still works
        writer.write(b'{"id":7,"method":"web3_clientVersion"}')
        assert json.loads(await reader.readline())["result"] == "stand-in"
    await replay.close()


async def test_refused_arguments_of_all_sessions(server: IPCServer, cases: dict[str, Case]) -> None:
    seen = 0
    for name in ("admin", "pss_keys", "pss_messages"):
        replay = Replay(server.path, cases[name]["vars"])
        for step in cases[name]["steps"]:
            if step["do"] == "call" and f'"code":{INVALID_PARAMS}' in step["recv"][0]:
                await replay.step(step)
                seen += 1
        await replay.close()
    assert seen > 40
