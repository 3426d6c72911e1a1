"""node.discv4.timers: actions in the order of their time."""

from __future__ import annotations

from node.discv4.timers import Timers


def test_in_the_order_of_their_time() -> None:
    timers, done = Timers(), list[tuple[str, float]]()
    assert timers.next_deadline() is None
    for name, at in (("late", 3.0), ("early", 1.0), ("early too", 1.0)):
        timers.at(at, lambda now, name=name: done.append((name, now)))  # type: ignore[misc]
    assert timers.next_deadline() == 1.0
    timers.run(0.9)
    assert done == []
    timers.run(2.0)
    assert done == [("early", 2.0), ("early too", 2.0)]
    assert timers.next_deadline() == 3.0


def test_what_an_action_adds_waits_for_the_next_time() -> None:
    timers, calls = Timers(), list[float]()

    def again(now: float) -> None:
        calls.append(now)
        timers.at(now, again)

    timers.at(0.0, again)
    timers.run(1.0)
    assert calls == [1.0]
    assert timers.next_deadline() == 1.0
