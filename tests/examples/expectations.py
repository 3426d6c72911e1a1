"""What each actor of each example says, line by line, as patterns of whole lines."""

from __future__ import annotations

import re

HEX8, ID = "[0-9a-f]{8}", "[0-9a-f]{64}"
IP = r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+"
ENODE = rf"enode://[0-9a-f]{{128}}@{IP}:\d+(\?discport=\d+)?"

EXPECTED: dict[str, dict[str, list[str]]] = {
    "a1_server": {
        "server": [f"my enode is {ENODE}", f"my id is {ID}", r"my ip is 127\.0\.0\.1, my port \d+", "stopped"]
    },
    "a2_connect": {
        "alice": ["somebody connected: bob, inbound=True"],
        "bob": ["I connected to alice, inbound=False", r"my peers: \['alice'\]"],
    },
    "a3_events": {
        "alice": [f"add of peer {HEX8}", f"drop of peer {HEX8} disconnect requested", "peers left: 0"],
        "bob": [f"I am {HEX8}", "connected; now I hang up"],
    },
    "a4_message": {
        "alice": [
            "event msgsend: foo code 0, 21 bytes",
            "event msgrecv: foo code 0, 19 bytes",
            "got message 0: b'greetings from bob'",
        ],
        "bob": [
            "event msgsend: foo code 0, 19 bytes",
            "event msgrecv: foo code 0, 21 bytes",
            "got message 0: b'greetings from alice'",
        ],
    },
    "a5_pingpong": {
        "alice": [*(f"ping b'number {n}', I answer" for n in (1, 2, 3)), "my peer is gone: client quitting"],
        "bob": [f"pong b'number {n}'" for n in (1, 2, 3)],
    },
    "b1_ipc": {"server": ["foo_helloWorld answers 'hello bob'", "modules: {'foo': '1.0', 'rpc': '1.0'}", "closed"]},
    "b2_server_rpc": {
        "server": [
            "over RPC I am called 'demo'",
            f"id:     {ID}",
            r"listen: 127\.0\.0\.1:\d+",
            "the same as in the object: True",
            r"peers:  \[\]",
        ]
    },
    "b3_trigger": {
        "alice": ["notified: {'type': 'msgrecv', 'code': 0, 'size': 7}"],
        "bob": ["notified: {'type': 'msgsend', 'code': 0, 'size': 7}"],
    },
    "c1_service_node": {
        "node": [
            "running as [0-9a-f]{16}",
            r"data directory: \['demo', 'demo\.ipc'\]",
            r"instance directory: \['LOCK', 'nodekey'.*\]",
            "stopped",
        ]
    },
    "c2_node_info": {
        "node": [
            f"the object:   {ENODE}",
            f"RPC inside:   {ENODE}",
            f"RPC over IPC: {ENODE}",
            "all the same: True",
        ]
    },
    "c3_two_apis": {
        "node": [
            "ipc   foo_get: 42  bar_double: 84",
            "http  foo_get: 42  bar_double: 84",
            "ws    foo_get: 42  bar_double: error -32601, the method bar_double does not exist/is not available",
        ]
    },
    "c4_ping_service": {
        "alice": ["my counts: {'pings': 3, 'pongs': 0}"],
        "bob": [f"peer {HEX8} was added", "my counts: {'pings': 0, 'pongs': 3}", "ping to a stranger: False"],
    },
    "d1_typed": {
        "waiter": ["order: 2 x coffee", "order: 1 x cake"],
        "guest": [
            "handshake: we are both on network 7",
            r"Order\(dish='coffee', quantity=2\) costs 6",
            r"Order\(dish='cake', quantity=1\) costs 5",
        ],
    },
    "d2_shared_state": {"node": ["foo_get before: 0", "foo_get after bar_set: 42"]},
    "e1_asymmetric": {
        "alice": [r"sent 'bar' on topic 0x2c26b46b for key 0x04[0-9a-f]{8}\.\.\."],
        "bob": ["received b'bar', asymmetric: True", "signed by alice: True"],
    },
    "e2_dark": {
        "relay": ["I passed something on: True; it was for me: False"],
        "alice": [r"my only peer: \['relay'\]", "sent, to no address"],
        "bob": [r"received b'are you there\?'", r"my only peer: \['relay'\]"],
    },
    "e3_symmetric": {
        "alice": [rf"sent with the key that I file as {HEX8}\.\.\."],
        "bob": ["received b'bar', asymmetric: False", rf"with the key that I file as {HEX8}\.\.\.: True"],
    },
    "e4_raw": {
        "alice": ["sent 116 bytes raw, 3 of them the message"],
        "bob": ["received raw from key '': pss does not know who sent it", "inside: b'bar'"],
    },
    "e5_handshake": {
        "relay": [],
        "alice": ["bob gave me 4 keys", "my first key is good for 254 more"],
        "bob": [r"received \[b'first', b'second'\]", "that key I gave to alice: True"],
    },
    "e6_protocol": {
        "relay": [],
        "alice": [
            "I add a peer that I am not connected with, on topic 1b9b83a9",
            r"received Foo\(number=42\)",
        ],
        "bob": [r"received Foo\(number=42\)"],
    },
    "e7_client": {
        "relay": [],
        "alice": ["over WebSocket: handshake done, peer added", "ping sent; what came back is a pong: True"],
        "bob": ["over IPC: what came is a pong: False; I answer"],
    },
    "f1_assemble": {
        "parts": [
            "sender 50f0137d, receiver 7fbc3e4a",
            r"8 peers at proximity orders \[0, 0, 1, 1, 2, 2, 3, 6\], so depth 3",
            f"3 bytes become a message of 247, digest {HEX8}",
            r"it goes to \['the receiver'\]",
            "the receiver reads b'bar'",
            r"and a second time decides: Drop\(reason=<DropReason\.DUPLICATE: 'duplicate'>\)",
        ]
    },
    "f2_echo": {
        "alice": ["sent; I have no peer yet", "the echo: b'sendmeback'"],
        "bob": [f"b'sendmeback' for me, from {HEX8}"],
    },
}


def check(example: str, said: dict[str, list[str]]) -> None:
    """Compare what the actors said with what they should."""
    for actor, patterns in EXPECTED[example].items():
        lines = said.pop(actor, [])
        assert len(lines) == len(patterns), (actor, lines)
        for line, pattern in zip(lines, patterns, strict=True):
            assert re.fullmatch(pattern, line), f"{actor}: {line!r} does not match {pattern!r}"
    assert not said, f"somebody else spoke: {said}"
