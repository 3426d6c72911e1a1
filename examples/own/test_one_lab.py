"""One lab for all tests of a module, mended after each. Run it with `pytest examples/own`."""

import pytest

from orchestrator.lab import Lab
from orchestrator.testing import expect

pytestmark = pytest.mark.lab(topology="ring", nodes=4, seed=7, scope="module")


def test_a_relay_that_was_killed(lab: Lab) -> None:
    lab.kill("n01")
    lab.cut("alice", "n02")
    expect.disconnected(lab["alice"], lab["n01"])


def test_is_there_again(lab: Lab) -> None:
    expect.connected(lab["alice"], lab["n01"])
    lab.send("alice", "bob", b"hello")
