"""node.p2p.admission: who may connect (spec 02 sections 2.1, 9.4 and 9.5)."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from node.disconnect import DisconnectReason
from node.enode import parse_ip
from node.ids import NodeId
from node.p2p.admission import INBOUND_THROTTLE_S, Candidate, InboundThrottle, Limits, check, loses_crossing

OWN, SOMEBODY = NodeId(b"\x00" * 32), NodeId(b"\x01" * 32)
FULL, DUPLICATE, SELF = (
    DisconnectReason.TOO_MANY_PEERS,
    DisconnectReason.ALREADY_CONNECTED,
    DisconnectReason.SELF,
)


def others(count: int, *, inbound: bool = True) -> dict[NodeId, bool]:
    return {NodeId(bytes([0xF0, n]) + bytes(30)): inbound for n in range(count)}


def verdict(
    *,
    node: NodeId = SOMEBODY,
    inbound: bool = True,
    static: bool = False,
    peers: dict[NodeId, bool] | None = None,
    trusted: bool = False,
    max_peers: int = 3,
    max_inbound: int = 3,
) -> DisconnectReason | None:
    return check(
        Candidate(id=node, inbound=inbound, static=static),
        own_id=OWN,
        peers=peers or {},
        trusted={node} if trusted else set(),
        limits=Limits(max_peers=max_peers, max_inbound=max_inbound),
    )


def test_up_to_the_limit() -> None:
    assert verdict(peers=others(2)) is None
    assert verdict(peers=others(3)) is FULL


def test_no_peers_at_all() -> None:
    assert verdict(max_peers=0, max_inbound=0) is FULL
    assert verdict(max_peers=0, max_inbound=0, inbound=False) is FULL


def test_static_dials_pass_the_limit_on_the_dialing_side() -> None:
    assert verdict(peers=others(3), inbound=False, static=True) is None
    assert verdict(peers=others(3), inbound=False) is FULL


def test_inbound_has_its_own_limit() -> None:
    assert verdict(peers=others(1), max_inbound=1) is FULL
    assert verdict(peers=others(1), max_inbound=1, inbound=False) is None
    assert verdict(peers=others(1, inbound=False), max_inbound=1) is None


def test_trusted_nodes_pass_both_limits() -> None:
    assert verdict(peers=others(3), trusted=True) is None
    assert verdict(peers=others(3), trusted=True, max_inbound=0, max_peers=0) is None


def test_a_duplicate_is_refused_even_if_trusted_or_static() -> None:
    for special in ({"trusted": True}, {"static": True, "inbound": False}, {}):
        assert verdict(peers={SOMEBODY: True}, **special) is DUPLICATE  # type: ignore[arg-type]


def test_own_identity_is_refused_even_if_trusted() -> None:
    assert verdict(node=OWN) is SELF
    assert verdict(node=OWN, trusted=True) is SELF


def test_the_first_rule_wins() -> None:
    assert verdict(peers={SOMEBODY: True, **others(2)}) is FULL
    assert verdict(node=OWN, peers=others(3)) is FULL
    assert verdict(node=OWN, peers={OWN: False}) is DUPLICATE
    assert verdict(peers={SOMEBODY: True, **others(2)}, trusted=True) is DUPLICATE


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_of_two_crossing_connections_both_sides_give_up_the_same_one(a: bytes, b: bytes) -> None:
    if a == b:
        return
    one, other = NodeId(a), NodeId(b)
    dialed_by_one = (
        loses_crossing(own_id=one, remote_id=other, inbound=False),
        loses_crossing(own_id=other, remote_id=one, inbound=True),
    )
    dialed_by_other = (
        loses_crossing(own_id=one, remote_id=other, inbound=True),
        loses_crossing(own_id=other, remote_id=one, inbound=False),
    )
    assert dialed_by_one in ((True, True), (False, False))
    assert dialed_by_other == tuple(not lost for lost in dialed_by_one)


# -- the throttle

REMOTE, ANOTHER = parse_ip("203.0.113.7"), parse_ip("203.0.113.8")


def test_one_attempt_in_30_s() -> None:
    throttle = InboundThrottle()
    assert INBOUND_THROTTLE_S == 30.0
    assert throttle.admit(REMOTE, 100.0)
    assert not throttle.admit(REMOTE, 100.0)
    assert not throttle.admit(REMOTE, 129.9)
    assert throttle.admit(REMOTE, 130.0)


def test_a_refused_attempt_does_not_extend_the_wait() -> None:
    throttle = InboundThrottle()
    throttle.admit(REMOTE, 0.0)
    assert not throttle.admit(REMOTE, 29.0)
    assert throttle.admit(REMOTE, 30.0)


def test_addresses_are_told_apart() -> None:
    throttle = InboundThrottle()
    assert throttle.admit(REMOTE, 0.0)
    assert throttle.admit(ANOTHER, 1.0)
    assert not throttle.admit(ANOTHER, 30.5)
    assert throttle.admit(REMOTE, 30.5)


def test_the_local_network_is_exempt() -> None:
    throttle = InboundThrottle()
    assert all(throttle.admit(parse_ip("127.0.0.1"), 0.0) for _ in range(3))
    assert all(throttle.admit(parse_ip("192.168.0.5"), 0.0) for _ in range(3))


def test_expired_entries_are_forgotten() -> None:
    throttle = InboundThrottle()
    for n in range(1000):
        assert throttle.admit(ipaddress.ip_address(0xCB007100 + n), n * 0.01)
    assert throttle.admit(REMOTE, 1000.0)
    assert len(throttle._expires) == 1
