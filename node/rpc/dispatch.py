"""Run one call and turn whatever comes of it into the text of an answer (spec 03 section 2.2).

Deliberately unknown here: connections, tasks and subscriptions (`session`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, NamedTuple

from node.errors import LabError, RPCError
from node.rpc.jsonrpc import METHOD_NOT_FOUND, error_text, result_text
from node.rpc.output import SERVER_ERROR
from node.rpc.registry import Method

CRASHED = "method handler crashed"
"""All that a caller hears of an error that nobody foresaw; the log has the traceback."""

logger = logging.getLogger(__name__)


class Pending(NamedTuple):
    """A call that has begun and has to be awaited.

    Attributes:
        coroutine: the running method.
        id_text: id of the call, as JSON text.
        method: knows how to encode the result; None when `fixed_result` is the answer.
        fixed_result: JSON text that is the result whatever the method returns: a subscription id.
    """

    coroutine: Coroutine[Any, Any, object]
    id_text: str
    method: Method
    fixed_result: str | None = None


class Failed(NamedTuple):
    """A call that has failed; `answer` says so."""

    answer: str


def failure(error: Exception, *, what: object) -> tuple[int, str]:
    """Code and message for an error that a method raised."""
    if isinstance(error, RPCError):
        return error.code, error.message
    if isinstance(error, LabError):
        return SERVER_ERROR, str(error)
    logger.error("%s crashed", getattr(what, "__qualname__", what), exc_info=error)
    return SERVER_ERROR, CRASHED


def not_found(wire_name: str) -> RPCError:
    """The error for a method that there is not."""
    return RPCError(METHOD_NOT_FOUND, f"the method {wire_name} does not exist/is not available")


def call(method: Method, id_text: str, params: object) -> str | Pending:
    """Run a method. The answer, or what to await for it."""
    try:
        arguments = method.arguments(params)
        result = method.function(*arguments)
        if method.is_async:
            return Pending(result, id_text, method)
        return result_text(id_text, method.encode(result))
    except Exception as error:
        return error_text(id_text, *failure(error, what=method.function))


async def finish(pending: Pending) -> str | Failed:
    """Await a call. Cancellation of the calling task passes through."""
    try:
        result = await pending.coroutine
        encoded = pending.method.encode(result) if pending.fixed_result is None else pending.fixed_result
        return result_text(pending.id_text, encoded)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # something inside the method was cancelled, not we
        logger.exception("%s was cancelled from within", pending.method.function)
        return Failed(error_text(pending.id_text, SERVER_ERROR, CRASHED))
    except Exception as error:
        return Failed(error_text(pending.id_text, *failure(error, what=pending.method.function)))
