"""What the kernel can do to a network: tried out in a helper container with a network of its own, never on the host.

The helper has no network but its own loopback, NET_ADMIN there and nowhere else, and is removed at once.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
from typing import TYPE_CHECKING

from orchestrator import labels
from orchestrator.doctor.facts import KernelFacts
from orchestrator.faults.tc import HTB, NETEM, probe_script

if TYPE_CHECKING:
    import docker

BLACKHOLE = "blackhole routes"
FEATURES = {
    HTB: "rates, delay and loss are made by each node's own shaper; nodes of kind reference can only be cut",
    NETEM: "delay, jitter and loss are made by each node's own shaper; nodes of kind reference cannot have them",
    BLACKHOLE: "partitions and cuts fail in containers; lab up --runtime process has them",
}
"""What the kernel does for faults, and what is done where it is missing (docs/faults.md)."""

PROBE = (
    f"{probe_script()}; if ip route add blackhole 192.0.2.0/24 2>/dev/null; "
    f"then echo {BLACKHOLE} True; else echo {BLACKHOLE} False; fi"
)
"""Runs in the helper; a line for each feature."""

MEMORY_MB = 64
PIDS = 16
TIMEOUT_S = 20
HELPER_ROLE = "doctor"
FORGOTTEN = datetime.timedelta(minutes=1)
"""After which nobody is about to start a helper that was created."""


def probe(client: docker.DockerClient, image: str) -> KernelFacts:
    """Try it out. `image` has a shell, tc and ip, as the node image does."""
    try:
        _remove_old(client)
        helper = client.containers.create(
            image,
            name=f"lab-doctor-{secrets.token_hex(4)}",
            entrypoint=["sh", "-c", PROBE],
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
    """Helpers of somebody who was killed: those that are done, and those that were created and never started."""
    mark: dict[str, str | list[str] | bool] = {"label": f"{labels.ROLE}={HELPER_ROLE}", "status": ["created", "exited"]}
    now = datetime.datetime.now(datetime.UTC)
    for helper in client.containers.list(all=True, filters=mark, ignore_removed=True):
        if helper.labels.get(labels.KIND) == labels.KIND_HELPER and forgotten(
            helper.status, str(helper.attrs["Created"]), now
        ):
            helper.remove(v=True)


def forgotten(status: str, created: str, now: datetime.datetime) -> bool:
    """Whether a helper is nobody's any more.

    Args:
        created: RFC 3339, in UTC and to the nanosecond, as the engine has it.
    """
    if status != "created":
        return status == "exited"
    made = datetime.datetime.fromisoformat(created.partition(".")[0].rstrip("Z")).replace(tzinfo=datetime.UTC)
    return now - made > FORGOTTEN


def parse(said: str) -> KernelFacts:
    """What the probe said; anything but a line for every feature is an error."""
    told = dict(line.rpartition(" ")[::2] for line in said.splitlines())
    features = {name: told[name] == "True" for name in FEATURES if told.get(name) in ("True", "False")}
    if len(features) < len(FEATURES):
        return KernelFacts(features=features, error=f"the probe said {said.strip()[-200:]!r}")
    return KernelFacts(features=features)
