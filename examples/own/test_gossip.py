"""A rumour reaches everybody, and nobody twice. Run it with `pytest examples/own`."""

import pytest

from orchestrator.lab import Lab
from orchestrator.testing import expect


@pytest.mark.lab("gossip.lab.yml")
def test_a_rumour_goes_all_the_way(lab: Lab) -> None:
    lab["alice"].rpc("gossip_tell", "it rains")
    for node in lab.nodes:
        expect.answer(node, "gossip_heardSoFar", gives=["it rains"], within=5)


@pytest.mark.lab("gossip.lab.yml")
def test_a_cut_line_keeps_it_on_one_side(lab: Lab) -> None:
    lab.disconnect("n01", "n02")
    expect.disconnected(lab["n02"], lab["n01"])
    lab["alice"].rpc("gossip_tell", "it snows")
    expect.answer(lab["n01"], "gossip_heardSoFar", gives=["it snows"])
    assert lab["bob"].rpc("gossip_heardSoFar") == []
