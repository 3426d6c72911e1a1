"""Finding the container engine and talking to it from several threads."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from orchestrator.errors import RuntimeUnavailable

if TYPE_CHECKING:
    import docker

PING_TIMEOUT_S = 5
"""For the engine's first answer; a socket with nobody behind it must not hold up the fallback to processes."""
CALL_TIMEOUT_S = 120
"""For one engine call. A read that times out leaves an object that nobody knows, so it is generous."""
DEFAULT_SOCKET = "unix:///var/run/docker.sock"
REQUIRE_VARIABLE = "LAB_REQUIRE_DOCKER"
"""Set to 1, a missing engine is an error instead of a reason to use processes."""
START_HINT = "start Docker (Linux: sudo systemctl start docker, or dockerd), then: lab up --runtime docker"


class Engine:
    """A container engine that answered. Its clients are per thread: docker-py's are not safe to share."""

    def __init__(self) -> None:
        """Connect.

        Raises:
            RuntimeUnavailable: none answers; says why.
        """
        self._local = threading.local()
        self._clients: list[docker.DockerClient] = []
        self._lock = threading.Lock()
        self._host = _host()
        client = self._connect(PING_TIMEOUT_S)
        try:
            self.version: str = client.version()["Version"]
        except Exception as error:  # docker-py lets requests' and urllib3's errors through
            raise self._unavailable(error) from None
        finally:
            client.close()

    @property
    def client(self) -> docker.DockerClient:
        """The calling thread's client."""
        client: docker.DockerClient | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._connect(CALL_TIMEOUT_S)
            with self._lock:
                self._clients.append(client)
        return client

    @property
    def address(self) -> str:
        """Where it answers."""
        return self._host or os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET

    @property
    def is_local(self) -> bool:
        """Whether it is reached over a socket of this machine, and so sees its folders."""
        return self.address.startswith(("unix:", "npipe:"))

    def close(self) -> None:
        """Close the clients of all threads."""
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients.clear()
        self._local = threading.local()

    def _connect(self, timeout_s: int) -> docker.DockerClient:
        import docker
        import docker.errors

        try:
            if self._host:
                return docker.DockerClient(base_url=self._host, timeout=timeout_s)
            return docker.from_env(timeout=timeout_s)
        except docker.errors.DockerException as error:
            raise self._unavailable(error) from None

    def _unavailable(self, error: Exception) -> RuntimeUnavailable:
        return RuntimeUnavailable(f"no Docker engine answers at {self.address}: {_innermost(error)}", hint=START_HINT)


def _innermost(error: BaseException) -> str:
    """The system's own words, from under the layers that docker-py and its libraries put around them."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)


def _host() -> str:
    """The socket of the current docker context (Docker Desktop has one), unless DOCKER_HOST says otherwise."""
    if os.environ.get("DOCKER_HOST"):
        return ""
    try:
        from docker import ContextAPI

        context = ContextAPI.get_current_context()
        return context.Host or "" if context is not None else ""
    except Exception:  # a broken context file must not be worse than none
        return ""


def engine_required() -> bool:
    """Whether the environment insists on containers."""
    return os.environ.get(REQUIRE_VARIABLE, "") not in ("", "0")
