"""Exit codes of pss-node; the running process is tests/integration/node."""

from __future__ import annotations

from pathlib import Path

import pytest

from node import __main__ as command
from node import __version__
from node.app import build_node
from node.config import Options, parse_options
from node.errors import ConfigError
from node.pss.service import PssService
from node.swarm.service import OverlayService
from tests.support.keys import make_key


def test_options_that_make_no_sense_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--nat", "x"]) == 2
    assert capsys.readouterr().err == "pss-node: --nat 'x': expected none or extip:IP\n"


def test_a_node_that_cannot_start_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(options: Options) -> None:
        raise ConfigError(f"{options.name}: no")

    monkeypatch.setattr(command, "_run", run)
    monkeypatch.setattr(command, "set_up_logging", lambda *args, **kwargs: None)
    assert command.main(["--name", "alice"]) == 1
    assert capsys.readouterr().err == "pss-node: alice: no\n"


@pytest.mark.parametrize(
    ("flag", "text"), [("--version", f"pss-node {__version__}"), ("--help", "--some-flag as PSS_SOME_FLAG")]
)
def test_help_and_version_end_with_0(flag: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        command.main([flag])
    assert end.value.code == 0
    assert text in " ".join(capsys.readouterr().out.split())


async def test_the_services_of_a_node_share_one_key(tmp_path: Path) -> None:
    argv = ["--datadir", str(tmp_path), "--addr", "127.0.0.1", "--port", "0", "--lightnode", "--bzznetworkid", "7"]
    overlays = []
    for _ in range(2):
        async with build_node(parse_options(argv, {})) as node:
            overlay, pss = node.service(OverlayService), node.service(PssService)
            assert pss.overlay == overlay.overlay == pss.key.public.overlay
            assert (overlay.network_id, overlay.capabilities.is_light) == (7, True)
            assert (tmp_path / "pss" / "bzzkey").read_text() == pss.key.secret.hex()
            assert node.server.key.secret != pss.key.secret
            overlays.append(overlay.overlay)
    assert overlays[0] == overlays[1]


async def test_keys_that_were_given_are_not_written(tmp_path: Path) -> None:
    argv = ["--nodekeyhex", make_key(1).secret.hex(), "--bzzkeyhex", make_key(2).secret.hex()]
    argv += ["--datadir", str(tmp_path), "--addr", "127.0.0.1", "--port", "0"]
    node = build_node(parse_options(argv, {}))
    async with node:
        assert node.server.id == make_key(1).public.node_id
        assert node.service(PssService).key.secret == make_key(2).secret
        await node.restart()
        assert node.service(OverlayService).overlay == make_key(2).public.overlay
    assert sorted(path.name for path in (tmp_path / "pss").iterdir()) == ["LOCK", "hive.json", "nodes"]
