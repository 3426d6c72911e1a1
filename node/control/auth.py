"""The lab's bearer token on every call (design: control is closed to whoever does not have the token file)."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

METADATA_KEY = "authorization"
SCHEME = "Bearer "


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls without the token, health checks and reflection included."""

    def __init__(self, token: str) -> None:
        self._expected = (SCHEME + token).encode()
        self._refusal: Any = grpc.unary_unary_rpc_method_handler(_refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        metadata = dict(handler_call_details.invocation_metadata or ())
        given = metadata.get(METADATA_KEY, b"")
        given = given.encode() if isinstance(given, str) else given
        if hmac.compare_digest(given, self._expected):
            return await continuation(handler_call_details)
        return self._refusal


async def _refuse(request: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "missing or wrong bearer token")


def token_metadata(token: str) -> tuple[tuple[str, str], ...]:
    """What a caller sends along."""
    return ((METADATA_KEY, SCHEME + token),) if token else ()
