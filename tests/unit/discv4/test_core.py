"""node.discv4.core: nodes of a simulated network find each other, keep their tables and search (spec 04 section 6)."""

from __future__ import annotations

import random

from node.crypto.keccak import keccak256
from node.discv4.bonds import MAX_FIND_FAILURES
from node.discv4.core import Discovery, Intervals, RecordChanged, Resolved
from node.discv4.database import MAX_SEEDS, SEED_MAX_AGE_S, Remembered
from node.discv4.lookup import distance_key
from node.discv4.table import BUCKET_SIZE
from node.enode import Node, parse_ip
from node.enr import make_record, parse_record
from tests.support.discovery import EPOCH, SimNetwork, SimNode
from tests.support.keys import make_key

QUICK = Intervals(revalidate_max_s=1.0)


def bootstrapped(count: int, **options: object) -> tuple[SimNetwork, list[SimNode]]:
    """Nodes that know only the first one."""
    network = SimNetwork()
    first = network.add(1, **options)
    return network, [first, *(network.add(n, bootnodes=[first.node], **options) for n in range(2, count + 1))]


def test_two_nodes_know_each_other_after_the_refresh() -> None:
    network, (first, second) = bootstrapped(2)
    network.run(10)
    assert first.knows(second)
    assert second.knows(first)


def test_a_node_that_starts_before_its_bootnode() -> None:
    network = SimNetwork()
    late = SimNode(1, "10.0.0.1")
    early = network.add(2, bootnodes=[late.node])
    network.run(60)
    network.add(1)
    network.run_until(lambda: early.knows(late), limit_s=60)


def test_twelve_nodes_find_each_other() -> None:
    network, nodes = bootstrapped(12, intervals=QUICK)
    network.run(30)
    for node in nodes:
        network.lookup(node)
        assert sum(node.knows(other) for other in nodes) == 11, node.node


def test_a_search_without_anybody_ends() -> None:
    network = SimNetwork()
    assert network.lookup(network.add(1)) == []


def test_a_search_with_dead_bootnodes_ends() -> None:
    network = SimNetwork()
    node = network.add(1, bootnodes=[SimNode(n, f"10.0.0.{n}").node for n in (2, 3)])
    network.run(30)
    found = network.lookup(node)
    assert {one.id for one in found} <= {make_key(n).public.node_id for n in (2, 3)}


def test_a_search_finds_the_true_16_closest_of_100() -> None:
    """Tables as a long-lived network has them; one node searches by packets."""
    network, rng = SimNetwork(), random.Random(4)
    nodes = [network.add(n, start=False) for n in range(1, 101)]
    for node in nodes:
        for other in rng.sample(nodes, len(nodes)):
            node.core.table.add_seen(other.node)
        for entry in node.core.table:
            entry.liveness_checks = 1
    for searcher in (nodes[0], nodes[57]):
        target = rng.randbytes(64)
        point = keccak256(target)
        closest = sorted((one.node for one in nodes), key=lambda node: distance_key(point, node.id))
        expected = [node for node in closest if node.id != searcher.node.id][:16]
        assert network.lookup(searcher, target) == expected


def test_a_search_goes_on_when_a_fifth_of_the_datagrams_is_lost() -> None:
    network, rng = SimNetwork(), random.Random(5)
    nodes = [network.add(n, start=False) for n in range(1, 41)]
    for node in nodes:
        for other in nodes:
            node.core.table.add_seen(other.node)
        for entry in node.core.table:
            entry.liveness_checks = 1
    network.lost = lambda source, to: rng.random() < 0.2
    target = rng.randbytes(64)
    point = keccak256(target)
    expected = sorted((one.node for one in nodes[1:]), key=lambda node: distance_key(point, node.id))[:16]
    assert len(set(network.lookup(nodes[0], target)) & set(expected)) >= 14


# -- keeping the table


def test_live_nodes_are_told_to_others_only_after_a_check() -> None:
    """Spec 04 pitfall 10."""
    network, (first, second) = bootstrapped(2, intervals=Intervals(revalidate_max_s=60))
    network.run(2)
    assert first.knows(second)
    assert first.core.closest_live(bytes(32)) == []
    network.run(120)
    assert first.core.closest_live(bytes(32)) == [second.node]


def test_the_check_fetches_the_record() -> None:
    network, (first, second) = bootstrapped(2, intervals=QUICK)
    network.run(20)
    entry = first.core.table.get(second.node.id)
    assert entry is not None
    assert entry.seq == 1
    assert entry.node == second.node


def test_dead_nodes_leave_the_table() -> None:
    network, (first, second, third) = bootstrapped(3, intervals=QUICK)
    network.run(10)
    assert first.knows(second)
    assert first.knows(third)
    network.remove(second)
    network.run(20)
    assert not first.knows(second)
    assert first.knows(third)


def test_a_node_that_tells_nothing_is_dropped_after_five_questions() -> None:
    network, (first, second) = bootstrapped(2, intervals=Intervals(revalidate_max_s=1000))
    network.run(5)
    for _ in range(MAX_FIND_FAILURES):
        assert second.knows(first)
        network.lookup(second, bytes(64))
        second.core._bootnodes = ()
        if not second.knows(first):
            break
    assert not second.knows(first)


def test_refresh_every_30_minutes() -> None:
    network, (first, second) = bootstrapped(2, intervals=Intervals(revalidate_max_s=1e9))
    network.run(20)
    before = network.sent
    network.run(29 * 60)
    assert network.sent == before
    network.run(2 * 60)
    assert network.sent > before
    assert first.knows(second)


def test_timers_do_not_pile_up() -> None:
    network = SimNetwork()
    node = network.add(1, bootnodes=[SimNode(2, "10.0.0.2").node])
    network.run(100)
    for _ in range(20):
        node.core.lookup(now=network.now)
        network.run(4)
    network.run(3600)
    assert len(node.core._timers) < 20


def test_nobody_is_added_before_the_first_refresh_is_over() -> None:
    core = Discovery(make_key(1), make_record(make_key(1), seq=1, ip=parse_ip("10.0.0.1")), unix_offset=EPOCH)
    core.verified(Node(make_key(2).public, parse_ip("10.0.0.2"), 1, 1))
    assert len(core.table) == 0


def test_the_table_is_bounded_whoever_comes() -> None:
    core = Discovery(make_key(1), make_record(make_key(1), seq=1, ip=parse_ip("10.0.0.1")), unix_offset=EPOCH)
    for n in range(2, 600):
        core.table.add_seen(Node(make_key(n).public, parse_ip("10.0.0.2"), 1, 1))
    assert len(core.table) <= 17 * BUCKET_SIZE


def test_random_nodes_differ() -> None:
    network, nodes = bootstrapped(6, intervals=QUICK)
    network.run(10)
    drawn = nodes[0].core.random_nodes(4)
    assert len({node.id for node in drawn}) == 4
    assert len(nodes[0].core.random_nodes(100)) == 5


# -- from one run to the next


def test_nodes_that_answered_are_remembered() -> None:
    network, nodes = bootstrapped(4, intervals=QUICK)
    silent = SimNode(9, "10.0.0.9")
    nodes[0].core.table.add_seen(silent.node)
    network.run(20)
    database = nodes[0].core.remembered(now=network.now)
    assert database.seq == 1
    assert {one.node for one in database.nodes} == {node.node for node in nodes[1:]}
    assert all(EPOCH <= one.pong_at <= EPOCH + network.now for one in database.nodes)


def test_a_node_starts_with_what_it_remembers() -> None:
    """Its bootnode is gone, and nobody knows of it."""
    network, nodes = bootstrapped(5, intervals=QUICK)
    network.run(20)
    database = nodes[1].core.remembered(now=network.now)
    for gone in nodes[:2]:
        network.remove(gone)
    again = network.add(2, intervals=QUICK, seeds=database.nodes)
    network.run_until(lambda: all(again.knows(other) for other in nodes[2:]), limit_s=30)
    network.run_until(lambda: not again.knows(nodes[0]), limit_s=60)
    # Who does not answer now may do so later: it was heard of lately.
    assert nodes[0].node in [one.node for one in again.core.remembered(now=network.now).nodes]


def test_thirty_seeds_of_many() -> None:
    seeds = [Remembered(Node(make_key(n).public, parse_ip(f"10.1.{n}.1"), 1, 1), EPOCH) for n in range(2, 100)]
    core = Discovery(make_key(1), make_record(make_key(1), seq=1, ip=parse_ip("10.0.0.1")), seeds=seeds)
    core.start(now=0.0)
    assert 0 < len(core.table) <= MAX_SEEDS


def test_seeds_of_long_ago_are_forgotten() -> None:
    network = SimNetwork()
    seed = Remembered(SimNode(2, "10.0.0.2").node, EPOCH)
    node = network.add(1, seeds=[seed], intervals=Intervals(refresh_empty_s=1e9, revalidate_max_s=1e9))
    assert node.core.remembered(now=SEED_MAX_AGE_S - 1).nodes == (seed,)
    assert node.core.remembered(now=SEED_MAX_AGE_S + 1).nodes == ()


# -- where a node is now


def resolve(network: SimNetwork, node: SimNode, whom: Node) -> Node | None:
    number = node.core.resolve(whom, now=network.now)

    def ends() -> list[Resolved]:
        return [event for event in node.events if isinstance(event, Resolved) and event.number == number]

    network.run_until(ends, limit_s=60)
    return ends()[0].node


def test_a_node_tells_its_tcp_port_itself() -> None:
    network, (first, second) = bootstrapped(2, intervals=QUICK)
    network.run(10)
    outdated = Node(second.key.public, second.node.ip, 1, second.node.udp)
    assert resolve(network, first, outdated) == second.node


def test_a_node_that_moved_is_found_through_others() -> None:
    network, nodes = bootstrapped(4, intervals=QUICK)
    network.run(30)
    for whom in (Node(nodes[3].key.public, parse_ip("10.0.9.9"), 1, 1), Node(nodes[3].key.public)):
        assert resolve(network, nodes[1], whom) == nodes[3].node


def test_a_node_that_nobody_knows_is_not_found() -> None:
    network, (first, _) = bootstrapped(2, intervals=QUICK)
    network.run(10)
    assert resolve(network, first, SimNode(9, "10.0.0.9").node) is None
    assert resolve(network, first, Node(make_key(9).public)) is None


# -- where we are


def test_the_record_follows_what_ten_hosts_say() -> None:
    """Behind an address translation: the others see us elsewhere than our record says."""
    network = SimNetwork()
    others = [network.add(n, intervals=QUICK) for n in range(2, 14)]
    wrong = make_record(make_key(1), seq=4, ip=parse_ip("127.0.0.1"), tcp=7, udp=8)
    node = network.add(1, start=False)
    seeds = [Remembered(other.node, EPOCH) for other in others]
    node.core = Discovery(make_key(1), wrong, seeds=seeds, predicts_endpoint=True, intervals=QUICK, unix_offset=EPOCH)
    node.core.start(now=network.now)
    network.run_until(lambda: any(isinstance(event, RecordChanged) for event in node.events), limit_s=60)
    network.run(60)
    (changed,) = [event for event in node.events if isinstance(event, RecordChanged)]
    assert changed.record == node.core.record
    own = changed.record.node
    assert (own.ip, own.udp, own.tcp, changed.record.seq) == (node.address.ip, node.address.port, 7, 5)
    assert parse_record(changed.record.text) == own


def test_a_record_with_a_given_address_stays() -> None:
    network = SimNetwork()
    others = [network.add(n, intervals=QUICK) for n in range(2, 14)]
    node = network.add(1, start=False)
    fixed = make_record(make_key(1), seq=4, ip=parse_ip("10.7.7.7"), tcp=7, udp=8)
    seeds = [Remembered(other.node, EPOCH) for other in others]
    node.core = Discovery(make_key(1), fixed, seeds=seeds, intervals=QUICK, unix_offset=EPOCH)
    node.core.start(now=network.now)
    network.run(60)
    assert len(node.core.remembered(now=network.now).nodes) >= 10
    assert node.core.record == fixed
