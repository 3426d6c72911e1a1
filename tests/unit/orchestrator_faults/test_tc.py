"""orchestrator.faults.tc: conditions to commands, and what tc says to conditions."""

from __future__ import annotations

import json

import pytest

from orchestrator.faults.model import Conditions
from orchestrator.faults.tc import (
    MAX_BURST_BYTES,
    MAX_ID,
    NO_KERNEL,
    PACKET_BYTES,
    UNLIMITED_BPS,
    Kernel,
    agrees,
    apply_script,
    read_probe,
    read_state,
)

OWN = "10.1.0.10"
NARROW, SLOW = Conditions(rate_bps=5e5), Conditions(delay_s=0.2, jitter_s=0.02, loss=0.005)
HALF, WHOLE = Kernel(htb=True), Kernel(htb=True, netem=True)


def rows(wanted: dict[str, Conditions]) -> list[str]:
    """One for each peer: number, address, rate, burst, leaf."""
    return apply_script(OWN, wanted).split("<<ROWS", 1)[1].split("ROWS")[0].strip().splitlines()[1:]


@pytest.mark.parametrize(
    ("kernel", "one", "lacks"),
    [
        (WHOLE, Conditions(rate_bps=5e5, delay_s=0.2), ""),
        (HALF, NARROW, ""),
        (HALF, Conditions(rate_bps=5e5, delay_s=0.2), "netem"),
        (HALF, Conditions(jitter_s=0.1), "netem"),
        (HALF, Conditions(loss=0.1), "netem"),
        (HALF, Conditions(rate_bps=UNLIMITED_BPS), ""),
        (HALF, Conditions(rate_bps=UNLIMITED_BPS * 2), "htb"),
        (NO_KERNEL, NARROW, "htb"),
        (Kernel(netem=True), SLOW, "htb"),
    ],
)
def test_a_direction_is_made_by_the_kernel_wholly_or_not_at_all(kernel: Kernel, one: Conditions, lacks: str) -> None:
    assert kernel.lacks(one) == lacks
    assert kernel.can(one) is (not lacks)


def test_a_peer_has_the_number_of_its_address() -> None:
    assert rows({"10.1.0.11": NARROW}) == ["b 10.1.0.11 500000 1600 700b pfifo limit 1000"]
    assert rows({"10.1.5.11": SLOW}) == [
        f"50b 10.1.5.11 {UNLIMITED_BPS} {MAX_BURST_BYTES} 650b "
        "netem limit 100000 delay 200000us 20000us loss random 0.5%"
    ]
    assert rows({"10.1.0.11": Conditions(jitter_s=0.02)})[0].endswith("delay 1us 20000us")
    assert rows({"10.1.0.11": Conditions(loss=1.0, rate_bps=8e3)})[0].endswith("netem limit 100000 loss random 100%")


@pytest.mark.parametrize(
    ("rate_bps", "burst"), [(8e3, PACKET_BYTES), (1e7, 12500), (1e8, 125_000), (1e9, MAX_BURST_BYTES)]
)
def test_bursts_are_a_packet_at_least_and_ten_milliseconds(rate_bps: float, burst: int) -> None:
    assert rows({"10.1.0.11": Conditions(rate_bps=rate_bps)})[0].split()[2:4] == [str(round(rate_bps)), str(burst)]


@pytest.mark.parametrize("addresses", [["10.1.0.11", "10.1.8.11"], ["10.1.0.0"], ["10.1.8.0"]])
def test_peers_of_too_large_a_subnet_are_refused(addresses: list[str]) -> None:
    with pytest.raises(ValueError, match=f"at most {MAX_ID}"):
        apply_script(OWN, dict.fromkeys(addresses, NARROW))


def test_a_thousand_peers_fit_one_argument() -> None:
    """Linux takes 128 KB in one argument (MAX_ARG_STRLEN)."""
    peers = {f"10.1.{index // 250}.{index % 250 + 1}": SLOW for index in range(1000)}
    assert len(rows(peers)) == 1000
    assert len(apply_script(OWN, peers)) < 128 * 1024


CLASSES = """\
class htb 5a5a:b root leaf 700b: prio 0 rate 500Kbit ceil 500Kbit burst 1600b cburst 1600b
class htb 5a5a:c root leaf 600c: prio 0 rate 100Gbit ceil 100Gbit burst 1025000b cburst 1025000b
class htb 5a5a:d root leaf 600d: prio 0 rate 1234Kbit ceil 1234Kbit burst 1599b cburst 1599b
class htb 5a5a:e root leaf 700e: prio 0 rate 8Kbit ceil 8Kbit burst 1599b cburst 1599b
class htb 1:b root prio 0 rate 7Kbit ceil 7Kbit burst 1600b cburst 1600b
"""
QDISCS = [
    {"kind": "htb", "handle": "5a5a:", "root": True, "options": {"r2q": 10}},
    {"kind": "pfifo", "handle": "700b:", "parent": "5a5a:b", "options": {"limit": 1000}},
    {
        "kind": "netem",
        "handle": "600c:",
        "parent": "5a5a:c",
        "options": {
            "limit": 100000,
            "delay": {"delay": 0.2, "jitter": 0.02, "correlation": 0},
            "loss-random": {"loss": 0.005, "correlation": 0},
        },
    },
    {"kind": "netem", "handle": "600d:", "parent": "5a5a:d", "options": {"delay": {"delay": 1e-06, "jitter": 0.01}}},
]
FILTERS = [
    {"protocol": "ip", "pref": 1, "kind": "u32", "chain": 0},
    {"protocol": "ip", "pref": 1, "kind": "u32", "chain": 0, "options": {"fh": "800:", "ht_divisor": 1}},
    *(
        {"kind": "u32", "options": {"fh": f"800::{at}", "flowid": f"5a5a:{at}", "match": {"value": f"a01000{at}"}}}
        for at in "bcd"
    ),
    {"kind": "u32", "options": {"fh": "800::1", "flowid": "1:b", "match": {"value": "a01000f"}}},
]


def test_what_tc_says_is_read() -> None:
    """Neither what no filter leads to, nor what somebody else put there."""
    assert read_state(f"{CLASSES}{json.dumps(QDISCS)}\n{json.dumps(FILTERS)}\n") == {
        "10.1.0.11": NARROW,
        "10.1.0.12": SLOW,
        "10.1.0.13": Conditions(rate_bps=1_234_000.0, jitter_s=0.01),
    }
    assert read_state('[{"kind":"noqueue","handle":"0:","root":true,"options":{}}]\n[]\n') == {}


def test_tc_rounds_and_that_is_no_difference() -> None:
    assert agrees(Conditions(rate_bps=1_234_567.0), Conditions(rate_bps=1_234_000.0))
    assert agrees(Conditions(rate_bps=5e5, jitter_s=0.0), NARROW)
    assert not agrees(Conditions(rate_bps=1_234_567.0), Conditions(rate_bps=1_240_000.0))
    assert not agrees(NARROW, Conditions())
    assert not agrees(SLOW, Conditions(delay_s=0.2, jitter_s=0.02, loss=0.006))


def test_a_probe_is_read() -> None:
    assert read_probe("htb True\nnetem False\n") == HALF
    assert read_probe("") == NO_KERNEL


def test_without_conditions_only_a_root_of_ours_goes() -> None:
    script = apply_script(OWN, {})
    assert '"qdisc htb 5a5a: root"*) ours=1' in script
    assert script.endswith('[ -z "$ours" ] || tc qdisc del dev $dev root')
    assert f"addr show to {OWN}" in script
