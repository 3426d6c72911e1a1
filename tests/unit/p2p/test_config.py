"""node.p2p.config: what follows from the settings."""

from __future__ import annotations

import pytest

from node.enode import parse_ip
from node.p2p.config import ServerConfig


@pytest.mark.parametrize(
    ("listen_addr", "own_ip"),
    [
        ("", "127.0.0.1"),
        (":30303", "127.0.0.1"),
        ("0.0.0.0:30303", "127.0.0.1"),
        ("[::]:30303", "127.0.0.1"),
        ("localhost:0", "127.0.0.1"),
        ("10.1.2.3:0", "10.1.2.3"),
        ("[fd00::5]:0", "fd00::5"),
    ],
)
def test_the_address_we_give_is_the_one_we_listen_on_if_there_is_one(listen_addr: str, own_ip: str) -> None:
    assert ServerConfig(listen_addr=listen_addr).own_ip == parse_ip(own_ip)
    told = ServerConfig(listen_addr=listen_addr, advertise_ip=parse_ip("192.168.0.7"))
    assert told.own_ip == parse_ip("192.168.0.7")
