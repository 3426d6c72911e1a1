"""Conditions of links by the kernel's traffic control, as shell scripts and back. No I/O; what runs them is elsewhere.

A root HTB of ours, and for each peer a class, a leaf and a filter, all numbered by the peer's address::

    htb 5a5a: -- class 5a5a:ID rate R -- leaf: netem delay, jitter, loss; or pfifo
      filter 800::ID  destination ADDRESS > 5a5a:ID

What goes to others, and everything that is not IPv4, leaves at once. As a number depends on nothing but the address, a
script brings an interface from whatever an earlier one left to exactly what is wanted, and what does not change keeps
its queue. Nothing but a root of our handle is ever removed. All of it is in `tc(8)`, `tc-htb(8)`, `tc-netem(8)`.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.faults.model import Conditions

ROOT = "5a5a:"
"""Handle of our root queue; the kernel itself gives none below 8000."""
NETEM_MAJOR, PFIFO_MAJOR = 0x6000, 0x7000
"""Handles of the leaves, plus the number of the peer. A leaf cannot become one of another kind under its handle."""
PRIORITY = 1
"""Of our filters, of which all are in the first hash table, 800."""
MAX_ID = 0x7FF
"""Numbers of filters above are the kernel's to give (linux/pkt_cls.h, u32: 12 bits, half of them automatic)."""
PACKET_BYTES = 1600
"""At least what one burst holds: an Ethernet frame, and room for what the kernel rounds."""
BURST_S = 0.01
"""How much of a rate may leave at once, as time; tc-htb(8) suggests a timer tick, which was 10 ms once."""
MAX_BURST_BYTES = 1 << 20
QUANTUM_BYTES = 1514
"""Said so that the kernel does not warn of one that it derives; classes that borrow nothing do not use it."""
QUEUE_PACKETS = 1000
"""Linux's own length of a device's queue."""
NETEM_PACKETS = 100_000
"""More than a delayed link holds; netem drops what is over it."""
UNLIMITED_BPS = 100_000_000_000
"""A class has to have a rate. Also the most that can be asked for."""
LEAST_DELAY_US = 1
"""tc shows no jitter where there is no delay."""
TOLERANCE = 0.002
"""tc cuts rates to three or four digits, and the kernel counts whole bytes and ticks of 64 ns."""
UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
HTB, NETEM = "htb", "netem"
PROBE_ADDRESS = "192.0.2.1"
"""Nobody's (RFC 5737)."""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What of it there is."""

    htb: bool = False
    """HTB, and u32 filters."""
    netem: bool = False

    def lacks(self, one: Conditions) -> str:
        """What is missing to make these conditions; empty: nothing."""
        if not self.htb or (one.rate_bps or 0.0) > UNLIMITED_BPS:
            return HTB
        return NETEM if _needs_netem(one) and not self.netem else ""

    def can(self, one: Conditions) -> bool:
        """Whether it makes all of these conditions: a direction is never made half by it and half by something else."""
        return not self.lacks(one)


NO_KERNEL = Kernel()
"""Of nodes that have no network of their own."""


def apply_script(own_address: str, wanted: Mapping[str, Conditions]) -> str:
    """Shell commands that leave exactly these conditions, by address of the peer, and nothing of ours without any.

    Args:
        own_address: of the interface that is meant.

    Raises:
        ValueError: two peers would have one number; their subnet is larger than a /21.
    """
    return f"set -e; {_device(own_address)}; {_apply(wanted)}"


def show_script(own_address: str) -> str:
    """Shell commands whose output :func:`read_state` understands."""
    return (
        f"{_device(own_address)}; tc class show dev $dev; tc -j qdisc show dev $dev; "
        f"tc -j filter show dev $dev parent {ROOT}"
    )


def read_state(text: str) -> dict[str, Conditions]:
    """What is in force, by address of the peer. Only classes that a filter leads to count: others shape nothing."""
    rates: dict[str, float] = {}
    leaves: dict[str, Mapping[str, Any]] = {}
    peers: dict[str, str] = {}
    for line in text.splitlines():
        if match := re.match(rf"class htb ({ROOT}[0-9a-f]+) .*?\brate ([0-9.]+)([KMGT]?)bit\b", line):
            rates[match[1]] = float(match[2]) * UNITS[match[3]]
        elif line.startswith("["):
            for entry in json.loads(line):
                options = entry.get("options", {})
                if entry.get("kind") == NETEM:
                    leaves[entry.get("parent", "")] = options
                elif entry.get("kind") == "u32" and str(options.get("flowid", "")).startswith(ROOT):
                    peers[str(ipaddress.IPv4Address(int(options["match"]["value"], 16)))] = options["flowid"]
    found = {address: _conditions(rates[at], leaves.get(at, {})) for address, at in peers.items() if at in rates}
    return {address: one for address, one in found.items() if one.shaped}


def agrees(wanted: Conditions, actual: Conditions) -> bool:
    """Whether two are the same, as exactly as tc tells."""
    return all(
        math.isclose(getattr(wanted, name) or 0.0, getattr(actual, name) or 0.0, rel_tol=TOLERANCE, abs_tol=2e-6)
        for name in ("delay_s", "jitter_s", "loss", "rate_bps")
    )


def probe_script() -> str:
    """Shell commands that try what there is on their own loopback interface; see :func:`read_probe`."""
    tries = {HTB: Conditions(rate_bps=1e6), NETEM: Conditions(rate_bps=1e6, delay_s=0.1, jitter_s=0.01, loss=0.01)}
    return "dev=lo; " + "; ".join(
        f"if ({_apply({PROBE_ADDRESS: one})}) >/dev/null 2>&1; then echo {name} True; else echo {name} False; fi"
        for name, one in tries.items()
    )


def read_probe(text: str) -> Kernel:
    """What a probe found."""
    told = set(text.splitlines())
    return Kernel(htb=f"{HTB} True" in told, netem=f"{NETEM} True" in told)


def _apply(wanted: Mapping[str, Conditions]) -> str:
    """For the interface $dev."""
    ours = f'ours=; case "$(tc qdisc show dev $dev root)" in "qdisc htb {ROOT} root"*) ours=1;; esac'
    if not wanted:
        return f'{ours}; [ -z "$ours" ] || tc qdisc del dev $dev root'
    numbers = _numbers(wanted)
    rows = "\n".join(_row(numbers[address], address, one) for address, one in wanted.items())
    keep = " ".join(f"{ROOT}{numbers[address]:x}" for address in wanted)
    filters = f"parent {ROOT} protocol ip prio {PRIORITY} handle 800::"
    stale = (
        f"stale() {{ tc class show dev $dev | while read -r kind type id rest; do "
        f'case " {keep} " in *" $id "*) ;; *) case $id in {ROOT}*) echo "${{id#{ROOT}}}";; esac;; esac; done; }}'
    )
    # A helper that was killed may have left a class without its filter: removing that fails, and what counts is that
    # the class goes.
    remove = (
        f'for id in $(stale); do echo "filter del dev $dev {filters}$id u32"; '
        f'echo "class del dev $dev classid {ROOT}$id"; done | tc -force -batch - >/dev/null 2>&1 || true; '
        'left=$(stale); if [ "$left" ]; then echo "classes $left do not go" >&2; exit 1; fi'
    )
    # As text for one process of tc: a process for each would cost milliseconds a peer.
    make = (
        "while read -r id address rate burst leaf options; do "
        f'echo "class replace dev $dev parent {ROOT} classid {ROOT}$id htb rate ${{rate}}bit ceil ${{rate}}bit '
        f'burst ${{burst}}b cburst ${{burst}}b quantum {QUANTUM_BYTES}"; '
        f'echo "qdisc replace dev $dev parent {ROOT}$id handle $leaf: $options"; '
        f'echo "filter replace dev $dev {filters}$id u32 match ip dst $address/32 flowid {ROOT}$id"; '
        f"done <<ROWS | tc -batch -\n{rows}\nROWS\n"
    )
    root = f'[ "$ours" ] || tc qdisc add dev $dev root handle {ROOT} htb default 0 direct_qlen {QUEUE_PACKETS}'
    return f"{ours}; {root}; {stale}; {remove}; {make}"


def _device(own_address: str) -> str:
    missing = f'{{ echo "no interface has {own_address}" >&2; exit 1; }}'
    return f'set -- $(ip -o -4 addr show to {own_address}); dev=$2; [ "$dev" ] || {missing}'


def _numbers(addresses: Iterable[str]) -> dict[str, int]:
    numbers = {address: int(ipaddress.IPv4Address(address)) & MAX_ID for address in addresses}
    if 0 in numbers.values() or len(set(numbers.values())) < len(numbers):
        raise ValueError(f"traffic control takes peers of one subnet, at most {MAX_ID}")
    return numbers


def _row(number: int, address: str, one: Conditions) -> str:
    rate = round(min(one.rate_bps or UNLIMITED_BPS, UNLIMITED_BPS))
    burst = min(MAX_BURST_BYTES, max(PACKET_BYTES, round(rate / 8 * BURST_S)))
    if not _needs_netem(one):
        return f"{number:x} {address} {rate} {burst} {PFIFO_MAJOR + number:x} pfifo limit {QUEUE_PACKETS}"
    netem = f"netem limit {NETEM_PACKETS}"
    if one.delay_s or one.jitter_s:
        netem += f" delay {max(LEAST_DELAY_US, round((one.delay_s or 0.0) * 1e6))}us"
    if one.jitter_s:
        netem += f" {round(one.jitter_s * 1e6)}us"
    if one.loss:
        netem += f" loss random {one.loss * 100:.6g}%"
    return f"{number:x} {address} {rate} {burst} {NETEM_MAJOR + number:x} {netem}"


def _needs_netem(one: Conditions) -> bool:
    return bool(one.delay_s or one.jitter_s or one.loss)


def _conditions(rate_bps: float, netem: Mapping[str, Any]) -> Conditions:
    delay, loss = netem.get("delay", {}), netem.get("loss-random", {})
    delay_s = float(delay.get("delay", 0.0))
    return Conditions(
        delay_s=delay_s if delay_s > LEAST_DELAY_US * 1.5e-6 else None,
        jitter_s=float(delay.get("jitter", 0.0)) or None,
        loss=float(loss.get("loss", 0.0)) or None,
        rate_bps=rate_bps if rate_bps < UNLIMITED_BPS else None,
    )
