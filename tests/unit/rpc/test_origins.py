"""Host and origin rules."""

from __future__ import annotations

import socket

import pytest

from node.rpc.origins import host_allowed, origin_allowed, preflight_headers, websocket_origin_allowed


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        (None, True),
        ("localhost", True),
        ("localhost:8545", True),
        ("LOCALHOST", False),
        ("example.org", False),
        ("example.org:80", False),
        ("127.0.0.1", True),
        ("127.0.0.1:8545", True),
        ("[::1]:8545", True),
        ("::1", True),
        ("[::1]", False),
        ("[localhost]:1", True),
    ],
)
def test_hosts(host: str | None, allowed: bool) -> None:
    assert host_allowed(host, ["LocalHost"]) is allowed


def test_host_lists() -> None:
    assert host_allowed("example.org", ["*"])
    assert not host_allowed("localhost", [])
    assert host_allowed("10.0.0.1", [])


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://a.example", True),
        ("HTTP://A.EXAMPLE", True),
        ("http://x.b.example", True),
        ("http://b.example", False),
        ("http://c.example", False),
    ],
)
def test_cors_origins(origin: str, allowed: bool) -> None:
    assert origin_allowed(origin, ["http://A.example", "http://*.b.example"]) is allowed
    assert origin_allowed(origin, ["*"])


def test_preflight() -> None:
    assert preflight_headers("http://a", "POST", "content-type, x-foo", ["*"]) == {
        "Access-Control-Allow-Origin": "http://a",
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type, X-Foo",
        "Access-Control-Max-Age": "600",
    }
    assert "Access-Control-Allow-Headers" not in preflight_headers("http://a", "GET", None, ["*"])
    for origin, method in ((None, "POST"), ("http://a", None), ("http://a", "PUT"), ("http://b", "POST")):
        assert preflight_headers(origin, method, None, ["http://a"]) == {}


def test_websocket_origins() -> None:
    assert websocket_origin_allowed(None, [])
    assert websocket_origin_allowed("http://LOCALHOST", [])
    assert websocket_origin_allowed(f"http://{socket.gethostname()}", [])
    for origin in ("http://localhost:8546", "https://localhost", "http://example.org", ""):
        assert not websocket_origin_allowed(origin, [])
    assert websocket_origin_allowed("http://Example.org", ["http://example.ORG"])
    assert not websocket_origin_allowed("http://localhost", ["http://example.org"])
    assert websocket_origin_allowed("http://any", ["*"])
