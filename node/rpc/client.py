"""The same client over every transport (spec 03 section 4.4).

::

    async with await RPCClient.connect("/path/to/node.ipc") as client:
        info = await client.call("admin_nodeInfo")
        async with await client.subscribe("admin", "peerEvents") as events:
            async for event in events:
                ...

Deliberately unknown here: sockets (`links`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

from node.errors import LabError, RPCError
from node.rpc.jsonrpc import (
    MISSING,
    SUBSCRIBE_SUFFIX,
    UNSUBSCRIBE_SUFFIX,
    Kind,
    Message,
    batch_items,
    classify,
    error_of,
    request_text,
)
from node.rpc.links import Dialer, HTTPLink, Link, MemoryLink, dial_ipc, dial_ws, parse_scheme
from node.rpc.registry import Registry
from node.rpc.session import Responses
from node.rpc.stream import read_first
from node.rpc.subscriber import NoResult, RPCClientClosed, RPCConnectionLost, Subscription, SubscriptionOverflow

RECONNECT_TIMEOUT_S = 10.0
"""How long a call tries to reconnect, in seconds. Source: spec 03 section 4.4."""

SUPPORTED_MODULES_TIMEOUT_S = 5.0
"""Limit of `RPCClient.supported_modules`, in seconds. Source: spec 03 section 4.4."""


class _Waiting(NamedTuple):
    answer: asyncio.Future[Message]
    subscription: Subscription | None


class RPCClient(Responses):
    """Calls methods of a server. Get one with `connect` or `in_process`."""

    def __init__(self, *, dialer: Dialer | None = None, http: HTTPLink | None = None) -> None:
        self._dialer, self._http = dialer, http
        self._dialing = asyncio.Lock()
        self._link: Link | None = None
        self._links: set[Link] = set()
        self._closed = False
        self._last_id = 0
        self._waiting: dict[str, _Waiting] = {}  # by id, as JSON text
        self._subscriptions: dict[str, Subscription] = {}

    @classmethod
    async def connect(cls, endpoint: str) -> Self:
        """A client of the server at `endpoint`: `http(s)://`, `ws(s)://`, or the path of a Unix socket.

        Raises:
            ConfigError: another URL scheme.
            DialFailed: nobody answers there; not for HTTP, which connects with the first call.
        """
        scheme = parse_scheme(endpoint)
        if scheme.startswith("http"):
            return cls(http=HTTPLink(endpoint))
        client = cls(dialer=partial(dial_ws if scheme else dial_ipc, endpoint))
        await client._open_link()
        return client

    @classmethod
    def in_process(cls, registry: Registry) -> Self:
        """A client of methods in this process, all namespaces included."""

        async def dial(responses: Responses) -> Link:
            return MemoryLink(registry, responses)

        return cls(dialer=dial)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def call(self, method: str, *params: object, timeout: float | None = None) -> Any:
        """The result of a call.

        Args:
            method: wire name.
            params: anything with a JSON form; bytes go as base64, `HexBytes` as hex.
            timeout: in seconds; None waits as long as it takes.

        Raises:
            RPCError: the server says so.
            RPCConnectionLost, RPCClientClosed, NoResult, DialFailed, HTTPStatusError: no answer to speak of.
            TimeoutError: after `timeout`.
        """
        async with asyncio.timeout(timeout):
            if self._http is not None:
                item = read_first(await self._http.exchange(self._request(method, params)))
                return _unwrap(classify(item) if item is not None else None)
            return _unwrap(await self._ask(method, params, None))

    async def batch(
        self, calls: Sequence[tuple[str, Sequence[object]]], *, timeout: float | None = None
    ) -> list[Any | LabError]:
        """Results of several calls sent as one, in their order; a call that failed has its error in its place.

        Args:
            calls: wire name and parameters of each.
            timeout: in seconds, for all of them.
        """
        if not calls:
            return []
        async with asyncio.timeout(timeout):
            if self._http is not None:
                return await self._batch_over_http(self._http, calls)
            link = await self._open_link()
            texts = [self._request(method, tuple(params)) for method, params in calls]
            ids = [str(self._last_id - len(calls) + 1 + index) for index in range(len(calls))]
            futures = [self._expect(id_text, None) for id_text in ids]
            try:
                link.session.post(f"[{','.join(texts)}]")
                answers = await asyncio.gather(*futures, return_exceptions=True)
            finally:
                for id_text in ids:
                    self._waiting.pop(id_text, None)
        return [_outcome(answer) for answer in answers]

    async def _batch_over_http(self, http: HTTPLink, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        first = self._last_id + 1
        text = f"[{','.join([self._request(method, tuple(params)) for method, params in calls])}]"
        item = read_first(await http.exchange(text))
        if item is None or type(item.value) is not list:
            answer = None if item is None else classify(item)
            return [_outcome(answer) for _ in calls]
        answers = {message.id_text: message for message in map(classify, batch_items(item))}
        return [_outcome(answers.get(str(first + index))) for index in range(len(calls))]

    async def subscribe(self, namespace: str, name: str, *params: object, timeout: float | None = None) -> Subscription:
        """Subscribe to events. Not over HTTP.

        Raises:
            RPCError: the server refuses; `notifications not supported` over HTTP.
        """
        if self._http is not None:
            raise RPCError(-32000, "notifications not supported")
        subscription = Subscription(self, namespace)
        async with asyncio.timeout(timeout):
            _unwrap(await self._ask(namespace + SUBSCRIBE_SUFFIX, (name, *params), subscription))
        return subscription

    async def unsubscribe(self, namespace: str, subscription_id: str) -> None:
        """End a subscription at the server, by its id."""
        self._subscriptions.pop(subscription_id, None)
        await self.call(namespace + UNSUBSCRIBE_SUFFIX, subscription_id)

    async def supported_modules(self) -> dict[str, str]:
        """Namespace -> version of what the server offers."""
        modules = await self.call("rpc_modules", timeout=SUPPORTED_MODULES_TIMEOUT_S)
        return dict(modules)

    async def close(self) -> None:
        """End the connection, pending calls and subscriptions. Over HTTP calls remain possible."""
        if self._http is not None:
            await self._http.close()
            return
        self._closed = True
        links = list(self._links)
        for link in links:
            link.abort()
        self._fail_all(RPCClientClosed)
        for link in links:
            await link.wait_closed()

    # -- Responses ---------------------------------------------------------------------------------------------------

    def handle_response(self, message: Message) -> None:
        """See `Responses`."""
        waiting = self._waiting.pop(message.id_text, None)
        if waiting is None:
            return
        subscription = waiting.subscription
        if subscription is not None and type(message.result) is str and message.error is None:
            subscription.id = message.result
            if waiting.answer.done():  # nobody waits for it any more
                self._drop(subscription)
            else:
                self._subscriptions[subscription.id] = subscription
        if not waiting.answer.done():
            waiting.answer.set_result(message)

    def handle_notification(self, message: Message) -> None:
        """See `Responses`."""
        params = message.params
        if type(params) is not dict or type(params.get("subscription")) is not str:
            return
        subscription = self._subscriptions.get(params["subscription"])
        if subscription is not None and not subscription.deliver(params.get("result")):
            del self._subscriptions[subscription.id]
            subscription.end(SubscriptionOverflow())
            self._drop(subscription)

    def _drop(self, subscription: Subscription) -> None:
        """Unsubscribe without waiting for the answer."""
        if self._link is not None:
            method = subscription.namespace + UNSUBSCRIBE_SUFFIX
            self._link.session.post(self._request(method, (subscription.id,)))

    # -- one call ----------------------------------------------------------------------------------------------------

    def _request(self, method: str, params: tuple[object, ...]) -> str:
        text = request_text(self._last_id + 1, method, params)
        self._last_id += 1
        return text

    def _expect(self, id_text: str, subscription: Subscription | None) -> asyncio.Future[Message]:
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[id_text] = _Waiting(future, subscription)
        return future

    async def _ask(self, method: str, params: tuple[object, ...], subscription: Subscription | None) -> Message:
        link = self._link if self._link is not None else await self._open_link()
        text = self._request(method, params)
        id_text = str(self._last_id)
        future = self._expect(id_text, subscription)
        link.session.post(text)
        try:
            return await future
        finally:
            if subscription is None:  # the answer to a subscribe call matters even when nobody waits
                self._waiting.pop(id_text, None)

    async def _open_link(self) -> Link:
        """The link, opened again when it was lost."""
        async with self._dialing:
            if self._closed:
                raise RPCClientClosed
            if self._link is None:
                assert self._dialer is not None
                async with asyncio.timeout(RECONNECT_TIMEOUT_S):
                    link = await self._dialer(self)
                if self._closed:  # meanwhile, when there was no link yet to close
                    link.abort()
                    await link.wait_closed()
                    raise RPCClientClosed
                self._link = link
                self._links.add(link)
                link.closed.add_done_callback(lambda _: self._lost(link))
            return self._link

    def _lost(self, link: Link) -> None:
        self._links.discard(link)
        if self._link is link:
            self._link = None
            if not self._closed:
                why = f": {link.session.failure}" if link.session.failure else ""
                self._fail_all(lambda: RPCConnectionLost(f"connection lost{why}"))

    def _fail_all(self, error: Callable[[], LabError]) -> None:
        self._link = None
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            if not each.answer.done():
                each.answer.set_exception(error())
        subscriptions, self._subscriptions = self._subscriptions, {}
        for subscription in subscriptions.values():
            subscription.end(None if self._closed else error())


def _unwrap(message: Message | None) -> Any:
    if message is not None and message.error is not None:
        raise error_of(message.error)
    if message is None or message.kind is not Kind.RESPONSE or message.result is MISSING:
        raise NoResult
    return message.result


def _outcome(answer: Message | BaseException | None) -> Any:
    if isinstance(answer, BaseException):
        if isinstance(answer, LabError):
            return answer
        raise answer
    try:
        return _unwrap(answer)
    except LabError as error:
        return error
