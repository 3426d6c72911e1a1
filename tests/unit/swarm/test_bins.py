"""The table by address and bin, against a plain dict."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ids import OverlayAddress
from node.swarm.bins import BinTable
from node.swarm.proximity import proximity_order
from tests.unit.swarm.samples import overlay_of, overlay_sets, overlays


@settings(deadline=None)
@given(overlays, overlay_sets, st.data())
def test_behaves_like_a_dict(base: OverlayAddress, addresses: list[OverlayAddress], data: st.DataObject) -> None:
    table: BinTable[int] = BinTable(base)
    model: dict[OverlayAddress, int] = {}
    for step in range(2 * len(addresses)):
        address = data.draw(st.sampled_from(addresses))
        if data.draw(st.booleans()):
            table.put(address, step)
            model[address] = step
        else:
            table.remove(address)
            model.pop(address, None)
        sizes = Counter(proximity_order(base, other) for other in model)
        assert table.sizes() == sorted(sizes.items())
        assert table.deepest == max(sizes, default=0)
        assert len(table) == len(model)
    assert all(table.get(address) == model.get(address) for address in addresses)
    assert sorted(table) == sorted(model.values())
    for po, values in table.bins():
        assert sorted(values) == sorted(v for a, v in model.items() if proximity_order(base, a) == po)
        assert list(table.bin(po)) == list(values)


@pytest.mark.parametrize("size", [0, 2, 31, 33])
def test_addresses_of_another_length(size: int) -> None:
    table: BinTable[int] = BinTable(overlay_of("0"))
    table.put(overlay_of("0"), 1)
    assert table.get(bytes(size)) is None
    with pytest.raises(ValueError, match="32 bytes"):
        table.put(OverlayAddress(bytes(size)), 2)
    with pytest.raises(ValueError, match="32 bytes"):
        BinTable(OverlayAddress(bytes(size)))
