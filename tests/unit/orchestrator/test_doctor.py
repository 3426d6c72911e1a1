"""orchestrator.doctor: facts in, findings out; a pretended machine for every limit."""

from __future__ import annotations

import datetime
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from orchestrator.doctor import cgroups
from orchestrator.doctor.capacity import (
    CONTAINER_COST_MB,
    MB,
    NEIGHBOURS_PER_NODE,
    PRIVATE_FILES_MB,
    PROCESS_COST_MB,
    THREADS_PER_NODE,
    THREADS_PER_PROCESS_NODE,
    estimate,
    memory_bound,
)
from orchestrator.doctor.facts import EngineFacts, Facts, GroupFacts, KernelFacts, Route
from orchestrator.doctor.findings import Examination, Level, judge
from orchestrator.doctor.gather import gather
from orchestrator.doctor.kernel import FEATURES, forgotten, parse
from orchestrator.errors import LabFileError
from orchestrator.subnets import POOLS
from orchestrator.topology import MAX_NODES, check_node_count

GB = 1024 * MB
ENGINE = EngineFacts(
    address="unix:///var/run/docker.sock",
    version="28.0",
    storage_driver="overlay2",
    cgroup_version="2",
    cgroup_driver="systemd",
    root="/var/lib/docker",
    root_free_bytes=50 * GB,
    open_files=1048576,
)
GOOD = Facts(
    engine=ENGINE,
    kernel=KernelFacts(features=dict.fromkeys(FEATURES, True)),
    image="pss-lab-node:abc",
    memory_available_bytes=8 * GB,
    memory_total_bytes=16 * GB,
    cpus=4,
    state_directory="/home/me/.lab",
    state_free_bytes=GB,
    open_files=1024,
    sysctl={"net.core.netdev_max_backlog": 1000, "kernel.pid_max": 4194304, "fs.inotify.max_user_instances": 128},
)


def bad(facts: Facts, **wanted: Any) -> list[tuple[str, str, str]]:
    """Level, topic and text of what is not as it should be."""
    return [
        (str(one.level), one.topic, one.text) for one in judge(facts, **wanted).findings if one.level is not Level.OK
    ]


def test_a_good_machine_has_nothing_to_complain_of() -> None:
    assert bad(GOOD) == []
    assert not judge(GOOD).refused


@pytest.mark.parametrize(
    ("change", "level", "topic", "says", "fix"),
    [
        ({"python": (3, 10, 4)}, "refuse", "python", "3.10.4", "python3.11"),
        ({"modules_missing": ("grpc",)}, "refuse", "python", "grpc", "pip install"),
        ({"virtual_environment": False}, "note", "python", "not in a virtual environment", ""),
        ({"engine": replace(ENGINE, limits_memory=False)}, "warn", "engine", "cannot limit memory", "cgroup_enable"),
        ({"engine": replace(ENGINE, limits_pids=False)}, "warn", "engine", "cannot limit processes", "cgroup"),
        ({"engine": replace(ENGINE, open_files=1024)}, "warn", "engine", "1024 files", "LimitNOFILE"),
        ({"engine": replace(ENGINE, local=False, memory_bytes=16 * GB)}, "note", "engine", "another machine", ""),
        ({"kernel": KernelFacts(error="no image")}, "warn", "kernel", "no image", "make image"),
        ({"image": None}, "note", "image", "builds it", "make image"),
        ({"image": None, "image_error": "not a checkout"}, "warn", "image", "not a checkout", "make image"),
        (
            {"image": None, "engine": replace(ENGINE, root_free_bytes=300 * MB)},
            "refuse",
            "image",
            "too little room: 300 MB",
            "docker system prune",
        ),
        ({"open_files": 64}, "warn", "limits", "64 files", "ulimit -n"),
        ({"sysctl": {"fs.inotify.max_user_instances": 8}}, "warn", "limits", "inotify", "sysctl -w fs.inotify"),
        ({"neighbours_refused": 12}, "warn", "limits", "full 12 times", "sysctl -w net.ipv4.neigh"),
        ({"state_writable": False}, "refuse", "disk", "not writable", "--state-dir"),
        ({"state_free_bytes": MB}, "refuse", "disk", "1 MB are free in /home/me/.lab", "room"),
        ({"engine": replace(ENGINE, root_free_bytes=500 * MB)}, "warn", "disk", "500 MB free", "prune"),
        ({"port_wanted": 80, "port_error": "permission denied"}, "refuse", "ports", "port 80", "another"),
        ({"loopback_error": "cannot assign"}, "refuse", "ports", "cannot assign", "ip link"),
        ({"memory_available_bytes": 100 * MB}, "refuse", "capacity", "3 nodes do not fit", "lab down"),
        ({"memory_available_bytes": 900 * MB, "memory_total_bytes": 1000 * MB}, "warn", "machine", "900 of 1000", ""),
        ({"load": 20.0}, "note", "machine", "busy", "--timeout"),
    ],
)
def test_each_lack_is_found_with_its_fix(change: dict[str, Any], level: str, topic: str, says: str, fix: str) -> None:
    found = judge(replace(GOOD, **change))
    matching = [one for one in found.findings if one.topic == topic and str(one.level) == level]
    assert [one for one in matching if says in one.text and fix in one.fix], list(found.lines())
    assert found.refused is (level == "refuse")


@pytest.mark.parametrize(
    ("runtime", "level"), [("auto", Level.WARN), ("docker", Level.REFUSE), ("process", None)], ids=str
)
def test_without_an_engine(runtime: str, level: Level | None) -> None:
    facts = replace(GOOD, engine=None, kernel=None, engine_error="no Docker engine answers", engine_hint="start it")
    found = judge(facts, runtime=runtime)
    engine = [one for one in found.findings if one.topic == "engine"]
    assert [one.level for one in engine] == ([level] if level else [])
    assert all(one.fix == "start it" for one in engine)


def test_what_processes_could_do_is_no_answer_where_containers_are_wanted() -> None:
    facts = replace(GOOD, engine=None, kernel=None, engine_error="no Docker engine answers")
    found = judge(facts, runtime="docker", nodes=100000)
    assert found.to_json()["capacity"] is None
    assert not [line for line in found.lines() if "more nodes fit" in line]
    assert [one.topic for one in found.findings if one.level is Level.REFUSE] == ["engine"]
    for runtime in ("auto", "process"):
        assert judge(facts, runtime=runtime).to_json()["capacity"]["runtime"] == "process"


@pytest.mark.parametrize("name", FEATURES)
def test_a_missing_kernel_feature_names_what_is_done_instead(name: str) -> None:
    facts = replace(GOOD, kernel=KernelFacts(features={feature: feature != name for feature in FEATURES}))
    [(_, topic, text)] = bad(facts)
    assert topic == "kernel"
    assert f"{name} is missing: {FEATURES[name]}" in text


# -- subnets


def test_a_vpn_that_has_a_pool_is_named_and_the_others_are_used() -> None:
    facts = replace(GOOD, routes=(Route(network=IPv4Network("10.0.0.0/8"), interface="tun0"),))
    [(level, topic, text)] = bad(facts)
    assert (level, topic) == ("note", "subnets")
    assert "10.0.0.0/8" in text
    assert "tun0" in text


def test_a_vpn_that_has_all_pools_refuses_every_lab() -> None:
    routes = tuple(Route(network=pool.supernet(new_prefix=8), interface="wg0") for pool in POOLS)
    found = judge(replace(GOOD, routes=routes))
    [finding] = [one for one in found.findings if one.level is Level.REFUSE]
    assert finding.topic == "subnets"
    assert "wg0" in finding.text


def test_routes_of_a_vpn_that_are_the_default_route_in_disguise_take_nothing() -> None:
    halves = ("0.0.0.0/1", "128.0.0.0/1")
    facts = replace(GOOD, routes=tuple(Route(network=IPv4Network(half), interface="tun0") for half in halves))
    assert not judge(facts).refused


def test_networks_of_the_engine_count_as_taken() -> None:
    texts = [one.text for one in judge(GOOD).findings if one.topic == "subnets"]
    total = sum(1 << (24 - pool.prefixlen) for pool in POOLS)
    assert f"{total} of /24 are free" in texts[0]
    used = replace(ENGINE, networks=(IPv4Network("10.201.0.0/24"), IPv4Network("10.201.1.0/24")))
    texts = [one.text for one in judge(replace(GOOD, engine=used)).findings if one.topic == "subnets"]
    assert f"{total - 2} of /24 are free" in texts[0]


def test_many_networks_are_noted_though_labs_do_not_need_dockers_pools() -> None:
    networks = tuple(IPv4Network((0xC0A80000 + index * 256, 24)) for index in range(31))
    [(level, topic, text)] = bad(replace(GOOD, engine=replace(ENGINE, networks=networks)))
    assert (level, topic) == ("note", "subnets")
    assert "31 networks" in text


# -- how many fit


def _fits(**change: Any) -> tuple[int, str]:
    capacity = estimate(replace(GOOD, **change))
    return capacity.nodes, capacity.blocker.what


def test_memory_decides_on_a_small_machine() -> None:
    nodes, what = _fits()
    assert "memory" in what
    assert nodes == memory_bound(8 * GB, 16 * GB, CONTAINER_COST_MB).nodes
    assert 8 * GB / MB / CONTAINER_COST_MB * 0.75 < nodes < 8 * GB / MB / CONTAINER_COST_MB


def test_a_driver_that_shares_no_files_costs_more() -> None:
    private = replace(ENGINE, storage_driver="fuse-overlayfs")
    assert _fits(engine=private)[0] == memory_bound(8 * GB, 16 * GB, CONTAINER_COST_MB + PRIVATE_FILES_MB).nodes


LARGE = {
    "memory_available_bytes": 500 * GB,
    "memory_total_bytes": 512 * GB,
    "engine": replace(ENGINE, root_free_bytes=900 * GB),
}


@pytest.mark.parametrize(
    ("sysctl", "nodes", "what"),
    [
        ({"net.core.netdev_max_backlog": 500}, 450, "net.core.netdev_max_backlog"),
        ({"net.core.netdev_max_backlog": 4000}, MAX_NODES, "nodes of one lab"),
        ({"net.ipv4.neigh.default.gc_thresh3": 1024}, 1024 // NEIGHBOURS_PER_NODE, "gc_thresh3"),
        ({"kernel.pid_max": 4800}, 200, "kernel.pid_max"),
        ({"kernel.threads-max": 2400}, 100, "kernel.threads-max"),
    ],
)
def test_limits_decide_on_a_large_one(sysctl: dict[str, int], nodes: int, what: str) -> None:
    capacity = estimate(replace(GOOD, **LARGE, sysctl=sysctl))
    assert (capacity.nodes, what in capacity.blocker.what) == (nodes, True)
    assert capacity.blocker.fix


def test_a_small_neighbour_table_is_in_the_way_of_overlays_only() -> None:
    facts = replace(GOOD, sysctl={"net.ipv4.neigh.default.gc_thresh3": 1024}, neighbours_used=144)
    assert estimate(facts).nodes == 880 // NEIGHBOURS_PER_NODE == 35
    assert estimate(facts).at_most > 100
    found = judge(facts, nodes=48)
    assert not found.refused
    assert (found.findings[-1].level, found.findings[-1].topic) == (Level.WARN, "capacity")
    assert "48 nodes do not fit: about 35 do; net.ipv4.neigh" in found.findings[-1].text
    assert "sysctl -w net.ipv4.neigh.default.gc_thresh3" in found.findings[-1].fix
    assert judge(facts, nodes=500).findings[-1].level is Level.REFUSE


def test_disk_decides_where_there_is_none() -> None:
    nodes, what = _fits(engine=replace(ENGINE, root_free_bytes=210 * MB))
    assert (nodes, "disk" in what) == (10, True)


def test_processes_are_bound_by_open_files() -> None:
    assert _fits(engine=None, open_files=256) == (64, "open files: 256")


def test_of_an_engine_elsewhere_its_own_memory_counts() -> None:
    engine = replace(ENGINE, local=False, memory_bytes=4 * GB)
    nodes, what = _fits(engine=engine, memory_available_bytes=0)
    assert 75 < nodes < 115
    assert "memory" in what


@pytest.mark.parametrize("engine", [LARGE["engine"], None], ids=["docker", "process"])
def test_no_lab_is_promised_that_would_be_refused(engine: EngineFacts | None) -> None:
    facts = replace(GOOD, **LARGE | {"engine": engine}, open_files=65536, sysctl={})
    assert estimate(facts).nodes == MAX_NODES
    assert not judge(facts, nodes=MAX_NODES).refused
    check_node_count(MAX_NODES)
    assert judge(facts, nodes=MAX_NODES + 1).refused
    with pytest.raises(LabFileError):
        check_node_count(MAX_NODES + 1)


# -- control groups


LIMITED = GroupFacts(memory_free_bytes=1 * GB, memory_limit_bytes=2 * GB, processes_free=10 * THREADS_PER_NODE)


def test_limits_of_the_control_group_decide_where_they_are_less() -> None:
    """Of containers those above the engine's, of processes those of this program."""
    in_containers = replace(GOOD, engine=replace(ENGINE, groups=LIMITED))
    assert estimate(in_containers).nodes == 10
    assert "processes: 240 more left by the control group" in estimate(in_containers).blocker.what
    assert estimate(replace(GOOD, groups=LIMITED)).nodes == estimate(GOOD).nodes
    memory = replace(LIMITED, processes_free=None)
    in_processes = replace(GOOD, engine=None, groups=memory)
    assert estimate(in_processes).nodes == memory_bound(1 * GB, 2 * GB, PROCESS_COST_MB).nodes < 25
    assert "memory: 1024 of 2048 MB left by the control group" in estimate(in_processes).blocker.what
    assert "docker run --memory" in estimate(in_processes).blocker.fix
    assert estimate(replace(in_processes, groups=GroupFacts(processes_free=60))).nodes == 60 // THREADS_PER_PROCESS_NODE


def test_little_memory_in_the_control_group_is_found() -> None:
    groups = GroupFacts(memory_free_bytes=500 * MB, memory_limit_bytes=600 * MB)
    [finding] = [one for one in judge(replace(GOOD, engine=None, groups=groups)).findings if one.topic == "machine"]
    assert finding.level is Level.WARN
    assert "8192 of 16384 MB memory available, 500 MB of it to the control group" in finding.text


def test_processes_of_a_user_are_limited() -> None:
    facts = replace(GOOD, engine=None, user_processes_free=100)
    assert estimate(facts).nodes == 100 // THREADS_PER_PROCESS_NODE
    assert "ulimit -u" in estimate(facts).blocker.fix
    assert estimate(replace(GOOD, user_processes_free=100)).nodes == estimate(GOOD).nodes


def _write(directory: Path, **files: object) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(f"{text}\n")


def test_groups_of_version_2_are_read_up_to_the_first(tmp_path: Path) -> None:
    mount, membership = tmp_path / "cgroup", tmp_path / "self"
    membership.write_text("0::/user.slice/shell.scope\n")
    _write(mount, cgroup__procs="")
    _write(mount / "user.slice", memory__max=2 * GB, memory__current=GB, memory__stat=f"anon 1\ninactive_file {MB}")
    _write(mount / "user.slice" / "shell.scope", memory__max="max", pids__max=100, pids__current=40)
    found = cgroups.own_limits(mount=mount, membership=membership)
    assert found == GroupFacts(memory_free_bytes=GB + MB, memory_limit_bytes=2 * GB, processes_free=60)
    assert cgroups.limits_of_all(mount=mount) == GroupFacts()
    _write(mount, memory__max=GB, memory__current=2 * GB, pids__max=50, pids__current=40)
    tighter = GroupFacts(memory_free_bytes=0, memory_limit_bytes=GB, processes_free=10)
    assert cgroups.own_limits(mount=mount, membership=membership) == tighter
    assert cgroups.limits_of_all(mount=mount) == tighter


def test_groups_of_version_1_are_read_though_a_container_has_them_at_another_place(tmp_path: Path) -> None:
    mount, membership = tmp_path / "cgroup", tmp_path / "self"
    membership.write_text("9:name=systemd:/docker/ab\n8:pids:/docker/ab\n4:memory:/docker/ab\n1:cpu,cpuacct:/\n0::/\n")
    stat = f"inactive_file 7\ntotal_inactive_file {MB}"
    limits = {"memory__limit_in_bytes": GB, "memory__usage_in_bytes": 100 * MB, "memory__stat": stat}
    _write(mount / "memory", **limits)
    _write(mount / "pids", pids__max="max", pids__current=3)
    found = cgroups.own_limits(mount=mount, membership=membership)
    assert found == GroupFacts(memory_free_bytes=GB - 99 * MB, memory_limit_bytes=GB)
    _write(mount / "memory", memory__limit_in_bytes=9223372036854771712)
    assert cgroups.own_limits(mount=mount, membership=membership) == GroupFacts()
    assert cgroups.own_limits(mount=mount, membership=tmp_path / "none") == GroupFacts()


def test_a_lab_that_does_not_fit_is_refused() -> None:
    assert not judge(GOOD, nodes=100).refused
    found = judge(GOOD, nodes=500)
    assert found.refused
    assert found.findings[-1].topic == "capacity"
    assert "500 nodes do not fit" in found.findings[-1].text


# -- what people and programs read


def test_lines_and_json_say_the_same() -> None:
    found: Examination = judge(replace(GOOD, state_writable=False))
    text = "\n".join(found.lines())
    document = found.to_json()
    assert document["refused"] is True
    for one in document["findings"]:
        assert one["text"] in text
        assert one["fix"] in text
    assert f"about {document['capacity']['nodes']} more nodes fit" in text


# -- the probe in the helper, and this machine


def test_the_probes_words_are_read() -> None:
    said = "htb True\nnetem False\nblackhole routes True\n"
    facts = parse(said)
    assert facts.features == {"htb": True, "netem": False, "blackhole routes": True}
    assert facts.error == ""


@pytest.mark.parametrize("said", ["", "Traceback (most recent call last):\n  boom", "netem True\nhtb maybe\n"])
def test_other_words_are_no_answer(said: str) -> None:
    assert parse(said).error


@pytest.mark.parametrize(
    ("status", "created", "gone"),
    [
        ("exited", "2026-01-01T12:00:59.123456789Z", True),
        ("created", "2026-01-01T12:00:30.123456789Z", False),
        ("created", "2026-01-01T11:59:59Z", True),
        ("running", "2026-01-01T11:00:00Z", False),
    ],
)
def test_helpers_of_a_doctor_that_was_killed_are_forgotten_after_a_minute(
    status: str, created: str, gone: bool
) -> None:
    now = datetime.datetime(2026, 1, 1, 12, 1, tzinfo=datetime.UTC)
    assert forgotten(status, created, now) is gone


def test_this_machine_can_be_looked_at_without_an_engine(tmp_path: Any) -> None:
    facts = gather(root=tmp_path / "not" / "yet", runtime="process")
    assert facts.engine is None
    assert facts.memory_available_bytes > 0
    assert facts.state_writable
    assert facts.modules_missing == ()
    assert not (tmp_path / "not").exists()
