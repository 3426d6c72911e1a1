"""node.load: what ``module:NAME`` may be, and what is said when it is something else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.app import build_node
from node.config import parse_options
from node.errors import ConfigError
from node.events import EventBus
from node.load import LoadedProtocols, find_modules_in, load_protocols, load_services
from node.p2p.protocol import Protocol
from node.pss.mount import MountedProtocols
from node.service.service import Service, ServiceContext

SOURCE = """
from node.devp2p.protocol import ProtocolSpec
from node.p2p.typed import typed_protocol
from node.service.service import API, Service

async def run(peer): ...

PROTOCOL = typed_protocol(ProtocolSpec(name="mine", version=1, messages=()), run)
OTHER = typed_protocol(ProtocolSpec(name="other", version=1, messages=()), run)

class Mine(Service):
    def apis(self):
        return [API("mine", self, methods=["hello"])]

    def hello(self) -> str:
        return "hello"

class Picky(Service):
    def __init__(self):
        pass

def by_context(context):
    service = Mine()
    service.context = context
    return service

INSTANCE = Mine()
NUMBER = 5

def nothing(context):
    return None
"""
CONTEXT = ServiceContext(EventBus(), None, ())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    (tmp_path / "own_loaded.py").write_text(SOURCE)
    find_modules_in(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def made(*names: str) -> list[Service]:
    return [constructor(CONTEXT) for constructor in load_services(names)]


def test_protocols_come_in_one_service(folder: Path) -> None:
    (service,) = made("own_loaded:PROTOCOL", "own_loaded:OTHER")
    assert isinstance(service, LoadedProtocols)
    assert [protocol.name for protocol in service.protocols()] == ["mine", "other"]


def test_services_and_functions_get_the_context(folder: Path) -> None:
    one, two = made("own_loaded:Mine", "own_loaded:by_context")
    assert type(one).__name__ == "Mine"
    assert two.context is CONTEXT  # type: ignore[attr-defined]


def test_a_module_of_a_package(folder: Path) -> None:
    (folder / "own_package").mkdir()
    (folder / "own_package" / "__init__.py").write_text("")
    (folder / "own_package" / "inside.py").write_text(SOURCE)
    assert len(made("own_package.inside:Mine")) == 1


def test_over_pss(folder: Path) -> None:
    assert [type(protocol) for protocol in load_protocols(["own_loaded:PROTOCOL"])] == [Protocol]
    with pytest.raises(
        ConfigError, match=r"--load-over-pss own_loaded:Mine: expected a Protocol .*; it is of type type"
    ):
        load_protocols(["own_loaded:Mine"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own_loded:Mine", "there is no module 'own_loded'; --load-path or PSS_LOAD_PATH says in which folder to look"),
        ("own_loaded.x:Mine", "there is no module 'own_loaded.x'"),
        ("own_loaded:Mime", r"module own_loaded \(.*own_loaded.py\) has no 'Mime'; did you mean 'Mine'\?"),
        ("own_loaded:NUMBER", "expected a Protocol .*, a Service class, or a callable .*; it is of type int"),
        ("own_loaded:INSTANCE", "expected a Protocol .*; it is a Service object, not its class"),
        ("own_loaded:Picky", "calling it with the node's ServiceContext failed: TypeError"),
        ("own_loaded:nothing", "expected it to give a Service; what it gave is of type NoneType"),
        ("own_broken:Mine", r"importing module own_broken failed: SyntaxError: .*own_broken.py, line 1"),
        ("own_leaves:Mine", "importing module own_leaves failed: SystemExit: 3"),
        ("own_needs:Mine", "importing module own_needs failed: ModuleNotFoundError: No module named 'not_installed'"),
    ],
)
def test_errors_name_the_module_the_attribute_and_what_was_expected(folder: Path, name: str, text: str) -> None:
    (folder / "own_broken.py").write_text("class :\n")
    (folder / "own_leaves.py").write_text("raise SystemExit(3)\n")
    (folder / "own_needs.py").write_text("import not_installed\n")
    with pytest.raises(ConfigError, match=f"^--load {name}: ({text})"):
        made(name)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"^load path .*/nowhere: no such file or directory; --load-path or PSS_LOAD_PATH says"
    ):
        find_modules_in(tmp_path / "nowhere")


def test_flags_and_variables() -> None:
    options = parse_options(["--load", "a:B", "--load", "c.d:E,f:G", "--load-over-pss", "h:I"], {"PSS_LOAD": "x:Y"})
    assert (options.load, options.load_over_pss, options.load_path) == (("a:B", "c.d:E", "f:G"), ("h:I",), None)
    options = parse_options([], {"PSS_LOAD": "x:Y, z:W", "PSS_LOAD_PATH": "/own"})
    assert (options.load, options.load_path) == (("x:Y", "z:W"), Path("/own"))
    for wrong in ("a", "a:", ":a", "a:b:c", "a b:c", "1:a", "a.:b"):
        with pytest.raises(ConfigError, match="expected module:NAME"):
            parse_options(["--load", wrong], {})


async def test_a_node_with_all_of_it(folder: Path) -> None:
    argv = ["--datadir", str(folder / "data"), "--addr", "127.0.0.1", "--port", "0", "--load-path", str(folder)]
    loads = ["--load", "own_loaded:Mine,own_loaded:OTHER", "--load-over-pss", "own_loaded:PROTOCOL"]
    async with build_node(parse_options([*argv, *loads], {})) as node, await node.attach() as client:
        assert await client.call("mine_hello") == "hello"
        assert "other" in (await client.call("admin_nodeInfo"))["protocols"]
        assert [entry["name"] for entry in await client.call("own_protocols")] == ["mine"]
        assert list(node.service(MountedProtocols).mounted) == ["mine"]
