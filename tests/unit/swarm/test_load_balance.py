"""Use counts and the order they give."""

from __future__ import annotations

from node.swarm.load_balance import LoadBalancer


def test_newcomers_start_at_the_lowest_count_in_bin_0() -> None:
    balancer: LoadBalancer[str] = LoadBalancer()
    balancer.on("deep", 7)
    for _ in range(3):
        balancer.used("deep")
    balancer.on("first", 0)
    assert balancer.count("first") == 0
    for name, uses in (("first", 5), ("deep", 1)):
        for _ in range(uses):
            balancer.used(name)
    balancer.on("second", 0)
    assert balancer.count("second") == 5
    balancer.on("third", 3)
    assert balancer.count("third") == 5


def test_gone_peers_have_no_count() -> None:
    balancer: LoadBalancer[str] = LoadBalancer()
    balancer.on("a", 0)
    balancer.used("a")
    balancer.off("a")
    balancer.off("a")
    balancer.used("a")
    assert balancer.count("a") is None
    balancer.on("b", 0)
    assert balancer.count("b") == 0


def test_least_used_first_and_stable() -> None:
    balancer: LoadBalancer[str] = LoadBalancer()
    for name in "abcd":
        balancer.on(name, 0)
    balancer.used("a")
    balancer.used("a")
    balancer.used("c")
    assert balancer.least_used_first("abcd") == ["b", "d", "c", "a"]
    assert balancer.least_used_first(["c", "unknown", "d"]) == ["unknown", "d", "c"]
