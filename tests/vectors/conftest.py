"""Hands the cases of the vector files to the tests.

A test names its file in ``pytestmark = pytest.mark.vectors("pss_crypto.json")`` and takes a fixture called like a kind
of case: ``def test_x(case_wrap)`` runs once for every case of kind ``wrap``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vectors.loader import load_cases

PREFIX = "case_"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker("vectors")
    folder = Path(metafunc.config.getoption("--vectors"))
    for name in metafunc.fixturenames:
        if mark is None or not name.startswith(PREFIX):
            continue
        kind = name.removeprefix(PREFIX)
        cases = [case for case in load_cases(folder / mark.args[0]) if case["kind"] == kind]
        if not cases:
            raise pytest.UsageError(f"{folder / mark.args[0]} has no case of kind {kind}")
        metafunc.parametrize(name, cases, ids=[case["name"] for case in cases])


@pytest.fixture(scope="session")
def vectors_dir(pytestconfig: pytest.Config) -> Path:
    return Path(pytestconfig.getoption("--vectors"))
