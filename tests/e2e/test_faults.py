"""Faults in containers: routes, the nodes' shapers, the freezer; and what is left when somebody is killed."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.events import Kind
from orchestrator import labels
from orchestrator.docker_runtime import DockerRuntime
from orchestrator.engine import Engine
from orchestrator.errors import DeliveryFailed, OrchestratorError
from orchestrator.faults.store import FILE
from orchestrator.lab import Lab
from orchestrator.state import STATE_VARIABLE
from orchestrator.topology import make_spec
from tests.e2e.conftest import LABS, in_containers
from tests.e2e.shell import Shell

LOST_TIMEOUT_S = 1.0
"""A message takes milliseconds."""
CAP_NET_ADMIN = 12
"""Its bit (linux/capability.h)."""
READY_TIMEOUT_S = 30.0
UNTOUCHED_MOST_S = 0.15
"""A round trip between two nodes that no fault is about, on a machine that is busy with other containers."""
POLL_S = 0.002
ATTEMPTS = 5
"""To meet a command half-way: some of it takes a tenth of a second."""

Words = tuple[str, ...]


@pytest.fixture(scope="module")
def shared_lab(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A ring of six; the tests heal it."""
    root = tmp_path_factory.mktemp("labs")
    with Lab.up(make_spec("e2e-faults", kind="ring", n=6, seed=3), runtime="docker", state_root=root) as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    request.node.stash[LABS] = [shared_lab]
    in_containers.add(request.node.nodeid)
    yield shared_lab
    shared_lab.heal()
    shared_lab.wait_ready(timeout_s=READY_TIMEOUT_S)


def routes(lab: Lab, names: Collection[str] = ()) -> dict[str, str]:
    """Blackhole routes of these nodes, or all, whoever made them; as they see them, without any capability."""
    show, nodes = ["ip", "route", "show", "type", "blackhole"], [lab.spec.node(name) for name in names]
    with ThreadPoolExecutor(4) as pool:
        texts = pool.map(lambda node: lab.runtime.execute(node, show)[1].strip(), nodes or lab.spec.nodes)
        return {node.name: text for node, text in zip(nodes or lab.spec.nodes, texts, strict=True) if text}


def helpers(engine: Engine) -> list[str]:
    found = engine.client.containers.list(
        all=True, filters=labels.filters(kind=labels.KIND_HELPER), ignore_removed=True
    )
    return [str(helper.name) for helper in found if helper.labels[labels.LAB].startswith("e2e-faults")]


def test_a_partition(lab: Lab, docker_engine: Engine) -> None:
    left, right = ["alice", "n01", "n02"], ["bob", "n03", "n04"]
    addresses = {name: lab.runtime.data_address(lab.spec.node(name)) for name in left + right}  # type: ignore[attr-defined]
    with lab.partition(left, right):
        found = routes(lab)
        for group, others in ((left, right), (right, left)):
            for name in group:
                assert {line.split()[1] for line in found[name].splitlines()} == {addresses[peer] for peer in others}
        assert lab.faults.report().applied
        assert {edge.how for edge in lab.faults.report().edges} == {"route"}
        for sender, receiver in (("alice", "n02"), ("n02", "alice"), ("bob", "n04"), ("n04", "bob")):
            assert lab.send(sender, receiver, b"inside").payload == b"inside"
        for sender, receiver in (("alice", "bob"), ("n03", "n02")):
            with pytest.raises(DeliveryFailed):
                lab.send(sender, receiver, b"across", timeout_s=LOST_TIMEOUT_S)
    lab.wait_ready(timeout_s=READY_TIMEOUT_S)
    assert (routes(lab), helpers(docker_engine)) == ({}, [])
    for sender, receiver in (("alice", "bob"), ("n03", "n02"), ("n01", "n04")):
        assert lab.send(sender, receiver, b"after").payload == b"after"


def test_a_helper_may_change_the_network_of_one_node_and_nothing_else(lab: Lab, docker_engine: Engine) -> None:
    runtime, alice = lab.runtime, lab.spec.node("alice")
    assert isinstance(runtime, DockerRuntime)
    told = runtime.in_namespace(alice, "cat /proc/self/status; ip addr", role="fault")
    assert set(re.findall(r"Cap(?:Eff|Bnd):\s*(\w+)", told)) == {f"{1 << CAP_NET_ADMIN:016x}"}
    assert re.search(r"NoNewPrivs:\s*1", told)
    assert runtime.data_address(alice) in told
    assert helpers(docker_engine) == []
    with pytest.raises(OrchestratorError, match=r"helper for alice failed \(1\): .*[Rr]ead-only"):
        runtime.in_namespace(alice, "touch /x", role="fault")
    assert helpers(docker_engine) == []


def test_slow_motion_and_pause(lab: Lab) -> None:
    with lab.slow_motion(0.2):
        hops = lab.send("alice", "bob", b"slow").journey.path_to("bob")
        assert [hop.took_ms for hop in hops] == [pytest.approx(200, rel=0.2)] * 3
        assert all(edge.now_s == pytest.approx(0.4, rel=0.2) for edge in lab.faults.report().edges if edge.connected)
    with lab.conditions("n01", peers="n02", delay_s=0.3):
        [edge] = lab.faults.report().edges
        assert edge.applied
        assert edge.now_s == pytest.approx(0.3, rel=0.2)
    with lab.paused("n02,n03"), pytest.raises(DeliveryFailed):
        lab.send("alice", "bob", b"x", timeout_s=LOST_TIMEOUT_S)
    assert lab.send("alice", "bob", b"x").payload == b"x"


def test_who_is_frozen_during_a_cut_is_apart_when_it_goes_on(lab: Lab) -> None:
    """What the other end says of it does not get through the cut, so it has to be told itself."""

    def connected(a: str, b: str) -> bool:
        return lab.spec.node(b).id in {peer.node_id for peer in lab[a].control.peers()}

    frozen = lab.paused("n01")
    with lab.cut("alice", "n01"):
        assert not connected("alice", "n01")
        frozen.end()
        assert not connected("n01", "alice")
        assert connected("n01", "n02")
    assert connected("n01", "alice")
    assert connected("alice", "n01")


CUT, HEAL = ("cut", "alice", "n01"), ("heal",)
TOLD = {"alice", "n01"}
"""Whom that cut is about."""


def written(lab: Lab, engine: Engine) -> bool:
    return lab.faults.state().unsure == TOLD and not helpers(engine)


def helped(lab: Lab, engine: Engine) -> bool:
    return bool(helpers(engine)) and lab.faults.state().unsure == TOLD


def routed(lab: Lab, engine: Engine) -> bool:
    return bool(routes(lab, TOLD))


@pytest.mark.parametrize(
    ("before", "command", "moment"),
    [((), CUT, written), ((), CUT, helped), ((), CUT, routed), (CUT, HEAL, helped)],
    ids=["when it is written", "while a helper is at work", "when a route is there", "while it is healed"],
)
def test_nothing_is_left_of_a_cut_whose_maker_was_killed(
    lab: Lab,
    docker_engine: Engine,
    tmp_path: Path,
    before: Words,
    command: Words,
    moment: Callable[[Lab, Engine], bool],
) -> None:
    shell = Shell(tmp_path, **{STATE_VARIABLE: str(lab.state.root)})
    link = next(link for link in lab.spec.links if not TOLD & {link.a, link.b})
    drops_before = len(lab[link.a].control.history(Kind.DROP))
    with Untouched(lab, link.a, link.b) as untouched:
        for _ in range(ATTEMPTS):
            if before:
                done = shell(*before)
                assert done.returncode == 0, done.stderr
            if killed_at(shell.start(*command), lambda: moment(lab, docker_engine)):
                break
            lab.heal()
        else:
            pytest.fail("the command was over before that moment, every time")
        # As the next one finds it.
        assert moment(lab, docker_engine)
        assert [fault.kind for fault in lab.faults.state().faults] == ([] if command == HEAL else ["cut"])
        assert (lab.state.directory / FILE).exists()
        healed = shell("heal")
        assert healed.returncode == 0, healed.stderr
        assert command == HEAL or "healed: cut-1" in healed.stderr
    assert routes(lab) == {}
    assert helpers(docker_engine) == []
    assert not (lab.state.directory / FILE).exists()
    assert untouched.samples > 5
    assert untouched.longest_s < UNTOUCHED_MOST_S
    assert len(lab[link.a].control.history(Kind.DROP)) == drops_before
    lab.wait_ready(timeout_s=READY_TIMEOUT_S)
    assert lab.send("alice", "bob", b"after").payload == b"after"


def killed_at(process: subprocess.Popen[str], moment: Callable[[], bool]) -> bool:
    """Kill a command at a moment; whether that came before its end."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    try:
        while process.poll() is None:
            assert time.monotonic() < deadline
            if moment():
                process.send_signal(signal.SIGSTOP)
                if moment():  # it had not gone on since we looked
                    return True
                process.send_signal(signal.SIGCONT)
            time.sleep(POLL_S)
        return False
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


class Untouched:
    """Measures the round trip between two nodes that no fault is about, all the time."""

    def __init__(self, lab: Lab, a: str, b: str) -> None:
        self._control, self._peer = lab[a].control, lab[b].id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.samples, self.longest_s = 0, 0.0

    def _run(self) -> None:
        while not self._stop.is_set():
            for link in self._control.link_conditions(probe_s=2.0):
                if link.conditions.node_id == self._peer:
                    self.samples += 1
                    self.longest_s = max(self.longest_s, link.round_trip_s or 2.0)

    def __enter__(self) -> Untouched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
