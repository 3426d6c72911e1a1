"""Every method and subscription a node offers, and every error of theirs, over every transport.

The tables are in `rows_*`; a method without a row fails `test_the_table_is_complete`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from node.ids import Topic
from node.service.endpoints import EndpointConfig
from tests.integration.rpc import rows_admin, rows_handshake, rows_overlay, rows_pss
from tests.integration.rpc.surface import INVALID_PARAMS, METHOD_NOT_FOUND, Context, Fits, Pair, Row
from tests.integration.rpc.wires import WIRES
from tests.support.nodes import LabNode, connect, lab_node

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLES = (rows_admin, rows_overlay, rows_pss, rows_handshake)
ROWS: list[Row] = [row for table in TABLES for row in table.ROWS]
SPECIFIED: set[str] = set().union(*(table.SPECIFIED for table in TABLES))
MODULES = ("admin", "bzz", "hive", "pss", "web3")
CASES = [(row, transport) for row in ROWS for transport in row.over]

topics = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Two connected nodes; the first shows everything on all transports."""
    directory = tmp_path_factory.mktemp("node")
    everything = EndpointConfig(modules=MODULES)
    async with (
        lab_node(1, data_dir=directory, ipc_path="node.ipc", http=everything, ws=everything) as one,
        lab_node(2) as two,
    ):
        await connect(one, two)
        wires = {wire.transport: wire(one) for wire in WIRES}
        yield Pair(one, two, wires)
        for wire in wires.values():
            await wire.close()


@pytest.mark.parametrize(("row", "transport"), CASES, ids=[f"{row.name}-{transport}" for row, transport in CASES])
async def test_row(pair: Pair, row: Row, transport: str) -> None:
    context = Context(pair, transport, Topic(next(topics).to_bytes(4, "big")))
    try:
        params = await context.value(row.params)
        expected = (row.http if transport == "http" else None) or row.error
        text = await context.value(expected[1]) if expected is not None else None
        answer = await context.wire.ask(row.method, params)
        assert "not implemented" not in str(answer).lower()
        if expected is not None:
            assert answer.keys() == {"jsonrpc", "id", "error"}, answer
            error = answer["error"]
            assert error.keys() == {"code", "message"}
            assert error["code"] == expected[0], error
            assert _same(context, error["message"], text), (error, text)
            return
        assert answer.keys() == {"jsonrpc", "id", "result"}, answer
        result = answer["result"]
        assert _same(context, result, await context.value(row.result)), result
        if row.then is not None:
            await row.then(context, result)
    finally:
        await context.clean_up()


def _same(context: Context, got: object, expected: object) -> bool:
    return bool(expected.check(context, got)) if isinstance(expected, Fits) else got == expected


def offered(node: LabNode) -> set[str]:
    methods, subscriptions = node.node.registry.names()
    return {*methods, *(f"{namespace}_subscribe:{name}" for namespace, name in subscriptions)}


async def test_the_table_is_complete(pair: Pair) -> None:
    names = offered(pair.one)
    assert names == SPECIFIED
    good = {row.covers for row in ROWS if row.error is None and set(row.over) & {"ipc", "ws"}}
    bad = {row.covers for row in ROWS if row.error is not None and row.error[0] == INVALID_PARAMS}
    assert names - good == set()
    assert names - bad == set()
    for row in ROWS:
        unknown = row.error is not None and row.error[0] == METHOD_NOT_FOUND
        known = row.covers in names or row.method.endswith(("_subscribe", "_unsubscribe"))
        assert known != unknown or row.method.endswith("_subscribe"), row.name


async def test_rows_have_names_of_their_own() -> None:
    assert [name for name, count in Counter(row.name for row in ROWS).items() if count > 1] == []
