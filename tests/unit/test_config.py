"""Flags and environment variables of pss-node: each one, what wins, and what a bad value is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.config import Options, client_name, parse_options
from node.enode import parse_enode, parse_ip
from node.errors import ConfigError
from node.service.endpoints import EndpointConfig
from tests.support.keys import make_key

SECRET = "5ec7e7" * 10 + "0001"
ENODE = f"enode://{make_key(2).public.raw.hex()}@127.0.0.1:30399"
OTHER = f"enode://{make_key(3).public.raw.hex()}@10.0.0.1:1?discport=0"


def parse(*argv: str, **environ: str) -> Options:
    return parse_options(argv, environ)


def refusal(capsys: pytest.CaptureFixture[str], *argv: str, **environ: str) -> str:
    """What is said about options that make no sense, with exit code 2."""
    with pytest.raises((ConfigError, SystemExit)) as caught:
        parse(*argv, **environ)
    if isinstance(caught.value, SystemExit):
        assert caught.value.code == 2
        return capsys.readouterr().err
    return str(caught.value)


def test_defaults() -> None:
    options = parse()
    assert options == Options(
        name="",
        data_dir=Path("~/.pss-node").expanduser(),
        ipc_path="bzzd.ipc",
        listen_addr=":30399",
        advertise_ip=None,
        node_key=None,
        bzz_key=None,
        network_id=4,
        bootnodes=(),
        discovery=False,
        max_peers=50,
        http=None,
        ws=None,
        auto_connect=True,
        resume=True,
        light=False,
        verbosity=3,
        control="",
        control_token="",
    )


FLAGS: list[tuple[list[str], str, object]] = [
    (["--name", "alice"], "name", "alice"),
    (["--datadir", "/data"], "data_dir", Path("/data")),
    (["--datadir", "~/data"], "data_dir", Path("~/data").expanduser()),
    (["--ipcpath", "/run/x.ipc"], "ipc_path", "/run/x.ipc"),
    (["--ipcpath", ""], "ipc_path", ""),
    (["--port", "0"], "listen_addr", ":0"),
    (["--port", "65535"], "listen_addr", ":65535"),
    (["--addr", "127.0.0.1", "--port", "1"], "listen_addr", "127.0.0.1:1"),
    (["--nat", "none"], "advertise_ip", None),
    (["--nat", "extip:10.1.2.3"], "advertise_ip", parse_ip("10.1.2.3")),
    (["--nat", "extip:::1"], "advertise_ip", parse_ip("::1")),
    (["--bzznetworkid", "0"], "network_id", 0),
    (["--bzznetworkid", str(2**64 - 1)], "network_id", 2**64 - 1),
    (["--bootnodes", ENODE], "bootnodes", (parse_enode(ENODE),)),
    (["--bootnodes", f" {ENODE} , {OTHER},"], "bootnodes", (parse_enode(ENODE), parse_enode(OTHER))),
    (["--bootnodes", ""], "bootnodes", ()),
    (["--discovery"], "discovery", True),
    (["--maxpeers", "0"], "max_peers", 0),
    (["--disable-auto-connect"], "auto_connect", False),
    (["--forget-peers"], "resume", False),
    (["--lightnode"], "light", True),
    (["--verbosity", "5"], "verbosity", 5),
    (["--control", "unix:/run/c.sock"], "control", "unix:/run/c.sock"),
    (["--http"], "http", EndpointConfig(host="127.0.0.1", port=8545, modules=None, origins=())),
    (
        ["--http", "--httpaddr", "0.0.0.0", "--httpport", "1", "--httpapi", "pss, admin", "--httporigins", "http://a"],
        "http",
        EndpointConfig(host="0.0.0.0", port=1, modules=("pss", "admin"), origins=("http://a",)),
    ),
    (["--httpport", "1"], "http", None),
    (["--ws"], "ws", EndpointConfig(host="127.0.0.1", port=8546, modules=("pss",), origins=())),
    (
        ["--ws", "--wsaddr", "::1", "--wsport", "0", "--wsapi", "", "--wsorigins", "*"],
        "ws",
        EndpointConfig(host="::1", port=0, modules=(), origins=("*",)),
    ),
]


@pytest.mark.parametrize(("argv", "field", "value"), FLAGS)
def test_flags(argv: list[str], field: str, value: object) -> None:
    assert getattr(parse(*argv), field) == value


def as_environment(argv: list[str]) -> dict[str, str]:
    environ, flags = {}, list(argv)
    while flags:
        variable = "PSS_" + flags.pop(0).removeprefix("--").upper().replace("-", "_")
        environ[variable] = flags.pop(0) if flags and not flags[0].startswith("--") else "true"
    return environ


@pytest.mark.parametrize(("argv", "field", "value"), FLAGS)
def test_every_flag_can_be_a_variable(argv: list[str], field: str, value: object) -> None:
    assert getattr(parse(**as_environment(argv)), field) == value


def test_the_flag_wins_over_the_variable() -> None:
    assert parse("--name", "flag", PSS_NAME="variable").name == "flag"
    assert parse("--port", "1", PSS_PORT="nonsense").listen_addr == ":1"
    assert not parse("--disable-auto-connect", PSS_DISABLE_AUTO_CONNECT="false").auto_connect


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("TRUE", True), ("yes", True), ("on", True), ("0", False), ("no", False), ("", False)],
)
def test_switches_as_variables(text: str, value: bool) -> None:
    assert parse(PSS_LIGHTNODE=text).light is value


def test_other_variables_are_none_of_our_business() -> None:
    assert parse(PSS_NONSENSE="x", HOME="/root", PSS_HELP="1", PSS_VERSION="1") == parse()


# -- keys and tokens


@pytest.mark.parametrize("name", ["node", "bzz"])
def test_keys(name: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET + "\n")
    for options in (
        parse(f"--{name}keyhex", SECRET),
        parse(f"--{name}keyhex", "0x" + SECRET.upper()),
        parse(f"--{name}key", str(file)),
        parse(**{f"PSS_{name.upper()}KEYHEX": SECRET}),
    ):
        key = getattr(options, f"{name}_key")
        assert key is not None
        assert key.secret.hex() == SECRET


def test_the_token_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f" {SECRET}\n")
    network = ("--control", "127.0.0.1:7000")
    assert parse(*network, PSS_CONTROL_TOKEN=SECRET).control_token == SECRET
    assert parse(*network, "--control-token-file", str(file), PSS_CONTROL_TOKEN="other").control_token == SECRET
    assert parse(*network, PSS_CONTROL_TOKEN_FILE=str(file)).control_token == SECRET


def test_options_show_no_secrets() -> None:
    options = parse("--nodekeyhex", SECRET, "--bzzkeyhex", SECRET, PSS_CONTROL_TOKEN=SECRET + "token")
    assert SECRET not in repr(options)
    assert SECRET not in str(options)


@pytest.mark.parametrize("digits", [SECRET[:-1], SECRET[:-2], SECRET + "00", "ff" * 32, "00" * 32, SECRET[:-1] + "g"])
@pytest.mark.parametrize("name", ["nodekey", "bzzkey"])
def test_a_bad_key_is_refused_without_being_quoted(
    name: str, digits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = refusal(capsys, f"--{name}hex", digits)
    assert text == f"--{name}hex: want 64 hex digits of a valid private key"
    if len(digits) <= 64:
        (tmp_path / "key").write_text(digits)
        text = refusal(capsys, f"--{name}", str(tmp_path / "key"))
        assert text == f"key file {tmp_path}/key: want 64 hex digits of a valid private key"


# -- bad values


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--port", "65536"], "argument --port: '65536' is not a port from 0 to 65535"),
        (["--port", "-1"], "argument --port: "),
        (["--port", "x"], "argument --port: 'x' is not a port"),
        (["--port", "٣"], "argument --port: "),
        (["--httpport", "1.5"], "argument --httpport: '1.5' is not a port"),
        (["--wsport", ""], "argument --wsport: '' is not a port"),
        (["--bzznetworkid", str(2**64)], "argument --bzznetworkid: "),
        (["--maxpeers", "many"], "argument --maxpeers: 'many' is not a count from 0"),
        (["--verbosity", "6"], "argument --verbosity: '6' is not a level from 0 to 5"),
        (["--nat", "any"], "--nat 'any': expected none or extip:IP"),
        (["--nat", "extip:localhost"], "--nat 'extip:localhost': expected none or extip:IP"),
        (["--nat", "extip:"], "--nat 'extip:': expected none or extip:IP"),
        (["--bootnodes", "nonsense"], "--bootnodes 'nonsense': invalid URL scheme"),
        (["--bootnodes", f"{ENODE},{ENODE[:-6]}"], f"--bootnodes '{ENODE[:-6]}': invalid host"),
        (["--bootnodes", ENODE.partition("@")[0]], "it has no address and TCP port to dial"),
        (["--bootnodes", ENODE.replace(":30399", ":0")], "it has no address and TCP port to dial"),
        (["--bootnodes", f"enode://{'00' * 64}@127.0.0.1:1"], "invalid public key"),
        (["--nodekey", "a", "--nodekeyhex", SECRET], "--nodekey and --nodekeyhex exclude each other"),
        (["--bzzkey", "a", "--bzzkeyhex", SECRET], "--bzzkey and --bzzkeyhex exclude each other"),
        (["--nodekey", "/nonexistent/key"], "key file /nonexistent/key: no such file or directory"),
        (
            ["--control", "127.0.0.1:7000"],
            "--control on a network address needs --control-token-file or PSS_CONTROL_TOKEN",
        ),
        (["--control", "127.0.0.1:99999"], "--control '127.0.0.1:99999': expected unix:PATH or host:port"),
        (["--control", "localhost"], "--control 'localhost': expected unix:PATH or host:port"),
        (["--control-token-file", "/nonexistent/token"], "--control-token-file /nonexistent/token: no such file"),
        (["--control-token-file", "/"], "--control-token-file /: is a directory"),
        (["--nonsense"], "unknown flags: --nonsense"),
        (["--nam", "x"], "unknown flags: --nam"),
        (["stray"], "no arguments but flags"),
        (["--name"], "argument --name: expected one argument"),
    ],
)
def test_a_bad_value_is_named_with_its_flag(argv: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert text in refusal(capsys, *argv)


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("PSS_PORT", "x", "argument --port: 'x' is not a port"),
        ("PSS_LIGHTNODE", "maybe", "PSS_LIGHTNODE: expected true or false, got 'maybe'"),
        ("PSS_DISABLE_AUTO_CONNECT", "2", "PSS_DISABLE_AUTO_CONNECT: expected true or false, got '2'"),
        ("PSS_BOOTNODES", "x", "--bootnodes 'x': "),
        ("PSS_NODEKEYHEX", "x", "--nodekeyhex: want 64 hex digits"),
    ],
)
def test_a_bad_value_of_a_variable_is_named(
    variable: str, value: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert text in refusal(capsys, **{variable: value})


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\x00" + SECRET.encode()])
def test_a_token_file_without_a_token(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    text = refusal(capsys, "--control-token-file", str(file))
    assert text.startswith(f"--control-token-file {file}: the file is ")
    assert SECRET not in text


def test_the_client_name() -> None:
    name, version, system, python = client_name().split("/")
    assert (name, version[0], python.startswith("python3.")) == ("pss-lab", "v", True)
    assert system


def test_a_mistyped_key_flag_does_not_print_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "11" * 32
    with pytest.raises(SystemExit):
        parse_options(["--nodekeyhexx", secret, f"--bzzkeyhexx={secret}"], {})
    said = capsys.readouterr().err
    assert "--nodekeyhexx" in said
    assert secret not in said
