"""One connection without a socket: order, concurrency, errors, subscriptions, ends."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from node.rpc import session as session_module
from node.rpc.jsonrpc import Message
from node.rpc.session import Session
from node.rpc.stream import read_first
from tests.unit.rpc.rpc_fixtures import FooAPI, serve


class Recorder:
    """An outlet that can be waited on."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.finished = asyncio.Event()

    def send(self, messages: list[str]) -> None:
        self.writes.append(messages)
        for message in messages:
            self.messages.put_nowait(message)

    def finish(self) -> None:
        self.finished.set()

    async def next(self) -> Any:
        return json.loads(await self.messages.get())


class Conversation:
    def __init__(self, **options: Any) -> None:
        self.api = FooAPI()
        self.out = Recorder()
        self.session = Session(serve(self.api), self.out, **options)

    def send(self, *texts: str) -> list[Any]:
        """Feed the texts; what was answered at once."""
        self.session.receive_data("".join(texts).encode())
        return [json.loads(self.out.messages.get_nowait()) for _ in range(self.out.messages.qsize())]


@pytest.fixture
async def talk() -> Conversation:
    return Conversation()


def call(identifier: object, method: str, *params: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})


def error(identifier: object, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "error": {"code": code, "message": message}}


def result(identifier: object, value: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "result": value}


async def test_transcript_of_the_specification(talk: Conversation) -> None:
    assert talk.send('{"jsonrpc":"2.0","id":1,"method":"foo_helloWorld"}') == [result(1, "foobar")]
    assert talk.send('{"jsonrpc":"2.0","id":null,"method":"foo_helloWorld"}') == [result(None, "foobar")]
    assert talk.send('{"jsonrpc":"2.0","method":"foo_helloWorld"}') == []
    assert talk.send(call(1, "foo_add", 1, 2, 3)) == [error(1, -32602, "too many arguments, want at most 2")]
    unknown = "the method foo_nope does not exist/is not available"
    assert talk.send(call(1, "foo_nope")) == [error(1, -32601, unknown)]
    assert talk.send('{"id":{"a":1},"method":"foo_helloWorld"}') == [error(None, -32600, "invalid request")]
    batch = f'[{call(1, "foo_helloWorld")},{{"method":"foo_helloWorld"}},{call(2, "foo_nope")}]'
    assert talk.send(batch) == [[result(1, "foobar"), error(2, -32601, unknown)]]
    assert talk.send("[]") == [error(None, -32600, "empty batch")]
    assert talk.send("[1]") == [[error(None, -32600, "invalid request")]]
    assert talk.send("null ", "[null]") == [
        error(None, -32600, "invalid request"),
        [error(None, -32600, "invalid request")],
    ]
    assert talk.send(call(1, "rpc_modules")) == [result(1, {"bar": "1.0", "foo": "1.0", "rpc": "1.0"})]


async def test_errors_of_methods(talk: Conversation, caplog: pytest.LogCaptureFixture) -> None:
    assert talk.send(call(1, "foo_nothing")) == [result(1, None)]
    assert talk.send(call(1, "foo_failLab")) == [error(1, -32000, "no <luck>")]
    assert talk.send(call(1, "foo_failRpc")) == [error(1, 7, "own code")]
    assert talk.send(call(1, "foo_unserialisable")) == [error(1, -32000, "json: unsupported type: object")]
    with caplog.at_level(logging.ERROR):
        assert talk.send(call(1, "foo_crash")) == [error(1, -32000, "method handler crashed")]
        talk.send(call(2, "foo_slowCrash"))
        talk.api.release.set()
        assert await talk.out.next() == error(2, -32000, "method handler crashed")
    assert caplog.text.count("KeyError") >= 2
    assert {record.name for record in caplog.records} == {"node.rpc.dispatch"}
    talk.send(call(3, "foo_cancelledWithin"))
    assert await talk.out.next() == error(3, -32000, "method handler crashed")
    assert talk.send(call(4, "foo_helloWorld")) == [result(4, "foobar")]


async def test_notifications_are_executed_silently(talk: Conversation) -> None:
    assert talk.send('{"method":"foo_add","params":[1,2]}', '{"method":"foo_crash"}', '{"method":"foo_nope"}') == []
    assert talk.api.called == [(1, 2)]
    talk.send('{"method":"foo_slow","params":["n"]}', '{"method":"foo_slowCrash"}')
    talk.send('{"method":"foo_subscribe","params":["ticks",1]}')
    talk.api.release.set()
    await talk.session.wait_closed()
    assert talk.api.called == [(1, 2), "n"]
    assert talk.out.writes == []


async def test_a_waiting_method_does_not_stop_the_others(talk: Conversation) -> None:
    assert talk.send(call(1, "foo_slow", "a"), call(2, "foo_helloWorld")) == [result(2, "foobar")]
    assert talk.send(call(3, "foo_slow", "b")) == []
    talk.api.release.set()
    assert await talk.out.next() == result(1, "a")
    assert await talk.out.next() == result(3, "b")


async def test_answers_of_one_read_leave_in_one_write(talk: Conversation) -> None:
    talk.send(call(1, "foo_helloWorld"), call(2, "foo_helloWorld"))
    assert [len(write) for write in talk.out.writes] == [2]


async def test_batch_with_waiting_methods_keeps_its_order(talk: Conversation) -> None:
    talk.send(
        f'[{call(1, "foo_add", 1, 1)},{call(2, "foo_slow", "x")},{{"method":"foo_slow","params":["n"]}},'
        f'{call(3, "foo_slowCrash")},{call(4, "foo_helloWorld")},{{"id":9,"result":1}}]'
    )
    assert talk.send(call(5, "foo_helloWorld")) == [result(5, "foobar")]
    talk.api.release.set()
    answers = await talk.out.next()
    assert [answer["id"] for answer in answers] == [1, 2, 3, 4]
    assert talk.api.called == [(1, 1), "x", "n"]


async def test_batch_of_notifications_is_not_answered(talk: Conversation) -> None:
    assert talk.send('[{"method":"foo_helloWorld"},{"method":"foo_slow","params":["n"]},{"id":1,"result":1}]') == []
    talk.api.release.set()
    await talk.session.wait_closed()
    assert talk.out.writes == []


async def test_syntax_error_waits_for_running_calls(talk: Conversation) -> None:
    (answer,) = talk.send(call(1, "foo_slow", "a"), "{bad}", call(2, "foo_helloWorld"))
    assert answer == error(None, -32700, "invalid character 'b' looking for beginning of object key string")
    assert talk.send(call(3, "foo_helloWorld")) == []
    assert not talk.out.finished.is_set()
    talk.api.release.set()
    assert await talk.out.next() == result(1, "a")
    await talk.out.finished.wait()


async def test_eof_waits_for_running_calls(talk: Conversation) -> None:
    talk.send(call(1, "foo_slow", "a"), "5")
    talk.session.receive_eof()
    assert await talk.out.next() == error(None, -32600, "invalid request")
    assert not talk.out.finished.is_set()
    talk.api.release.set()
    assert await talk.out.next() == result(1, "a")
    await talk.out.finished.wait()


async def test_eof_in_the_middle_is_not_answered(talk: Conversation) -> None:
    assert talk.send('{"id":1,"meth') == []
    talk.session.receive_eof()
    talk.session.receive_eof()
    assert talk.out.finished.is_set()
    assert talk.out.writes == []


async def test_abort_cancels_and_is_silent(talk: Conversation) -> None:
    talk.send(call(1, "foo_slow", "a"))
    talk.send(call(2, "foo_subscribe", "ticks", 0))
    await talk.api.entered.wait()
    talk.session.abort()
    talk.session.abort()
    await talk.session.wait_closed()
    assert talk.api.cancelled.is_set()
    assert talk.api.notifiers[0].closed
    talk.session.post("{}")
    assert talk.send(call(3, "foo_helloWorld")) == []
    assert not talk.out.finished.is_set()


async def test_limit_of_running_calls(talk: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_RUNNING_CALLS", 1)
    assert talk.send(call(1, "foo_slow", "a")) == []
    assert talk.send(call(2, "foo_slow", "b")) == [error(2, -32000, "more than 1 calls are running")]
    assert talk.send(call(3, "foo_subscribe", "slowTicks")) == [error(3, -32000, "more than 1 calls are running")]
    assert talk.send(call(4, "foo_helloWorld")) == [result(4, "foobar")]
    talk.session.abort()
    await talk.session.wait_closed()


async def test_subscription_from_first_to_last_event(talk: Conversation) -> None:
    answer, *events = talk.send(call(1, "foo_subscribe", "ticks", 2))
    identifier = answer["result"]
    assert events == [
        {"jsonrpc": "2.0", "method": "foo_subscription", "params": {"subscription": identifier, "result": number}}
        for number in (0, 1)
    ]
    (notifier,) = talk.api.notifiers
    for number in range(3):
        notifier.notify(number)
    assert [(await talk.out.next())["params"]["result"] for _ in range(3)] == [0, 1, 2]
    assert len(talk.out.writes[-1]) == 3, "events of one turn of the loop leave in one write"
    assert talk.send(call(2, "any_unsubscribe", identifier)) == [result(2, True)]
    assert notifier.closed
    assert talk.send(call(3, "foo_unsubscribe", identifier)) == [error(3, -32000, "subscription not found")]


async def test_events_wait_for_an_answer_that_takes_its_time(talk: Conversation) -> None:
    talk.send(call(1, "foo_subscribe", "slowTicks"))
    assert talk.send(call(2, "foo_helloWorld")) == [result(2, "foobar")]
    talk.api.release.set()
    assert (await talk.out.next())["id"] == 1
    assert (await talk.out.next())["params"]["result"] == "early"


async def test_subscription_in_a_batch_waits_for_the_whole_batch(talk: Conversation) -> None:
    talk.send(f"[{call(1, 'foo_subscribe', 'ticks', 1)},{call(2, 'foo_slow', 'x')}]")
    assert talk.send(call(3, "foo_helloWorld")) == [result(3, "foobar")]
    talk.api.release.set()
    assert [answer["id"] for answer in await talk.out.next()] == [1, 2]
    assert (await talk.out.next())["params"]["result"] == 0


async def test_refused_subscription(talk: Conversation) -> None:
    talk.send(call(1, "foo_subscribe", "refused"))
    assert await talk.out.next() == error(1, -32000, "refused")
    assert talk.api.notifiers[0].closed
    for params, code, text in (
        (["nope"], -32601, 'no "nope" subscription in foo namespace'),
        (["ticks"], -32602, "missing value for required argument 1"),
        ([5], -32602, "expected subscription name as first argument"),
        ([], -32602, "expected subscription name as first argument"),
    ):
        assert talk.send(call(1, "foo_subscribe", *params)) == [error(1, code, text)]
    assert talk.send('{"id":1,"method":"foo_subscribe"}') == [error(1, -32602, "non-array args")]
    wrong = "invalid argument 0: json: cannot unmarshal number into Go value of type rpc.ID"
    assert talk.send(call(1, "foo_unsubscribe", 5)) == [error(1, -32602, wrong)]


async def test_no_subscriptions_over_http() -> None:
    talk = Conversation(notifications=False)
    assert talk.send(call(1, "foo_subscribe", "ticks", 1)) == [error(1, -32000, "notifications not supported")]
    assert talk.send(call(1, "foo_unsubscribe", "0x1")) == [error(1, -32000, "subscription not found")]


async def test_answers_go_to_who_waits_for_them() -> None:
    class Waiting:
        def __init__(self) -> None:
            self.seen: list[Message] = []

        handle_response = handle_notification = lambda self, message: self.seen.append(message)

    waiting = Waiting()
    talk = Conversation(responses=waiting)
    assert talk.send('{"id":1,"result":5}', '{"method":"a_subscription","params":{}}', '[{"id":2,"error":{}}]') == []
    assert [message.id_text for message in waiting.seen] == ["1", "null", "2"]


async def test_framed_messages(talk: Conversation) -> None:
    item = read_first(call(1, "foo_helloWorld").encode())
    assert item is not None
    talk.session.receive_value(item)
    assert await talk.out.next() == result(1, "foobar")
    talk.session.fail("broken")
    assert await talk.out.next() == error(None, -32700, "broken")
    assert talk.out.finished.is_set()
    talk.session.receive_value(item)
    talk.session.fail("again")
    assert talk.out.messages.empty()
