"""Three nodes in a line, one relaying, measured through JSON-RPC over IPC: rate, latency, CPU, memory, start.

``make bench`` prints one table. Another implementation is measured the same way with ``--command``, a template with
{dir} {ipc} {port} {key}. Everything stays on 127.0.0.1, bounded in count and time.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import secrets
import shlex
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from node.rpc import RPCClient

COMMAND = (
    f"{shlex.quote(sys.executable)} -m node --datadir {{dir}} --ipcpath {{ipc}} --port {{port}} --nodekeyhex {{key}}"
    " --bzzkeyhex {key} --addr 127.0.0.1 --bzznetworkid 4242 --disable-auto-connect --verbosity 2"
)
FIRST_PORT = 30700
START_TIMEOUT_S = 20.0
DELIVERY_TIMEOUT_S = 60.0
WINDOW = 40
"""Messages handed to the sender at the same time."""
MESSAGE_BYTES = 32
COUNTS = {"raw": 4000, "asym": 2000, "sym": 2000}
LATENCY_ROUNDS = 300


@dataclass
class Node:
    """One node under test."""

    process: psutil.Popen
    rpc: RPCClient
    start_s: float
    enode: str
    overlay: str
    public_key: str

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        return float(self.process.memory_info().rss) / 1e6


@asynccontextmanager
async def running(command: str, directory: Path, index: int) -> AsyncIterator[Node]:
    """A node that runs while the block does."""
    ipc = directory / f"{index}.ipc"
    line = command.format(
        dir=directory / str(index),
        ipc=ipc,
        port=FIRST_PORT + index,
        key=secrets.token_hex(32),
        http=FIRST_PORT + 500 + index,
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.monotonic()
    with open(directory / f"{index}.log", "wb") as log:
        process = psutil.Popen(shlex.split(line), stdout=log, stderr=log, env=environment)
    try:
        rpc = await connect(ipc, started + START_TIMEOUT_S)
        async with rpc:
            info = await rpc.call("admin_nodeInfo")
            start_s = time.monotonic() - started
            overlay, key = await rpc.call("pss_baseAddr"), await rpc.call("pss_getPublicKey")
            yield Node(process, rpc, start_s, info["enode"], overlay, key)
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


async def connect(ipc: Path, deadline: float) -> RPCClient:
    """A client to a socket that is about to appear."""
    while True:
        try:
            return await RPCClient.connect(str(ipc))
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.01)


async def link(a: Node, b: Node) -> None:
    """Connect two nodes and wait until both tables show it."""
    before = [len_of(await node.rpc.call("hive_kademliaInfo")) for node in (a, b)]
    await a.rpc.call("admin_addPeer", b.enode)
    async with asyncio.timeout(START_TIMEOUT_S):
        for node, count in zip((a, b), before, strict=True):
            while len_of(await node.rpc.call("hive_kademliaInfo")) == count:
                await asyncio.sleep(0.01)


def len_of(info: dict[str, int]) -> int:
    return info["total_connections"]


class Course:
    """Messages of one mode from one node to another."""

    def __init__(self, source: Node, target: Node, mode: str) -> None:
        self.source, self.target, self.mode = source, target, mode
        self.arrivals: asyncio.Queue[float] = asyncio.Queue()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Course]:
        source, target = self.source.rpc, self.target.rpc
        topic = self.topic = await source.call("pss_stringToTopic", "bench" + secrets.token_hex(4))
        if self.mode == "asym":
            await source.call("pss_setPeerPublicKey", self.target.public_key, topic, self.target.overlay)
            self.call = ("pss_sendAsym", self.target.public_key, topic)
        elif self.mode == "sym":
            key = base64.b64encode(secrets.token_bytes(32)).decode()
            key_id = await source.call("pss_setSymmetricKey", key, topic, self.target.overlay, False)
            await target.call("pss_setSymmetricKey", key, topic, self.source.overlay, True)
            self.call = ("pss_sendSym", key_id, topic)
        else:
            self.call = ("pss_sendRaw", self.target.overlay, topic)
        async with await target.subscribe("pss", "receive", topic, self.mode == "raw", False) as messages:

            async def count() -> None:
                async for _ in messages:
                    self.arrivals.put_nowait(time.monotonic())

            counting = asyncio.create_task(count())
            try:
                yield self
            finally:
                counting.cancel()
                await asyncio.gather(counting, return_exceptions=True)

    async def send(self) -> None:
        method, *params = self.call
        await self.source.rpc.call(method, *params, "0x" + secrets.token_hex(MESSAGE_BYTES))

    async def rate(self, count: int) -> tuple[int, float]:
        """Send `count` messages, WINDOW at a time: how many arrived, and in how many seconds."""
        slots = asyncio.Semaphore(WINDOW)

        async def one() -> None:
            async with slots:
                await self.send()

        started = last = time.monotonic()
        delivered = 0
        sending = asyncio.gather(*(one() for _ in range(count)))
        try:
            async with asyncio.timeout(DELIVERY_TIMEOUT_S):
                while delivered < count:
                    last = await self.arrivals.get()
                    delivered += 1
        except TimeoutError:
            print(f"only {delivered} of {count} arrived", file=sys.stderr)
        await sending
        return delivered, last - started

    async def latencies_ms(self, rounds: int) -> list[float]:
        """One message in flight at a time; sorted."""
        out = []
        for _ in range(rounds):
            started = time.monotonic()
            await self.send()
            out.append((await asyncio.wait_for(self.arrivals.get(), DELIVERY_TIMEOUT_S) - started) * 1e3)
        return sorted(out)


async def main(command: str) -> int:
    """Measure and print; 0 if every message arrived."""
    complete = True
    with tempfile.TemporaryDirectory(prefix="pss-bench-") as directory:
        path = Path(directory)
        async with running(command, path, 0) as a, running(command, path, 1) as relay, running(command, path, 2) as b:
            await link(a, relay)
            await link(relay, b)
            nodes = (a, relay, b)
            idle = [node.rss_mb() for node in nodes]
            print(f"{'':6}{'delivered':>12}{'per second':>12}{'p50 ms':>9}{'p99 ms':>9}   CPU ms per message:", end="")
            print(" sender relay receiver")
            for mode, count in COUNTS.items():
                async with Course(a, b, mode).open() as course:
                    waits = await course.latencies_ms(LATENCY_ROUNDS)
                    before = [node.cpu_s() for node in nodes]
                    delivered, seconds = await course.rate(count)
                    cpu = [(node.cpu_s() - was) * 1e3 / count for node, was in zip(nodes, before, strict=True)]
                complete &= delivered == count
                print(
                    f"{mode:6}{f'{delivered}/{count}':>12}{delivered / seconds:12.0f}{waits[len(waits) // 2]:9.2f}"
                    f"{waits[int(len(waits) * 0.99) - 1]:9.2f}   " + " ".join(f"{ms:.3f}" for ms in cpu)
                )
            print("resident MB idle " + " ".join(f"{mb:.0f}" for mb in idle), end="; after load ")
            print(" ".join(f"{node.rss_mb():.0f}" for node in nodes), end="; ")
            print("start to RPC s " + " ".join(f"{node.start_s:.2f}" for node in nodes))
    return 0 if complete else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default=COMMAND, help="how to start a node")
    sys.exit(asyncio.run(main(parser.parse_args().command)))
