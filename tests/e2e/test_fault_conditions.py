"""Link conditions in containers: made by the kernel's traffic control where it can, else by the nodes' shapers.

Every kernel on which containers run has HTB. Whether it has netem is asked, and what is expected follows from that.
"""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import labels
from orchestrator.docker_runtime import DockerRuntime
from orchestrator.engine import Engine
from orchestrator.errors import DeliveryFailed, OrchestratorError, PreflightError
from orchestrator.faults import tc
from orchestrator.faults.model import Conditions, Fault
from orchestrator.faults.store import FILE
from orchestrator.image import ensure_image
from orchestrator.lab import Lab
from orchestrator.topology import make_spec
from tests.e2e.conftest import LABS, Factory, in_containers
from tests.e2e.shell import Shell
from tests.e2e.test_reference_kind import lab_spec

RATE_BPS = 40_000.0
MESSAGE_BYTES = 3000
MESSAGES = 6
LEAST_S = (MESSAGES - 2) * MESSAGE_BYTES * 8 / RATE_BPS
"""For all of them: the first leaves at once, and so may what the queue owes for the last."""
SEND_TIMEOUT_S = 20.0
LOST_TIMEOUT_S = 1.0
"""A message takes milliseconds."""
READY_TIMEOUT_S = 30.0
UNTOUCHED_MOST_S = 0.15
"""A round trip on a link that no fault is about, on a machine that is busy with other containers."""
OWN = "10.9.0.10"


@pytest.fixture(scope="module")
def shared_lab(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """alice - n01 - n02 - bob; the tests heal it."""
    root = tmp_path_factory.mktemp("labs")
    with Lab.up(make_spec("e2e-conditions", kind="line", n=4, seed=5), runtime="docker", state_root=root) as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    request.node.stash[LABS] = [shared_lab]
    in_containers.add(request.node.nodeid)
    yield shared_lab
    shared_lab.heal()
    shared_lab.wait_ready(timeout_s=READY_TIMEOUT_S)
    assert disciplines(shared_lab) == {}
    assert not (shared_lab.state.directory / FILE).exists()


def disciplines(lab: Lab) -> dict[str, str]:
    """What is queued how in each node that has anything but what the engine gave it, as it sees that itself."""
    told = {
        node.name: lab.runtime.execute(node, ["sh", "-c", "tc qdisc show; ip route show type blackhole"])[1]
        for node in lab.spec.nodes
    }
    return {
        name: text
        for name, text in told.items()
        if not all(line.startswith("qdisc noqueue 0:") for line in text.splitlines())
    }


def helpers(engine: Engine, lab_name: str) -> list[str]:
    found = engine.client.containers.list(
        all=True, filters=labels.filters(kind=labels.KIND_HELPER), ignore_removed=True
    )
    return [str(helper.name) for helper in found if helper.labels.get(labels.LAB) == lab_name]


def send_all(lab: Lab, sender: str, receiver: str) -> float:
    """Send so many messages, one after the other: seconds."""
    started = time.monotonic()
    for number in range(MESSAGES):
        payload = bytes([number]) * MESSAGE_BYTES
        assert lab.send(sender, receiver, payload, timeout_s=SEND_TIMEOUT_S).payload == payload
    return time.monotonic() - started


def test_a_rate_is_made_by_the_kernel_and_narrows(lab: Lab, docker_engine: Engine) -> None:
    assert send_all(lab, "alice", "n02") < LEAST_S
    with lab.conditions("n01", peers="n02", rate_bps=RATE_BPS):
        report = lab.faults.report()
        [edge] = report.edges
        assert (edge.a, edge.b, edge.how, str(edge.actual)) == ("n01", "n02", "tc", "rate 40kbit")
        assert report.applied
        assert set(disciplines(lab)) == {"n01"}
        assert send_all(lab, "alice", "n02") >= LEAST_S
        # The other direction, and other links of the same node, are as they were.
        assert send_all(lab, "n02", "alice") < LEAST_S
        node = lab["n01"].control
        link = next(one for one in node.link_conditions(probe_s=5) if one.conditions.node_id == lab["alice"].id)
        assert link.round_trip_s < UNTOUCHED_MOST_S
    assert disciplines(lab) == {}
    assert helpers(docker_engine, lab.spec.name) == []
    assert send_all(lab, "alice", "n02") < LEAST_S


def test_what_is_wanted_of_a_direction_is_made_by_one_of_the_two(lab: Lab) -> None:
    """A rate by the kernel; a delay as well: by the shaper, unless there is netem."""
    with lab.conditions("n01", rate_bps=1e6):
        assert {edge.how for edge in lab.faults.report().edges} == {"tc"}
        with lab.conditions("n01", peers="n02", delay_s=0.15):
            netem = lab.faults.hands.kernel().netem
            report = lab.faults.report()
            assert report.applied
            made = {edge.b: (str(edge.actual), edge.how) for edge in report.edges}
            assert made["alice"] == ("rate 1mbit", "tc")
            assert made["n02"] == ("delay 150ms, rate 1mbit", "tc" if netem else "shaper")
            [slow] = [edge for edge in report.edges if edge.b == "n02"]
            assert slow.now_s == pytest.approx(0.15, rel=0.3)
            with lab.cut("n01", "n02"):
                report = lab.faults.report()
                assert report.applied
                assert {edge.how for edge in report.edges if edge.b == "n02"} == {"route"}
        report = lab.faults.report()
        assert report.applied
        assert {str(edge.actual) for edge in report.edges} == {"rate 1mbit"}
        assert {edge.how for edge in report.edges} == {"tc"}


def test_a_node_that_is_started_again_has_its_rates_again(lab: Lab) -> None:
    with lab.conditions("n01", rate_bps=RATE_BPS):
        lab.kill("n01")
        lab.start("n01")
        report = lab.faults.report()
        assert report.applied
        assert {edge.how for edge in report.edges} == {"tc"}
        assert set(disciplines(lab)) == {"n01"}
        lab.wait_ready(timeout_s=READY_TIMEOUT_S)
        assert send_all(lab, "alice", "n02") >= LEAST_S


def test_up_mends_a_lab_with_conditions_of_links(lab_factory: Factory) -> None:
    """Nodes that are started together are told one by one, each when it is up."""
    spec = make_spec("e2e-conditions-net", kind="line", n=4, seed=5)
    slow = Conditions(delay_s=0.01, rate_bps=1e6)
    net = [
        Fault(name=f"net-{link}", kind="shape", nodes=(link.a,), peers=(link.b,), conditions=slow, from_file=True)
        for link in spec.links
    ]
    lab = lab_factory(dataclasses.replace(spec, net=tuple(net)))
    lab.kill("n01")
    lab.kill("n02")
    again = Lab.up(lab.spec, runtime="docker", state_root=lab.state.root)
    report = again.faults.report()
    assert report.applied
    assert {(edge.a, edge.b) for edge in report.edges} == {(link.a, link.b) for link in spec.links}
    assert again.send("alice", "bob", b"x").payload == b"x"
    again.close()


def test_what_goes_by_itself_is_seen(lab: Lab) -> None:
    """Started by somebody who does not know of faults: the network of a container is another one every time."""
    with lab.conditions("n02", peers="bob", rate_bps=RATE_BPS):
        runtime, node = lab.runtime, lab.spec.node("n02")
        runtime.stop_node(node, kill=True)
        runtime.start_node(node)
        lab.wait_until_up([node])
        [edge] = lab.faults.report().edges
        assert (edge.applied, str(edge.actual)) == (False, "none")
        lab.connect_links(link for link in lab.spec.links if "n02" in (link.a, link.b))


def test_nodes_have_no_capability_and_cannot_undo_it(lab: Lab, docker_engine: Engine) -> None:
    with lab.conditions("n01", rate_bps=RATE_BPS):
        container = docker_engine.client.containers.get(f"lab-{lab.state.lab_id}-n01")
        host = container.attrs["HostConfig"]
        assert (host["CapAdd"], host["CapDrop"], host["Privileged"]) == (None, ["ALL"], False)
        before = disciplines(lab)
        device = next(line.split()[4] for line in before["n01"].splitlines() if f"htb {tc.ROOT}" in line)
        code, said = lab.runtime.execute(lab.spec.node("n01"), ["tc", "qdisc", "del", "dev", device, "root"])
        assert (code, "not permitted" in said) == (2, True)
        assert disciplines(lab) == before


def test_scripts_lead_from_anything_of_ours_to_what_is_wanted_and_leave_what_is_not(lab: Lab) -> None:
    """On the loopback of a helper, which is alone."""
    runtime = lab.runtime
    assert isinstance(runtime, DockerRuntime)
    narrow, wide = Conditions(rate_bps=8e3), Conditions(rate_bps=5e6)
    first, second = {"10.9.0.11": narrow, "10.9.0.12": narrow}, {"10.9.0.12": wide, "10.9.7.200": narrow}
    foreign = "tc qdisc add dev lo root handle 1: tbf rate 1mbit burst 10kb latency 50ms"
    lone = f"parent {tc.ROOT} classid {tc.ROOT}77 htb rate 1mbit"  # as a helper leaves it that was killed
    cut_short = f"tc qdisc add dev lo root handle {tc.ROOT} htb && tc class add dev lo {lone}"
    parts = [
        f"ip link set lo up; ip addr add {OWN}/24 dev lo",
        *(_apart(tc.apply_script(OWN, wanted)) for wanted in ({}, first, first, second, {})),
        "tc qdisc show dev lo root",
        f"{cut_short}; {_apart(tc.apply_script(OWN, first))}; {_apart(tc.apply_script(OWN, {}))}",
        f"{foreign}; {_apart(tc.apply_script(OWN, {}))}; {_apart(tc.apply_script(OWN, first))}; tc qdisc show dev lo",
    ]
    told = runtime.in_namespace(None, "\necho ==\n".join(parts), role="fault").split("==\n")
    states = [tc.read_state(text) for text in told[1:6]]
    assert states == [{}, first, first, second, {}]
    assert told[6].startswith("qdisc noqueue 0: ")
    assert tc.read_state(told[7].split("done 0\n")[1]) == first
    assert "qdisc tbf 1: root" in told[8]
    assert [line for line in told[8].splitlines() if line.startswith("done")] == ["done 0", "done 2"]
    with pytest.raises(OrchestratorError, match=r"no interface has 10\.9\.0\.99"):
        runtime.in_namespace(None, tc.apply_script("10.9.0.99", first), role="fault")


def _apart(script: str) -> str:
    """Run a script on its own, then say how it ended and what there is."""
    quoted = script.replace("'", "'\\''")
    return f"sh -c '{quoted}' 2>&1; echo done $?; {tc.show_script(OWN)}"


def test_nodes_of_kind_reference_are_cut_and_narrowed(lab_factory: Factory, docker_engine: Engine) -> None:
    image = ensure_image(docker_engine.client, report=print).tag
    lab = lab_factory(lab_spec("e2e-conditions-ref", image, "n01"))
    with lab.cut("n01", "bob"):
        report = lab.faults.report()
        assert report.applied
        assert {edge.how for edge in report.edges} == {"route"}
        with pytest.raises(DeliveryFailed):
            lab.send("alice", "bob", b"x", timeout_s=LOST_TIMEOUT_S)
    lab.wait_ready(timeout_s=READY_TIMEOUT_S)
    assert send_all(lab, "alice", "bob") < LEAST_S
    with lab.conditions("n01", rate_bps=RATE_BPS):
        report = lab.faults.report()
        assert report.applied
        assert {(edge.a, edge.how, edge.connected) for edge in report.edges} == {("n01", "tc", True)}
        lab.kill("n01")
        lab.start("n01")
        assert lab.faults.report().applied
        assert send_all(lab, "alice", "bob") >= LEAST_S
    assert disciplines(lab) == {}
    if lab.faults.hands.kernel().netem:
        with lab.conditions("n01", delay_s=0.1):
            assert {(edge.applied, edge.how) for edge in lab.faults.report().edges} == {(True, "tc")}
    else:
        with pytest.raises(PreflightError, match=r"n01 is of kind reference, .* no netem: .* cannot have delay 100ms"):
            lab.conditions("n01", delay_s=0.1)
    assert lab.faults.state().clean
    with lab.slow_motion(0.1):
        assert lab.faults.report().applied
    container = docker_engine.client.containers.get(f"lab-{lab.state.lab_id}-n01")
    assert (container.attrs["HostConfig"]["CapAdd"], container.attrs["HostConfig"]["CapDrop"]) == (None, ["ALL"])


def test_nothing_is_left_of_a_rate_whose_maker_was_killed_and_a_dry_run_leaves_nothing(
    docker_engine: Engine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    in_containers.add(request.node.nodeid)
    shell = Shell(tmp_path, LAB_UP_RUNTIME="docker")
    try:
        done = shell("up", "--nodes", "4", "--name", "e2e-conditions-killed", "--no-send")
        assert done.returncode == 0, done.stderr
        lab = Lab.open("e2e-conditions-killed", state_root=tmp_path / ".lab")
        request.node.stash[LABS] = [lab]
        state = tmp_path / ".lab" / "e2e-conditions-killed" / FILE
        command = shell.start("slow", "n01", "--rate", "500kbit")
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not state.exists():
            assert time.monotonic() < deadline
            time.sleep(0.002)
        # What is wanted is written, and something of it is being done.
        command.send_signal(signal.SIGKILL)
        assert command.wait() == -signal.SIGKILL
        assert command.stdout is not None
        command.stdout.close()
        rehearsed = shell("heal", "--dry-run")
        assert (rehearsed.returncode, rehearsed.stderr.splitlines()[-1]) == (0, "nothing was done")
        assert "n01: tc: nothing to anybody" in rehearsed.stdout
        assert state.exists()
        healed = shell("heal")
        assert (healed.returncode, "shape-1" in healed.stderr) == (0, True), healed.stderr
        assert (disciplines(lab), helpers(docker_engine, lab.spec.name), state.exists()) == ({}, [], False)

        rehearsed = shell("partition", "--random", "--dry-run")
        assert rehearsed.returncode == 0, rehearsed.stderr
        assert rehearsed.stdout.count("blackhole routes to") == 4
        assert (disciplines(lab), helpers(docker_engine, lab.spec.name), state.exists()) == ({}, [], False)
        assert lab.faults.state().clean
        split = shell("partition", "--random")
        assert split.returncode == 0, split.stderr
        assert split.stderr.strip() == rehearsed.stderr.splitlines()[0].removeprefix("dry run: ")
        [fault] = lab.faults.state().faults
        assert [len(group) for group in fault.groups] == [2, 2]
        assert set(disciplines(lab)) == set(lab.spec.node_names)
        assert shell("heal").returncode == 0
        assert disciplines(lab) == {}
        lab.close()
    finally:
        shell("down", "--all")
