"""The gRPC endpoint of a node: control, health and reflection services behind the lab's token."""

from __future__ import annotations

import logging
import os
import socket
from typing import Self

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from node.config import Options
from node.control.auth import TokenInterceptor
from node.control.gen import control_pb2, control_pb2_grpc
from node.control.servicer import ControlServicer
from node.errors import ConfigError
from node.service.stack import ServiceNode

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""Largest control message: the largest pss message and a long way to go; gRPC's own default, said aloud."""
STOP_GRACE_S = 0.5
"""For calls in progress when the node stops."""
SERVICE_NAME: str = control_pb2.DESCRIPTOR.services_by_name["Control"].full_name


class ControlServer:
    """Open while the block runs."""

    def __init__(self, node: ServiceNode, options: Options) -> None:
        self._node, self._options = node, options
        self._server: grpc.aio.Server

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ConfigError: the address cannot be had.
        """
        options = self._options
        # Asked for a trace later, a node that is controlled must have remembered.
        self._node.events.keep_history()
        local = options.control.startswith("unix:")
        self._server = grpc.aio.server(
            interceptors=[] if local else [TokenInterceptor(options.control_token)],
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                # A second node on a port must fail, not share it.
                ("grpc.so_reuseport", 0),
            ],
        )
        control_pb2_grpc.add_ControlServicer_to_server(ControlServicer(self._node, name=options.name), self._server)
        servicer = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)
        reflection.enable_server_reflection((SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        if local:
            _refuse_if_in_use(options.control)
        old_umask = os.umask(0o177)  # a unix socket is for its owner only, from the first moment on
        try:
            self._server.add_insecure_port(options.control)
        except RuntimeError as error:
            raise ConfigError(f"--control {options.control}: the address cannot be had, is it in use?") from error
        finally:
            os.umask(old_umask)
        await self._server.start()
        for service in ("", SERVICE_NAME):
            await servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
        log.info("control on %s", options.control)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(STOP_GRACE_S)


def _refuse_if_in_use(address: str) -> None:
    """gRPC would take the path of a unix socket away from another server without a word.

    Raises:
        ConfigError: somebody listens there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address.removeprefix("unix:"))
        except OSError:
            return  # nobody; whatever else is wrong with the path, gRPC will say
    raise ConfigError(f"--control {address}: another server is listening there")
