"""Which Python callable answers which wire name (spec 03 section 2).

`node_info` of an object registered as `admin` answers `admin_nodeInfo`. Signatures are read from type hints once, at
registration. Deliberately unknown here: connections, and how an answer is sent.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from node.errors import RPCError
from node.rpc.arguments import Decoder, decoder_for, encoder_for, optional_type
from node.rpc.jsonrpc import (
    INVALID_PARAMS,
    MISSING,
    NOTIFICATION_SUFFIX,
    SUBSCRIBE_SUFFIX,
    UNSUBSCRIBE_SUFFIX,
)
from node.rpc.output import encode_json, lower_camel

API_VERSION = "1.0"
"""What `rpc_modules` says about every namespace. Source: spec 03 section 2."""

_RESERVED = (SUBSCRIBE_SUFFIX, UNSUBSCRIBE_SUFFIX, NOTIFICATION_SUFFIX)
_REQUIRED = object()

F = TypeVar("F", bound=Callable[..., Any])


def rpc_method(name: str) -> Callable[[F], F]:
    """Give a method a wire name that its Python name does not lead to: `@rpc_method("iD")`."""

    def mark(function: F) -> F:
        function.__rpc_name__ = name  # type: ignore[attr-defined]
        return function

    return mark


def subscription(name: str) -> Callable[[F], F]:
    """Declare a subscription: a method that takes a `Notifier`, then the caller's arguments.

    It arranges for events to go to `notifier.notify` and returns; `notifier.on_close` tells it when to stop.
    """

    def mark(function: F) -> F:
        function.__rpc_subscription__ = name  # type: ignore[attr-defined]
        return function

    return mark


class Method:
    """One callable with its signature worked out.

    Attributes:
        function: the bound callable.
        is_async: whether calling it gives a coroutine.
    """

    __slots__ = ("_decoders", "_defaults", "_encode", "function", "is_async", "namespace")

    def __init__(self, namespace: str, function: Callable[..., Any], *, skip: int = 0) -> None:
        """Read the signature of `function`, leaving out its first `skip` parameters.

        Raises:
            TypeError: a parameter whose type has no JSON form, or that cannot be given by position.
        """
        self.namespace, self.function = namespace, function
        self.is_async = inspect.iscoroutinefunction(function)
        hints = _hints(function)
        self._decoders: list[Decoder] = []
        self._defaults: list[object] = []
        for parameter in list(inspect.signature(function).parameters.values())[skip:]:
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty:
                continue
            if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                raise TypeError(f"{_name_of(function)}: parameter {parameter} cannot be given by position")
            hint = hints.get(parameter.name, Any)
            try:
                self._decoders.append(decoder_for(hint))
            except TypeError as error:
                raise TypeError(f"{_name_of(function)}: parameter {parameter.name}: {error}") from None
            if parameter.default is not parameter.empty:
                self._defaults.append(parameter.default)
            else:
                self._defaults.append(_REQUIRED if optional_type(hint) is None else None)
        self._encode = encoder_for(hints.get("return", Any))

    def arguments(self, params: object, *, skip: int = 0) -> list[object]:
        """Convert `params` of a message, counting from element `skip` (subscriptions have their name in front).

        Raises:
            RPCError: code -32602, with the texts of spec 03 section 2.1.
        """
        if params is MISSING or params is None:
            params = []
        elif type(params) is not list:
            raise RPCError(INVALID_PARAMS, "non-array args")
        decoders = self._decoders
        arguments: list[object] = []
        for index, value in enumerate(params[skip:] if skip else params):
            if index >= len(decoders):
                raise RPCError(INVALID_PARAMS, f"too many arguments, want at most {len(decoders) + skip}")
            try:
                arguments.append(decoders[index](value))
            except ValueError as error:
                raise RPCError(INVALID_PARAMS, f"invalid argument {index + skip}: {error}") from None
        for index in range(len(arguments), len(decoders)):
            default = self._defaults[index]
            if default is _REQUIRED:
                raise RPCError(INVALID_PARAMS, f"missing value for required argument {index + skip}")
            arguments.append(default)
        return arguments

    def encode(self, result: object) -> str:
        """JSON text of what the callable returned. Raises RPCError when it has none."""
        return encode_json(result if self._encode is None else self._encode(result))


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = getattr(function, "__func__", function)
    if not hasattr(target, "__annotations__"):
        target = type(function).__call__  # an object that is callable
    try:
        return typing.get_type_hints(target, include_extras=True)
    except NameError as error:
        raise TypeError(f"{_name_of(function)}: a type hint cannot be resolved at run time: {error}") from None


def _public_methods(obj: object) -> Iterator[str]:
    for name in dir(type(obj)):
        if not name.startswith("_") and inspect.isroutine(getattr(type(obj), name)):
            yield name


class Registry:
    """Methods and subscriptions by name, and `rpc_modules`.

    Args:
        builtin: whether there is `rpc_modules`; the calling side of a connection has none.
    """

    def __init__(self, *, builtin: bool = True) -> None:
        self._namespaces: set[str] = set()
        self._methods: dict[str, Method] = {}
        self._subscriptions: dict[tuple[str, str], Method] = {}
        self._allowed: frozenset[str] | None = None
        self._modules_method = Method("rpc", self.modules) if builtin else None

    def register(
        self, namespace: str, obj: object, *, methods: Iterable[str] | Mapping[str, str] | None = None
    ) -> None:
        """Expose the public methods of an object. The same namespace again merges, the later one winning.

        Args:
            namespace: part of the wire names before the underscore.
            obj: any object. Methods marked with `subscription` become subscriptions and cannot be called.
            methods: which of them; a mapping gives Python name -> wire name. None exposes every public method.

        Raises:
            ValueError: no namespace, or nothing to expose.
            TypeError: a parameter has no JSON form.
        """
        if not namespace:
            raise ValueError(f"no service name for type {type(obj).__name__}")
        chosen = {name: getattr(obj, name) for name in (_public_methods(obj) if methods is None else methods)}
        names = methods if isinstance(methods, Mapping) else {}
        found: dict[str, Method] = {}
        streams: dict[tuple[str, str], Method] = {}
        for name, function in chosen.items():
            stream = getattr(function, "__rpc_subscription__", None)
            if stream is not None:
                streams[namespace, stream] = Method(namespace, function, skip=1)
                continue
            wire = names.get(name) or getattr(function, "__rpc_name__", None) or lower_camel(name)
            found[f"{namespace}_{wire}"] = Method(namespace, function)
        if not found and not streams:
            raise ValueError(f"service {type(obj).__name__} doesn't have any suitable methods/subscriptions to expose")
        self._namespaces.add(namespace)
        self._subscriptions.update(streams)
        # a name that splits elsewhere, or that means a subscription, could never be called: spec 03 sections 2 and 3
        if "_" not in namespace:
            self._methods.update((wire, method) for wire, method in found.items() if not wire.endswith(_RESERVED))

    def restricted(self, modules: Iterable[str] | None) -> Registry:
        """A view of this registry that shows only some namespaces, and `rpc` always; None shows all.

        What is registered later shows as well. Source: spec 03 section 6, module filter.
        """
        view = Registry(builtin=self._modules_method is not None)
        view._namespaces, view._methods, view._subscriptions = self._namespaces, self._methods, self._subscriptions
        view._allowed = self._allowed if modules is None else frozenset(modules) | {"rpc"}
        if self._allowed is not None and view._allowed is not None:
            view._allowed &= self._allowed
        return view

    def modules(self) -> dict[str, str]:
        """Namespace -> version, which is `rpc_modules`."""
        return {name: API_VERSION for name in sorted(self._namespaces | {"rpc"}) if self._shows(name)}

    def names(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Everything that is shown: wire names of methods, and namespace and name of each subscription."""
        methods = {name for name in [*self._methods, "rpc_modules"] if self.method(name) is not None}
        return sorted(methods), sorted(key for key in self._subscriptions if self._shows(key[0]))

    def method(self, wire_name: str) -> Method | None:
        """The callable for a wire name, None when there is none or it is not shown."""
        found = self._methods.get(wire_name)
        if found is None:
            return self._modules_method if wire_name == "rpc_modules" else None
        return found if self._allowed is None or found.namespace in self._allowed else None

    def subscription(self, namespace: str, name: str) -> Method | None:
        """The subscription of that name, None when there is none or it is not shown."""
        return self._subscriptions.get((namespace, name)) if self._shows(namespace) else None

    def _shows(self, namespace: str) -> bool:
        return self._allowed is None or namespace in self._allowed
