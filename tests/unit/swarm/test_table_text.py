"""The text and the object of the tables (spec 05 section 10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from node.ids import overlay_address
from node.swarm.kademlia import Kademlia
from node.swarm.table_text import format_table, kademlia_info
from tests.unit.swarm.samples import overlay_of, record

NODES = [
    overlay_address(bytes.fromhex(text))
    for text in (
        "50f0137dfb15dd4d7a1fabf35a742918200f07183449b0ccba8b39818e269bac",
        "b59a23e8aaa6e40d3bd6e5eccd09987ab8141ec5b3646962e6810671d8f82434",
        "7b4c0e63c35f91f7633bc4dbfc8c3f631b82f20e54ae5f3547054f63c7f97db5",
    )
]
AT = datetime(2026, 11, 23, 3, 33, 51, tzinfo=UTC)


def example() -> Kademlia[int]:
    table: Kademlia[int] = Kademlia(NODES[0])
    for index in (1, 2):
        table.on(record(NODES[index]), index, 0.0)
    return table


def test_example_of_the_specification() -> None:
    empty_rows = [f"{row:03d}  0                              |  0" for row in range(3, 16)]
    assert format_table(example(), AT).split("\n") == [
        "",
        "=" * 73,
        "Mon Nov 23 03:33:51 UTC 2026 KΛÐΞMLIΛ hive: queen's address: " + NODES[0].hex(),
        "population: 2 (2), NeighbourhoodSize: 2, MinBinSize: 2, MaxBinSize: 16",
        "============ DEPTH: 0 ==========================================",
        "000  1 b59a                         |  1 b59a (0)",
        "001  0                              |  0",
        "002  1 7b4c                         |  1 7b4c (0)",
        *empty_rows,
        "=" * 73,
    ]


def test_date_and_commit() -> None:
    early = datetime(2026, 3, 1, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    lines = format_table(example(), early, commit="abc").split("\n")
    assert lines[2] == "commit hash: abc"
    assert lines[3].startswith("Sat Feb 28 23:02:03 UTC 2026 ")
    first = format_table(example(), datetime(2026, 11, 2, tzinfo=UTC)).split("\n")[2]
    assert first.startswith("Mon Nov  2 00:00:00 UTC 2026 ")


def test_no_more_than_four_in_a_cell_and_retries_shown() -> None:
    table: Kademlia[int] = Kademlia(overlay_of("0"))
    for index in range(12):
        table.on(record(overlay_of(f"1{index:04b}")), index, 0.0)
    table.register([record("01")], 0.0)
    table.suggest_peer(0.0)
    lines = format_table(table, AT).split("\n")
    row = next(line for line in lines if line.startswith("000 "))
    assert row == "000 12 8000 8800 9000 9800          | 12 8000 (0) 8800 (0) 9000 (0) 9800 (0)"
    assert next(line for line in lines if line.startswith("001 ")).endswith(" |  1 4000 (1)")


def test_deep_bins_overwrite_the_last_row() -> None:
    table: Kademlia[int] = Kademlia(overlay_of("0"))
    for index in range(20):
        table.on(record("0" * index + "1"), index, 0.0)
    assert table.neighbourhood_depth == 18
    lines = format_table(table, AT).split("\n")
    assert not any("DEPTH" in line for line in lines)
    assert lines[-2] == "015  1 0000                         |  1 0000 (0)"
    assert kademlia_info(table)["connections"][15] == [overlay_of("0" * 19 + "1").hex()]
    assert len(kademlia_info(table)["connections"]) == 16


def test_info() -> None:
    assert kademlia_info(example()) == {
        "self": NODES[0].hex(),
        "depth": 0,
        "total_connections": 2,
        "total_known": 2,
        "connections": [[NODES[1].hex()], None, [NODES[2].hex()], *[None] * 13],
        "known": [[NODES[1].hex()], None, [NODES[2].hex()], *[None] * 13],
    }
