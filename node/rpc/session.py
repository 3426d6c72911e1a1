"""One connection: messages in, answers out, the same over every transport (spec 03 sections 1-3, 4.1).

Synchronous methods run where the message is read, without a task; coroutine methods run in a task each, so that one
that waits does not stop the others. The session owns these tasks: they end with the connection. The other end may be
called as well (`Responses`), connections being symmetric.

Deliberately unknown here: sockets and frames (`ipc`, `http`, `ws`, `links`), which implement `Outlet`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Protocol

from node.errors import RPCError
from node.rpc.dispatch import Failed, Pending, call, failure, finish, not_found
from node.rpc.encoding import cannot_unmarshal
from node.rpc.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    SUBSCRIBE_SUFFIX,
    UNSUBSCRIBE_SUFFIX,
    Kind,
    Message,
    batch_items,
    classify,
    error_text,
    result_text,
)
from node.rpc.output import SERVER_ERROR, encode_string
from node.rpc.registry import Method, Registry
from node.rpc.stream import MAX_MESSAGE_CHARS, StreamReader, Value
from node.rpc.subscriptions import Notifier, Subscriptions

MAX_RUNNING_CALLS = 10_000
"""Most coroutine calls that run at a time on one connection. Source: ours; each holds a task and its arguments."""


class Outlet(Protocol):
    """The sending half of a transport."""

    def send(self, messages: list[str]) -> None:
        """Queue messages, each without its newline. Never blocks and never raises."""

    def finish(self) -> None:
        """Close once everything sent so far is out."""


class Responses(Protocol):
    """Who waits for answers and events from the other end."""

    def handle_response(self, message: Message) -> None:
        """An answer; it may be to nothing we asked."""

    def handle_notification(self, message: Message) -> None:
        """An event; it may be of no subscription we know."""


class Session:
    """The conversation on one connection.

    Args:
        registry: what may be called here.
        outlet: where answers go.
        notifications: whether subscriptions are possible; not over HTTP.
        responses: who waits for answers; without one they are dropped.
        max_message_chars: longest message in a stream; a longer one ends the session.

    Attributes:
        failure: why what came in could not be read, for whoever tells of the end; "" as long as it could.
    """

    def __init__(
        self,
        registry: Registry,
        outlet: Outlet,
        *,
        notifications: bool = True,
        responses: Responses | None = None,
        max_message_chars: int = MAX_MESSAGE_CHARS,
    ) -> None:
        self.failure = ""
        self._registry, self._outlet, self._responses = registry, outlet, responses
        self._notifications = notifications
        self._reader = StreamReader(max_chars=max_message_chars)
        self._out: list[str] = []
        self._flush_planned = False
        self._reading = False  # answers written meanwhile leave together when the read is worked off
        self._subscriptions = Subscriptions(self._write)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False  # nothing more is read; running calls finish
        self._ended = False

    # -- what the transport calls ------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Bytes of a stream, cut anywhere. A syntax error ends the session once running calls are answered."""
        if self._ending:
            return
        self._reading = True
        try:
            for item in self._reader.receive_data(data):
                if self._ended:  # a method has cut its own connection
                    break
                self._handle(item)
        finally:
            self._reading = False
        error = self._reader.error
        if error is not None:
            self.fail(str(error))
        self._flush()

    def receive_value(self, item: Value) -> None:
        """One message of a transport that has frames."""
        if not self._ending:
            self._handle(item)
            self._flush()

    def receive_eof(self) -> None:
        """The other end sends no more; running calls finish and are answered, then the outlet is told to finish."""
        if self._ending:
            return
        for item in self._reader.receive_eof():
            self._handle(item)
        self._ending = True
        self._finish_if_idle()

    def fail(self, reason: str) -> None:
        """Answer -32700 and end like at the end of input."""
        if not self._ending:
            self._ending, self.failure = True, reason
            self._write(error_text("null", PARSE_ERROR, reason))
            self._finish_if_idle()

    def abort(self) -> None:
        """The connection is gone: end subscriptions, cancel running calls. Await `wait_closed` afterwards."""
        if self._ended:
            return
        self._ending = self._ended = True
        self._out.clear()
        self._subscriptions.close()
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        """Until no call runs any more."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    def post(self, text: str) -> None:
        """Send a message of our own, such as a call to the other end."""
        self._write(text)

    # -- writing -----------------------------------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        if self._ended:
            return
        self._out.append(text)
        if not (
            self._reading or self._flush_planned
        ):  # whatever else comes in this turn of the loop leaves in the same write
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush_later)

    def _flush_later(self) -> None:
        self._flush_planned = False
        self._flush()

    def _flush(self) -> None:
        if self._out and not self._ended:
            out, self._out = self._out, []
            self._outlet.send(out)

    def _answer(self, text: str, opened: list[Notifier]) -> None:
        """Write an answer, and after it the early events of the subscriptions that it announces."""
        self._write(text)
        for notifier in opened:
            notifier.activate()

    # -- running calls -----------------------------------------------------------------------------------------------

    def _handle(self, item: Value) -> None:
        if type(item.value) is list:
            self._handle_batch(item)
            return
        opened: list[Notifier] = []
        message = classify(item)
        outcome = self._execute(message, opened)
        if type(outcome) is str:
            self._answer(outcome, opened)
        elif type(outcome) is Pending:
            self._start(self._finish_call(message, outcome, opened), outcome)

    def _handle_batch(self, item: Value) -> None:
        if not item.value:
            self._write(error_text("null", INVALID_REQUEST, "empty batch"))
            return
        messages = [classify(element) for element in batch_items(item)]
        answers: list[str] = []
        opened: list[Notifier] = []
        for index, message in enumerate(messages):
            outcome = self._execute(message, opened)
            if type(outcome) is Pending:  # only now is a task needed, for this call and what follows
                rest = messages[index + 1 :]
                self._start(self._finish_batch(message, outcome, rest, answers, opened), outcome)
                return
            if type(outcome) is str:
                answers.append(outcome)
        self._answer_batch(answers, opened)

    def _answer_batch(self, answers: list[str], opened: list[Notifier]) -> None:
        if answers:
            self._answer(f"[{','.join(answers)}]", opened)

    def _execute(self, message: Message, opened: list[Notifier]) -> str | Pending | None:
        """One message: its answer, what to await, or None for what is not answered."""
        kind, id_text, name = message.kind, message.id_text, message.method
        if kind is Kind.CALL:
            method = self._registry.method(name)
            if method is not None:
                return self._limited(call(method, id_text, message.params))
            try:
                if name.endswith(SUBSCRIBE_SUFFIX):
                    return self._limited(self._subscribe(message, opened))
                if name.endswith(UNSUBSCRIBE_SUFFIX):
                    return self._unsubscribe(message)
                raise not_found(name)
            except Exception as error:
                return error_text(id_text, *failure(error, what=name))
        if kind is Kind.NOTIFICATION:
            # nobody would learn the id of a subscription that is asked for like this, so there is none
            method = self._registry.method(name)
            outcome = None if method is None else self._limited(call(method, id_text, message.params))
            return outcome if type(outcome) is Pending else None
        if kind is Kind.INVALID:
            return error_text(id_text, INVALID_REQUEST, "invalid request")
        if self._responses is not None:
            if kind is Kind.RESPONSE:
                self._responses.handle_response(message)
            else:
                self._responses.handle_notification(message)
        return None

    def _limited(self, outcome: str | Pending) -> str | Pending:
        if type(outcome) is Pending and len(self._tasks) >= MAX_RUNNING_CALLS:
            outcome.coroutine.close()
            return error_text(outcome.id_text, SERVER_ERROR, f"more than {MAX_RUNNING_CALLS} calls are running")
        return outcome

    def _subscribe(self, message: Message, opened: list[Notifier]) -> str | Pending:
        if not self._notifications:
            raise RPCError(SERVER_ERROR, "notifications not supported")
        params = message.params
        if type(params) is not list:
            raise RPCError(INVALID_PARAMS, "non-array args")
        if not params or type(params[0]) is not str:
            raise RPCError(INVALID_PARAMS, "expected subscription name as first argument")
        namespace = message.method.partition("_")[0]
        method = self._registry.subscription(namespace, params[0])
        if method is None:
            raise RPCError(METHOD_NOT_FOUND, f'no "{params[0]}" subscription in {namespace} namespace')
        arguments = method.arguments(params, skip=1)
        notifier = self._subscriptions.open(namespace)
        try:
            result = method.function(notifier, *arguments)
        except Exception:
            self._subscriptions.end(notifier.id)
            raise
        opened.append(notifier)
        id_json = encode_string(notifier.id)
        if method.is_async:
            return Pending(result, message.id_text, method, id_json)
        return result_text(message.id_text, id_json)

    def _unsubscribe(self, message: Message) -> str:
        (subscription_id,) = _UNSUBSCRIBE.arguments(message.params)
        if not self._subscriptions.end(str(subscription_id)):
            raise RPCError(SERVER_ERROR, "subscription not found")
        return result_text(message.id_text, "true")

    # -- tasks -------------------------------------------------------------------------------------------------------

    def _start(self, coroutine: Coroutine[None, None, None], first: Pending) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._task_done(task, first))

    def _task_done(self, task: asyncio.Task[None], first: Pending) -> None:
        self._tasks.discard(task)
        first.coroutine.close()  # it never began when the task was cancelled before its first turn
        if not task.cancelled():
            task.result()  # a task that fails is a bug of this module: let the loop report it
        self._finish_if_idle()

    async def _finish_call(self, message: Message, pending: Pending, opened: list[Notifier]) -> None:
        answer = await self._outcome(message, pending, opened)
        if answer is not None:
            self._answer(answer, opened)

    async def _outcome(self, message: Message, pending: Pending, opened: list[Notifier]) -> str | None:
        outcome = await finish(pending)
        if type(outcome) is Failed:
            if pending.fixed_result is not None:
                self._subscriptions.end(opened.pop().id)
            outcome = outcome.answer
        return None if message.kind is Kind.NOTIFICATION else str(outcome)

    async def _finish_batch(
        self, message: Message, pending: Pending, rest: list[Message], answers: list[str], opened: list[Notifier]
    ) -> None:
        answer = await self._outcome(message, pending, opened)
        if answer is not None:
            answers.append(answer)
        for following in rest:
            outcome = self._execute(following, opened)
            if type(outcome) is Pending:
                outcome = await self._outcome(following, outcome, opened)
            if outcome is not None:
                answers.append(str(outcome))
        self._answer_batch(answers, opened)

    def _finish_if_idle(self) -> None:
        if self._ending and not self._tasks and not self._ended:
            self._flush()
            self._ended = True
            self._subscriptions.close()
            self._outlet.finish()


class _SubscriptionId:
    """The parameter of an unsubscribe call."""

    @classmethod
    def from_json(cls, value: object) -> str:
        if value is None or type(value) is str:
            return value or ""
        raise cannot_unmarshal(value, "rpc.ID")


def _unsubscribe_signature(subscription_id: _SubscriptionId) -> None:
    """Only its signature is used."""


_UNSUBSCRIBE = Method("", _unsubscribe_signature)
