"""Protocols and services of somebody's own module, named as ``module:NAME`` (docs/own-protocol.md).

A NAME is one of three things:

- a :class:`~node.p2p.protocol.Protocol`, as :func:`~node.p2p.typed.typed_protocol` makes it;
- a :class:`~node.service.service.Service` class;
- any other callable that takes the node's :class:`~node.service.service.ServiceContext` and gives a Service.
"""

from __future__ import annotations

import difflib
import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from node.errors import ConfigError
from node.p2p.protocol import Protocol
from node.service.service import Service, ServiceConstructor, ServiceContext

log = logging.getLogger(__name__)

EXPECTED = "a Protocol (what typed_protocol returns), a Service class, or a callable that takes a ServiceContext"
EXPECTED_OVER_PSS = "a Protocol (what typed_protocol returns)"
WHERE = "--load-path or PSS_LOAD_PATH says in which folder to look"


class LoadedProtocols(Service):
    """Brings protocols that came without a service."""

    def __init__(self, protocols: Sequence[Protocol]) -> None:
        self._protocols = tuple(protocols)

    def protocols(self) -> Sequence[Protocol]:
        return self._protocols


def find_modules_in(directory: Path) -> None:
    """Let modules of a folder be imported. What is installed comes first, so that no file there can take its place.

    Raises:
        ConfigError: there is no such folder, or it cannot be read.
    """
    try:
        next(directory.iterdir(), None)
    except OSError as error:
        raise ConfigError(f"load path {directory}: {(error.strerror or str(error)).lower()}; {WHERE}") from None
    if str(directory) not in sys.path:
        sys.path.append(str(directory))


def load_services(names: Sequence[str]) -> list[ServiceConstructor]:
    """What to register on a node, in the order of `names`; protocols together in one service, the last.

    Raises:
        ConfigError: names the module, the attribute, and what was expected.
    """
    constructors: list[ServiceConstructor] = []
    protocols: list[Protocol] = []
    for name in names:
        found = _attribute("load", name)
        if isinstance(found, Protocol):
            protocols.append(found)
        elif callable(found):
            constructors.append(_Constructor(name, found))
        else:
            raise ConfigError(f"--load {name}: expected {EXPECTED}; it is {_described(found)}")
    if protocols:
        constructors.append(lambda context: LoadedProtocols(protocols))
    return constructors


def load_protocols(names: Sequence[str]) -> list[Protocol]:
    """Protocols to mount on pss. Raises like :func:`load_services`."""
    protocols = []
    for name in names:
        found = _attribute("load-over-pss", name)
        if not isinstance(found, Protocol):
            raise ConfigError(f"--load-over-pss {name}: expected {EXPECTED_OVER_PSS}; it is {_described(found)}")
        protocols.append(found)
    return protocols


class _Constructor:
    """Calls what was loaded, and says what was wrong with it."""

    def __init__(self, name: str, make: ServiceConstructor) -> None:
        self._name, self._make = name, make

    def __call__(self, context: ServiceContext) -> Service:
        try:
            service = self._make(context)
        except Exception as error:
            log.exception("--load %s failed", self._name)
            raise ConfigError(
                f"--load {self._name}: calling it with the node's ServiceContext failed: {_shown(error)}"
            ) from error
        if not isinstance(service, Service):
            raise ConfigError(
                f"--load {self._name}: expected it to give a Service; what it gave is {_described(service)}"
            )
        return service


def _attribute(flag: str, name: str) -> object:
    module_name, _, attribute = name.partition(":")
    module = _module(f"--{flag} {name}", module_name)
    try:
        return getattr(module, attribute)
    except AttributeError:
        similar = difflib.get_close_matches(attribute, list(vars(module)), n=1)
        hint = f"; did you mean {similar[0]!r}?" if similar else ""
        where = getattr(module, "__file__", None) or "built in"
        raise ConfigError(f"--{flag} {name}: module {module_name} ({where}) has no {attribute!r}{hint}") from None


def _module(what: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever its author did at the top of it
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise ConfigError(f"{what}: there is no module {name!r}; {WHERE}") from None
        log.exception("importing %s failed", name)
        raise ConfigError(f"{what}: importing module {name} failed: {_shown(error)}") from error


def _shown(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _described(thing: object) -> str:
    return "a Service object, not its class" if isinstance(thing, Service) else f"of type {type(thing).__name__}"
