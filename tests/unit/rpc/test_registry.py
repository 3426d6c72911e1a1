"""Names, signatures and argument errors."""

from __future__ import annotations

from typing import Any

import pytest

from node.errors import RPCError
from node.rpc.jsonrpc import MISSING
from node.rpc.registry import Registry, rpc_method, subscription
from node.rpc.subscriptions import Notifier


class Foo:
    def hello_world(self) -> str:
        return "foobar"

    def add(self, a: int, b: int) -> int:
        return a + b

    @rpc_method("iD")
    def identity(self) -> str:
        return "id"

    @rpc_method("under_Score")
    def odd(self) -> None: ...

    async def later(self, text: str | None, count: int = 3) -> str | None:
        return text

    @subscription("ticks")
    def ticks(self, notifier: Notifier, step: int) -> None: ...

    @property
    def value(self) -> int:
        raise AssertionError("a property is not a method")

    def subscribe(self) -> None:
        """`foo_subscribe` means something else."""

    def _private(self) -> None: ...

    @staticmethod
    def static(a: int) -> int:
        return a


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.register("foo", Foo())
    return registry


def test_wire_names(registry: Registry) -> None:
    for name in ("foo_helloWorld", "foo_add", "foo_iD", "foo_under_Score", "foo_later", "foo_static", "rpc_modules"):
        assert registry.method(name) is not None, name
    for name in (
        "foo_hello_world",
        "foo_HelloWorld",
        "Foo_helloWorld",
        "foo_identity",
        "foo_odd",
        "foo_ticks",
        "foo_value",
        "foo__private",
        "foo_subscribe",
        "foo",
        "foo_",
        "_helloWorld",
        "",
    ):
        assert registry.method(name) is None, name
    assert registry.subscription("foo", "ticks") is not None
    assert registry.subscription("foo", "add") is None


def test_same_namespace_merges_and_the_later_wins(registry: Registry) -> None:
    class More:
        def add(self) -> str:
            return "other"

        def extra(self) -> None: ...

    registry.register("foo", More())
    add = registry.method("foo_add")
    assert add is not None
    assert add.function() == "other"
    assert registry.method("foo_extra") is not None
    assert registry.method("foo_helloWorld") is not None
    assert registry.modules() == {"foo": "1.0", "rpc": "1.0"}


def test_chosen_methods() -> None:
    registry = Registry()
    registry.register("a", Foo(), methods=["add"])
    registry.register("b", Foo(), methods={"hello_world": "self"})
    assert registry.method("a_add") is not None
    assert registry.method("a_helloWorld") is None
    assert registry.method("b_self") is not None


def test_nothing_to_register() -> None:
    with pytest.raises(ValueError, match="no service name for type Foo"):
        Registry().register("", Foo())
    with pytest.raises(ValueError, match="service object doesn't have any suitable methods/subscriptions to expose"):
        Registry().register("a", object())


def test_unusable_signatures() -> None:
    class Variadic:
        def method(self, *args: int) -> None: ...

    class Unknown:
        def method(self, value: set[int]) -> None: ...

    class Keyword:
        def method(self, *, value: int = 1) -> int:
            return value

    with pytest.raises(TypeError, match="cannot be given by position"):
        Registry().register("a", Variadic())
    with pytest.raises(TypeError, match="parameter value: no JSON form"):
        Registry().register("a", Unknown())
    registry = Registry()
    registry.register("a", Keyword())
    method = registry.method("a_method")
    assert method is not None
    assert method.arguments([]) == []


def test_restricted_views(registry: Registry) -> None:
    registry.register("bar", Foo())
    view = registry.restricted(["bar", "unknown"])
    assert view.method("foo_add") is None
    assert view.method("bar_add") is not None
    assert view.subscription("foo", "ticks") is None
    assert view.modules() == {"bar": "1.0", "rpc": "1.0"}
    assert view.restricted(["foo"]).modules() == {"rpc": "1.0"}
    assert view.restricted(None).modules() == view.modules()
    modules = view.method("rpc_modules")
    assert modules is not None
    assert modules.function() == view.modules()
    assert registry.restricted(None).method("foo_add") is not None
    registry.register("bar", Foo(), methods={"add": "late"})
    assert view.method("bar_late") is not None


def test_calling_side_has_nothing() -> None:
    assert Registry(builtin=False).method("rpc_modules") is None


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("foo_helloWorld", MISSING, []),
        ("foo_helloWorld", None, []),
        ("foo_helloWorld", [], []),
        ("foo_helloWorld", {}, "non-array args"),
        ("foo_helloWorld", "x", "non-array args"),
        ("foo_helloWorld", [1], "too many arguments, want at most 0"),
        ("foo_add", [1, 2], [1, 2]),
        ("foo_add", [None, None], [0, 0]),
        ("foo_add", [1], "missing value for required argument 1"),
        ("foo_add", [], "missing value for required argument 0"),
        ("foo_add", [1, 2, 3], "too many arguments, want at most 2"),
        ("foo_add", ["x", 2, 3], "invalid argument 0: json: cannot unmarshal string into Go value of type int"),
        ("foo_later", [], [None, 3]),
        ("foo_later", [None, None], [None, 0]),
        ("foo_later", ["a", 1], ["a", 1]),
    ],
)
def test_arguments(registry: Registry, name: str, params: object, expected: Any) -> None:
    method = registry.method(name)
    assert method is not None
    if isinstance(expected, list):
        assert method.arguments(params) == expected
    else:
        with pytest.raises(RPCError) as caught:
            method.arguments(params)
        assert (caught.value.code, caught.value.message) == (-32602, expected)


def test_argument_numbers_of_subscriptions_count_the_name(registry: Registry) -> None:
    method = registry.subscription("foo", "ticks")
    assert method is not None
    assert method.arguments(["ticks", 1], skip=1) == [1]
    for params, text in (
        (["ticks"], "missing value for required argument 1"),
        (["ticks", 1, 2], "too many arguments, want at most 2"),
        (["ticks", "x"], "invalid argument 1: json: cannot unmarshal string into Go value of type int"),
    ):
        with pytest.raises(RPCError, match=text):
            method.arguments(params, skip=1)
