"""What the kernel can do to a network: tried out in a helper container with a network of its own, never on the host.

The helper has no network but its own loopback, NET_ADMIN there and nowhere else, and is removed at once.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

from orchestrator import labels
from orchestrator.doctor.facts import KernelFacts

if TYPE_CHECKING:
    import docker

NETEM, TBF, BLACKHOLE, NFT = "netem", "tbf", "blackhole routes", "nft"
FEATURES = {
    NETEM: "delay and loss fall back to each node's own shaper, as everywhere",
    TBF: "rates fall back to each node's own shaper, as everywhere",
    BLACKHOLE: "partitions and cuts fail in containers; lab up --runtime process has them",
    NFT: "random loss falls back to each node's own shaper, as everywhere",
}
"""What the kernel could do for faults, and what they fall back to where it is missing (docs/faults.md)."""

PROBE = """\
import socket, struct, subprocess

def works(*command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

def nft():
    # NFT_MSG_GETGEN of the nf_tables subsystem (10 << 8 | 16): an answer of any kind but an error will do.
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as link:
        link.settimeout(2)
        link.sendto(struct.pack("=IHHIIBBH", 20, 10 << 8 | 16, 1, 1, 0, 0, 0, 0), (0, 0))
        return struct.unpack_from("=IH", link.recv(4096))[1] != 2

def tried(probe):
    try:
        return probe()
    except OSError:
        return False

print("netem", tried(lambda: works("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")))
works("tc", "qdisc", "del", "dev", "lo", "root")
print("tbf", tried(lambda: works("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1mbit", "burst", "10kb",
                                 "latency", "50ms")))
print("blackhole routes", tried(lambda: works("ip", "route", "add", "blackhole", "192.0.2.0/24")))
print("nft", tried(nft))
"""
"""Runs in the helper; a line for each feature."""

MEMORY_MB = 64
PIDS = 16
TIMEOUT_S = 20
HELPER_ROLE = "doctor"


def probe(client: docker.DockerClient, image: str) -> KernelFacts:
    """Try it out. `image` has Python, tc and ip, as the node image does."""
    try:
        _remove_old(client)
        helper = client.containers.create(
            image,
            name=f"lab-doctor-{secrets.token_hex(4)}",
            entrypoint=["python3", "-c", PROBE],
            labels={labels.KIND: labels.KIND_HELPER, labels.ROLE: HELPER_ROLE},
            network_mode="none",
            user="0",
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN"],
            security_opt=["no-new-privileges:true"],
            read_only=True,
            mem_limit=f"{MEMORY_MB}m",
            memswap_limit=f"{MEMORY_MB}m",
            pids_limit=PIDS,
        )
        try:
            helper.start()
            helper.wait(timeout=TIMEOUT_S)
            said = helper.logs().decode(errors="replace")
        finally:
            with contextlib.suppress(Exception):
                helper.remove(force=True, v=True)
    except Exception as error:  # docker-py lets requests' and urllib3's errors through
        return KernelFacts(error=str(error))
    return parse(said)


def _remove_old(client: docker.DockerClient) -> None:
    """Helpers of somebody who was killed while one ran."""
    mark: dict[str, str | list[str] | bool] = {"label": f"{labels.ROLE}={HELPER_ROLE}", "status": "exited"}
    for helper in client.containers.list(all=True, filters=mark, ignore_removed=True):
        if helper.labels.get(labels.KIND) == labels.KIND_HELPER:
            helper.remove(v=True)


def parse(said: str) -> KernelFacts:
    """What the probe said; anything but a line for every feature is an error."""
    told = dict(line.rpartition(" ")[::2] for line in said.splitlines())
    features = {name: told[name] == "True" for name in FEATURES if told.get(name) in ("True", "False")}
    if len(features) < len(FEATURES):
        return KernelFacts(features=features, error=f"the probe said {said.strip()[-200:]!r}")
    return KernelFacts(features=features)
