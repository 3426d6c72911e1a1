"""Handlers by topic and the capability record (spec 06 section 4.1)."""

from __future__ import annotations

import pytest

from node.errors import UnknownTopic
from node.pss.handlers import Capability, Handler, HandlerRegistry
from node.pss.topic import topic_from_text

FOO, BAR = topic_from_text("foo"), topic_from_text("bar")


def handler(*, raw: bool = False, prox: bool = False) -> Handler:
    return Handler(callback=lambda _: None, raw=raw, prox=prox)


def test_no_record_without_a_handler() -> None:
    registry = HandlerRegistry()
    assert registry.capability(FOO) is None
    assert registry.listening(FOO, raw=False) == ()


def test_bits_add_up() -> None:
    registry = HandlerRegistry()
    registry.register(FOO, handler())
    assert registry.capability(FOO) == Capability(raw=False, prox=False)
    registry.register(FOO, handler(raw=True))
    assert registry.capability(FOO) == Capability(raw=True, prox=False)
    registry.register(FOO, handler(prox=True))
    assert registry.capability(FOO) == Capability(raw=True, prox=True)
    assert registry.capability(BAR) is None
    assert registry.topics() == [FOO]


def test_raw_messages_go_to_raw_handlers_only() -> None:
    registry, plain, raw = HandlerRegistry(), handler(), handler(raw=True)
    registry.register(FOO, plain)
    registry.register(FOO, raw)
    assert registry.listening(FOO, raw=True) == (raw,)
    # ... but an encrypted message is given to raw handlers too.
    assert registry.listening(FOO, raw=False) == (plain, raw)


def test_a_prox_handler_silences_the_others() -> None:
    registry, plain, prox = HandlerRegistry(), handler(raw=True), handler(prox=True)
    registry.register(FOO, plain)
    registry.register(FOO, prox)
    assert registry.listening(FOO, raw=False) == (prox,)
    assert registry.listening(FOO, raw=True) == ()


def test_only_the_one_handler_is_removed() -> None:
    """The reference would remove all of them."""
    registry, plain, prox = HandlerRegistry(), handler(), handler(prox=True, raw=True)
    registry.register(FOO, plain)
    registry.register(FOO, prox)
    registry.deregister(FOO, prox)
    assert registry.listening(FOO, raw=False) == (plain,)
    assert registry.capability(FOO) == Capability(raw=False, prox=False)


def test_the_record_outlives_the_last_handler() -> None:
    registry, one = HandlerRegistry(), handler(raw=False, prox=True)
    registry.register(FOO, one)
    registry.deregister(FOO, one)
    assert registry.listening(FOO, raw=False) == ()
    assert registry.capability(FOO) == Capability(raw=False, prox=True)
    assert registry.topics() == []
    registry.register(FOO, handler(raw=True))
    assert registry.capability(FOO) == Capability(raw=True, prox=True)


def test_equal_handlers_are_two() -> None:
    registry = HandlerRegistry()
    callback = handler().callback
    one, two = Handler(callback=callback), Handler(callback=callback)
    registry.register(FOO, one)
    registry.register(FOO, two)
    registry.deregister(FOO, one)
    assert registry.listening(FOO, raw=False) == (two,)


def test_deregistering_a_stranger() -> None:
    registry = HandlerRegistry()
    registry.register(FOO, handler())
    with pytest.raises(UnknownTopic, match="2c26b46b"):
        registry.deregister(FOO, handler())
    with pytest.raises(UnknownTopic):
        registry.deregister(BAR, handler())
