"""JSON-RPC: registries of methods, servers over IPC, HTTP and WebSocket, and a client (spec 03 part I)."""

from __future__ import annotations

from node.rpc.client import RPCClient
from node.rpc.encoding import (
    Base64Bytes,
    ConversionError,
    FixedHex,
    HexBytes,
    IntRange,
    NodeIdHex,
    PrefixedHex,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
)
from node.rpc.http import HTTPServer, HTTPTimeouts
from node.rpc.ipc import IPCServer
from node.rpc.links import HTTPStatusError
from node.rpc.output import encode_json, json_name
from node.rpc.registry import Registry, rpc_method, subscription
from node.rpc.subscriber import NoResult, RPCClientClosed, RPCConnectionLost, Subscription, SubscriptionOverflow
from node.rpc.subscriptions import Notifier
from node.rpc.ws import WSServer

__all__ = [
    "Base64Bytes",
    "ConversionError",
    "FixedHex",
    "HTTPServer",
    "HTTPStatusError",
    "HTTPTimeouts",
    "HexBytes",
    "IPCServer",
    "IntRange",
    "NoResult",
    "NodeIdHex",
    "Notifier",
    "PrefixedHex",
    "RPCClient",
    "RPCClientClosed",
    "RPCConnectionLost",
    "Registry",
    "Subscription",
    "SubscriptionOverflow",
    "Uint8",
    "Uint16",
    "Uint32",
    "Uint64",
    "WSServer",
    "encode_json",
    "json_name",
    "rpc_method",
    "subscription",
]
