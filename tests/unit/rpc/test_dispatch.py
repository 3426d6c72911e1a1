"""One call to one answer."""

from __future__ import annotations

import asyncio

import pytest

from node.errors import LabError, RPCError
from node.rpc.dispatch import CRASHED, Failed, Pending, call, failure, finish
from node.rpc.registry import Method


async def wait_for(event: asyncio.Event) -> None:
    await event.wait()


def test_call_gives_the_answer_at_once() -> None:
    def double(value: int) -> int:
        return 2 * value

    assert call(Method("a", double), "1.50", [4]) == '{"jsonrpc":"2.0","id":1.50,"result":8}'
    assert '"code":-32602' in str(call(Method("a", double), "1", ["x"]))


async def test_pending_call() -> None:
    async def echo(text: str) -> str:
        return text

    pending = call(Method("a", echo), "1", ["x"])
    assert isinstance(pending, Pending)
    assert await finish(pending) == '{"jsonrpc":"2.0","id":1,"result":"x"}'
    pending = call(Method("a", echo), "1", ["x"])
    assert isinstance(pending, Pending)
    assert await finish(pending._replace(fixed_result='"0x1"')) == '{"jsonrpc":"2.0","id":1,"result":"0x1"}'


async def test_cancellation_of_the_caller_passes_through() -> None:
    pending = Pending(wait_for(asyncio.Event()), "1", Method("a", wait_for_nothing))
    task = asyncio.create_task(finish(pending))
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancellation_within_the_method_is_a_crash() -> None:
    async def method() -> None:
        raise asyncio.CancelledError

    outcome = await finish(Pending(method(), "1", Method("a", method)))
    assert isinstance(outcome, Failed)
    assert CRASHED in outcome.answer


def wait_for_nothing() -> None: ...


def test_failures() -> None:
    assert failure(RPCError(5, "x"), what="a") == (5, "x")
    assert failure(LabError("x"), what="a") == (-32000, "x")
    assert failure(ValueError("secret"), what="a") == (-32000, CRASHED)
