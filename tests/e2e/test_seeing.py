"""Eight containers from a generated lab file: where messages went, what happens, what the overlay looks like."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from node.control.gen import control_pb2 as pb
from node.events import Kind
from orchestrator import observe
from orchestrator.errors import LabFileError
from orchestrator.lab import Lab
from tests.e2e.conftest import LABS, in_containers
from tests.e2e.shell import COMMAND_TIMEOUT_S, Shell

NAME = "e2e-seeing"
DEADLINE_S = 10.0
PAGE = Path(__file__).parents[2] / "docs" / "seeing.md"


@pytest.fixture(scope="module")
def shared_shell(default_runtime: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A directory in which `lab up` has started the lab."""
    shell = Shell(tmp_path_factory.mktemp("seeing"), LAB_UP_RUNTIME=default_runtime)
    generated = shell("generate", "smallworld", "-n", "8", "--seed", "5", "--name", NAME)
    assert generated.returncode == 0, generated.stderr
    (shell.directory / f"{NAME}.lab.yml").write_text(generated.stdout)
    try:
        up = shell("up", "--no-send")
        assert up.returncode == 0, up.stderr
        yield shell
    finally:
        shell("down", "--all")


@pytest.fixture
def shell(shared_shell: Shell, request: pytest.FixtureRequest, default_runtime: str) -> Shell:
    if default_runtime == "docker":
        in_containers.add(request.node.nodeid)
    return shared_shell


@pytest.fixture
def lab(shell: Shell, request: pytest.FixtureRequest) -> Iterator[Lab]:
    lab = Lab.open(NAME, state_root=shell.directory / ".lab")
    request.node.stash[LABS] = [lab]
    yield lab
    lab.close()


def test_every_delivered_message_has_a_connected_path_beside_the_ideal_one(lab: Lab) -> None:
    network = observe.network(lab)
    assert {name: set(peers) for name, peers in network.peers.items()} == {
        name: lab.spec.neighbours(name) for name in lab.spec.node_names
    }
    pairs = list(itertools.permutations(lab.spec.node_names, 2))
    for number, (sender, receiver) in enumerate(pairs[::3]):
        mode = ("raw", "sym", "asym")[number % 3]
        # A raw message that was sent before is a duplicate for half a minute, so no two are the same.
        delivery = lab.send(sender, receiver, f"message {number}".encode(), mode=mode, timeout_s=DEADLINE_S)
        path = [sender, *(hop.receiver for hop in delivery.journey.path_to(receiver))]
        assert path[-1] == receiver
        assert all(b in network.peers[a] for a, b in itertools.pairwise(path)), path
        (ideal,) = delivery.journey.ideals
        assert (ideal.node, ideal.hops) == (receiver, len(path) - 1)
        assert ideal.by_rules, str(delivery.journey)
        assert len(ideal.shortest) <= len(ideal.greedy) <= len(path)
        readers = [attempt.node for attempt in delivery.journey.attempts if attempt.opened]
        assert readers == [receiver]


def test_a_node_that_listens_in_is_seen_to_try_in_vain(lab: Lab) -> None:
    alice, bob, relay = lab["alice"], lab["bob"], lab["n01"]
    topic = alice.topic("listening in")
    key_id = alice.control.set_peer_key(bob.spec.public_key, topic, b"")
    with bob.control.subscribe(topic) as at_bob, relay.control.subscribe(topic):
        digest = alice.control.send(pb.MODE_ASYM, topic, b"for bob", key_id=key_id)
        assert next(at_bob).payload == b"for bob"
        with relay.control.events(Kind.PSS_RECEIVED, history=True, digest=digest.hex()) as events:
            assert next(events).data["passed_on"] == "no key of ours opens it"
    tried = {attempt.node: (attempt.keys_tried, attempt.opened) for attempt in lab.trace(digest).attempts}
    assert (tried["bob"], tried["n01"]) == ((1, True), (1, False))
    assert {node for node, (keys, _) in tried.items() if keys} == {"bob", "n01"}


def test_send_shows_the_tree_at_once(shell: Shell) -> None:
    sent = shell("send", "alice", "bob", "hi", "--trace")
    assert sent.returncode == 0, sent.stderr
    again = shell("trace").stdout.splitlines()
    # Late duplicates may have come in between; how it began and what came of it stay the same.
    assert sent.stdout.splitlines()[1:4] == again[:3]
    assert sent.stdout.splitlines()[-3:-1] == again[-3:-1]
    # Which of several copies came first is chance, and so is its number of hops.
    assert re.search(r"bob: \d hops; ideal 2: alice -> n02 -> bob; by the rules of pss 3$", sent.stdout, re.MULTILINE)
    assert "read by: bob" in sent.stdout


def is_json(line: str) -> bool:
    """As opposed to what was said on stderr, which comes the same way here."""
    return line.startswith("{")


def test_events_are_followed_until_ctrl_c(shell: Shell) -> None:
    process = shell.start("events", "--follow", "--current", "--kind", "pss", "--filter", "pss", "--json")
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    current = list(itertools.takewhile(lambda line: not line.startswith("following 8 nodes"), lines))
    assert [json.loads(line)["kind"] for line in current if is_json(line)] == ["node"] * 8 + ["conn"] * 16
    digest = json.loads(shell("send", "alice", "bob", "hi", "--json").stdout)["digest"]
    events: list[dict[str, Any]] = []
    for line in filter(is_json, lines):
        events.append(json.loads(line))
        if events[-1]["kind"] == "pss.delivered" and events[-1]["digest"] == digest:
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
    assert process.returncode == 130
    events += [json.loads(line) for line in rest.splitlines() if is_json(line)]
    told = [event for event in events if event["digest"] == digest]
    assert told[0]["kind"] == "pss.sent"
    assert {event["control"] for event in told[1:]} == {False}
    assert told[0]["control"] is True
    assert [event["wall_s"] for event in told] == sorted(event["wall_s"] for event in told)
    assert {event["node"] for event in told} > {"alice", "bob"}


@contextlib.contextmanager
def followed(shell: Shell, *arguments: str) -> Iterator[Iterator[dict[str, Any]]]:
    """What `lab events --follow --json` prints from the moment on at which it follows all nodes."""
    process = shell.start("events", "--follow", "--json", *arguments)
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    try:
        for line in lines:
            if line.startswith("following 8 nodes"):
                break
        yield (json.loads(line) for line in filter(is_json, lines))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=COMMAND_TIMEOUT_S)


def test_messages_of_a_protocol_by_their_codes(shell: Shell, lab: Lab) -> None:
    """The handshake of two nodes, seen at both ends; and of all others nothing."""
    wanted = {(node, kind) for node in ("alice", "n01") for kind in ("msgsend", "msgrecv")}
    seen: list[dict[str, Any]] = []
    with followed(shell, "--filter", "bzz:0,1") as events:
        lab.disconnect("alice", "n01")
        lab.connect("alice", "n01")
        while wanted - {(event["node"], event["kind"]) for event in seen}:
            seen.append(next(events))
    assert {(event["protocol"], event["code"], event["control"]) for event in seen} == {("bzz", 0, False)}
    assert {event["peer_name"] for event in seen} == {"alice", "n01"}
    lab.wait_ready(timeout_s=30)


def test_messages_of_pss_and_what_nodes_do_with_them(shell: Shell, lab: Lab) -> None:
    wanted = {"pss.sent", "pss.forwarded", "pss.received", "pss.delivered", "msgsend", "msgrecv"}
    seen: list[dict[str, Any]] = []
    with followed(shell, "--filter", "pss:0") as events:
        lab.send("alice", "bob", b"seen as they pass", timeout_s=DEADLINE_S)
        while wanted - {event["kind"] for event in seen}:
            seen.append(next(events))
    assert {event["protocol"] for event in seen} == {"pss"}
    assert {event["code"] for event in seen if event["kind"].startswith("msg")} == {0}
    assert {event["kind"] for event in seen if event["control"]} == {"pss.sent"}
    remembered = shell("events", "--filter", "pss:0", "--json")
    kinds = {json.loads(line)["kind"] for line in remembered.stdout.splitlines()}
    assert "pss.delivered" in kinds
    assert not {"msgsend", "msgrecv"} & kinds
    assert remembered.stderr == "messages are not remembered; to see them as they pass: lab events --follow\n"


def test_a_node_whose_events_are_missing_is_named(shell: Shell, lab: Lab) -> None:
    lab.stop("n06")
    try:
        shown = shell("events", "--kind", "add", "--nodes", "n06", "--nodes", "alice", "--tail", "1")
        assert (len(shown.stdout.splitlines()), shown.stderr) == (1, "n06 is stopped: its events are missing\n")
    finally:
        lab.start("n06")
        lab.wait_ready(timeout_s=30)


def test_remembered_events(shell: Shell, lab: Lab) -> None:
    shown = shell("events", "--kind", "add", "--nodes", "alice")
    assert shown.returncode == 0
    rows = [line.split()[1:] for line in shown.stdout.splitlines()]
    assert all(row[:4] == ["alice", "live", "add", "->"] for row in rows)
    assert {row[4] for row in rows} == lab.spec.neighbours("alice")


def test_the_overlay_as_text_and_as_a_drawing(shell: Shell, lab: Lab) -> None:
    ring = shell("overlay").stdout
    assert max(map(len, ring.splitlines())) <= 80
    table = {name: told.depth for name, told in observe.tables(lab).items()}
    document = json.loads(shell("overlay", "--json").stdout)
    assert {row["name"]: row["depth"] for row in document["nodes"]} == table
    for name in table:
        assert f"{name} {lab.spec.node(name).overlay.hex()[:4]}" in ring
    assert f"depth {table['n06']}" in shell("kademlia", "n06").stdout.splitlines()[0]
    for arguments in (["overlay"], ["overlay", "alice"]):
        drawn = shell(*arguments, "--svg", "ring.svg")
        assert drawn.returncode == 0, drawn.stderr
        root = ElementTree.parse(shell.directory / "ring.svg").getroot()
        assert "n06" in "".join(root.itertext())


def test_the_graph_shows_what_is_cut(shell: Shell, lab: Lab, tmp_path: Path) -> None:
    assert "8 of 8 nodes run, 16 of 16 links up" in shell("graph").stdout
    lab.disconnect("alice", "n01")
    try:
        cut = json.loads(shell("graph", "--json").stdout)
        assert [(edge["a"], edge["b"]) for edge in cut["edges"] if edge["state"] == "missing"] == [("alice", "n01")]
    finally:
        lab.connect("alice", "n01")
    lab.wait_ready(timeout_s=30)
    planned = shell("graph", f"{NAME}.lab.yml")
    assert planned.stdout.splitlines()[-1] == f"lab {NAME}: 8 nodes, 16 links"


def test_a_table_is_the_same_json_wherever_it_is(shell: Shell) -> None:
    ring = json.loads(shell("overlay", "--json").stdout)
    for row in ring["nodes"][:2]:
        table = json.loads(shell("kademlia", row["name"], "--json").stdout)
        assert (table["lab"], table["node"], table["bins"]) == (NAME, row["name"], row["bins"])


def test_nobody_sends_to_oneself(shell: Shell, lab: Lab) -> None:
    oneself = shell("send", "alice", "alice", "hi")
    assert (oneself.returncode, oneself.stdout) == (2, "")
    with pytest.raises(LabFileError, match="the same node: alice"):
        lab.send("alice", "alice", b"hi")


def test_a_raw_message_sent_a_second_time(shell: Shell) -> None:
    first = shell("send", "alice", "bob", "once", "--mode", "raw")
    assert first.returncode == 0, first.stderr
    second = shell("send", "alice", "bob", "once", "--mode", "raw", "--timeout", "1s")
    assert second.returncode == 124
    assert re.search(r"the same raw message was sent \d+ s ago, and nodes that saw it take it for", second.stderr)
    assert "delivered" not in second.stderr
    rows = [line.split() for line in shell("trace").stdout.splitlines()]
    (again,) = (index for index, row in enumerate(rows) if row[2:] == ["alice", "sends", "it", "again"])
    # What came of it counts from there.
    assert rows[again + 1][-1] == "duplicate"
    assert float(rows[again + 1][2].removeprefix("+")) < 1000


def test_a_trace_claims_no_more_than_the_nodes_still_tell(shell: Shell, lab: Lab) -> None:
    """A relay is paused, and then started anew: how the message came there, nobody tells any more."""
    sent = lab.send("alice", "bob", b"where was it?")
    relay = sent.journey.path_to("bob")[-1].sender
    told = f"delivered to bob; its way is known only from {relay} on: {relay} -> bob"
    paused = shell("node", "pause", relay)
    assert paused.returncode == 0, paused.stderr
    try:
        lines = shell("trace", sent.digest.hex()).stdout.splitlines()
        assert told in lines
        assert lines[-1] == f"no answer from {relay}: what they did is missing here"
        assert re.search(rf"^{relay} .*  \(paused\)$", shell("graph").stdout, re.MULTILINE)
    finally:
        assert shell("node", "unpause", relay).returncode == 0
    assert lab.trace(sent.digest).summary == sent.journey.summary
    lab.stop(relay)
    lab.start(relay)
    lines = shell("trace", sent.digest.hex()).stdout.splitlines()
    assert told in lines
    assert re.fullmatch(rf"{relay} remembers nothing before \d\d:\d\d:\d\d: what happened there .*", lines[-1])
    lab.wait_ready(timeout_s=30)


def test_the_python_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: Shell
) -> None:
    monkeypatch.setenv("LAB_STATE_DIR", str(tmp_path))
    found = re.search(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    exec(compile(found[1], PAGE.name, "exec"), {})
    assert capsys.readouterr().out.startswith("4 hops, shortest alice -> ")
