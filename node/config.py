"""Settings of ``pss-node``: flags, environment variables, key files.

A flag ``--some-flag`` can be given as the variable ``PSS_SOME_FLAG``; the flag wins. Private keys belong into files or
the environment: what is in argv, everybody on the machine can read.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from node import __version__
from node.crypto.secp256k1 import InvalidKey, PrivateKey
from node.enode import InvalidEnode, IPAddress, Node, parse_enode, parse_ip
from node.errors import ConfigError
from node.service.datadir import load_key
from node.service.endpoints import EndpointConfig

ENVIRONMENT_PREFIX = "PSS_"
TOKEN_VARIABLE = "PSS_CONTROL_TOKEN"  # noqa: S105  -- its name, not its value
"""The token itself, where no file can be mounted; there is no flag for it."""
DEFAULT_PORT = 30399
DEFAULT_NETWORK_ID = 4
DEFAULT_IPC_NAME = "bzzd.ipc"
DEFAULT_HTTP_PORT, DEFAULT_WS_PORT = 8545, 8546
DEFAULT_MAX_PEERS = 50
DEFAULT_WS_MODULES = "pss"
"""What the reference shows on WebSocket without --wsapi, next to rpc (spec 05 section 11); web3 joins as public."""
MAX_NETWORK_ID = 2**64 - 1
_LOADABLE = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):[^\W\d]\w*")
"""``module:NAME``; the module may be one of a package."""
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything a node is started with."""

    name: str
    """Name in the lab; empty outside one."""
    data_dir: Path
    ipc_path: str
    listen_addr: str
    """``host:port`` of the p2p listener."""
    advertise_ip: IPAddress | None
    """None: where we listen, or what discovery finds out."""
    node_key: PrivateKey | None
    """None: from the data directory."""
    bzz_key: PrivateKey | None
    network_id: int
    bootnodes: tuple[Node, ...]
    """Stay connected with these; discovery begins at those of them that have a UDP port."""
    discovery: bool
    max_peers: int
    http: EndpointConfig | None
    ws: EndpointConfig | None
    auto_connect: bool
    resume: bool
    """Remember connections for the next run, and begin with those of the last one."""
    light: bool
    verbosity: int
    """0 critical, 1 error, 2 warning, 3 info, 4 debug, 5 everything."""
    control: str
    """Address of the gRPC control interface: ``unix:PATH`` or ``host:port``; empty for none."""
    control_token: str = field(repr=False)
    """What callers of a control interface that is not a unix socket must present."""
    load: tuple[str, ...] = ()
    """Protocols and services of others, ``module:NAME``; see :mod:`node.load`."""
    load_over_pss: tuple[str, ...] = ()
    """Protocols of others that run over pss instead of on connections."""
    load_path: Path | None = None
    """Where else their modules are."""


def parse_options(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> Options:
    """Read the command line and the environment.

    Raises:
        ConfigError: a value makes no sense; names the flag.
        SystemExit: unknown flags (2), --help and --version (0).
    """
    parser = _parser()
    _apply_environment(parser, environ)
    flags, rest = parser.parse_known_args(argv)
    if rest:
        # Only the names: what follows a mistyped flag may be a key.
        unknown = [word.partition("=")[0] for word in rest if word.startswith("-")]
        parser.error("unknown flags: " + " ".join(unknown) if unknown else "there are no arguments but flags")
    if flags.nodekey and flags.nodekeyhex:
        raise ConfigError("--nodekey and --nodekeyhex exclude each other")
    if flags.bzzkey and flags.bzzkeyhex:
        raise ConfigError("--bzzkey and --bzzkeyhex exclude each other")
    token = _read_token(flags.control_token_file) or environ.get(TOKEN_VARIABLE, "")
    if flags.control and not flags.control.startswith("unix:"):
        _check_network_address("control", flags.control)
        if not token:
            raise ConfigError(f"--control on a network address needs --control-token-file or {TOKEN_VARIABLE}")
    return Options(
        name=flags.name,
        data_dir=Path(flags.datadir).expanduser(),
        ipc_path=flags.ipcpath,
        listen_addr=f"{flags.addr}:{flags.port}",
        advertise_ip=_advertised(flags.nat),
        node_key=_key("nodekey", flags.nodekey, flags.nodekeyhex),
        bzz_key=_key("bzzkey", flags.bzzkey, flags.bzzkeyhex),
        network_id=flags.bzznetworkid,
        bootnodes=_bootnodes(flags.bootnodes),
        discovery=flags.discovery,
        max_peers=flags.maxpeers,
        http=_endpoint(flags.httpaddr, flags.httpport, flags.httpapi, flags.httporigins) if flags.http else None,
        ws=_endpoint(flags.wsaddr, flags.wsport, flags.wsapi, flags.wsorigins) if flags.ws else None,
        auto_connect=not flags.disable_auto_connect,
        resume=not flags.forget_peers,
        light=flags.lightnode,
        verbosity=flags.verbosity,
        control=flags.control,
        control_token=token,
        load=_loadable("load", flags.load),
        load_over_pss=_loadable("load-over-pss", flags.load_over_pss),
        load_path=Path(flags.load_path).expanduser().absolute() if flags.load_path else None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pss-node",
        description="A node that speaks devp2p, the Swarm overlay and pss.",
        epilog=f"Every flag can be given as an environment variable: --some-flag as {ENVIRONMENT_PREFIX}SOME_FLAG.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"pss-node {__version__}")
    add("--name", default="", help="name of this node in the lab")
    add(
        "--datadir",
        default="~/.pss-node",
        metavar="DIR",
        help="keys, lock, IPC socket, and which nodes it knew (default %(default)s)",
    )
    add(
        "--ipcpath",
        default=DEFAULT_IPC_NAME,
        metavar="PATH",
        help="JSON-RPC socket; a bare name is in the data directory",
    )
    add("--addr", default="", metavar="HOST", help="interface to listen on for peers (default: all)")
    add("--port", type=_port, default=DEFAULT_PORT, help="TCP port for peers; 0 takes a free one (default %(default)s)")
    add("--nat", default="none", metavar="none|extip:IP", help="address to advertise to others")
    add("--nodekey", metavar="FILE", help="private key of the devp2p identity")
    add("--nodekeyhex", metavar="HEX", help="the same as hex (for tests)")
    add("--bzzkey", metavar="FILE", help="private key of the overlay and pss identity")
    add("--bzzkeyhex", metavar="HEX", help="the same as hex (for tests)")
    add(
        "--bzznetworkid",
        type=_network_id,
        default=DEFAULT_NETWORK_ID,
        metavar="N",
        help="overlay network (default %(default)s)",
    )
    add("--bootnodes", default="", metavar="ENODES", help="enode URLs to stay connected with, separated by commas")
    add("--discovery", action="store_true", help="take part in node discovery (UDP, the port of --port)")
    add(
        "--maxpeers",
        type=_count,
        default=DEFAULT_MAX_PEERS,
        metavar="N",
        help="most peers at a time (default %(default)s)",
    )
    _add_endpoint_flags(parser, "http", DEFAULT_HTTP_PORT, None)
    _add_endpoint_flags(parser, "ws", DEFAULT_WS_PORT, DEFAULT_WS_MODULES)
    add("--disable-auto-connect", action="store_true", help="dial nobody but bootnodes and who is asked for")
    add("--forget-peers", action="store_true", help="neither remember nor dial those of the last run")
    add("--lightnode", action="store_true", help="say in the handshake that this node stores nothing")
    add("--control", default="", metavar="ADDRESS", help="gRPC control interface: unix:PATH or host:port")
    add("--control-token-file", metavar="FILE", help="bearer token that callers of --control host:port must present")
    own = "module:NAME"
    add("--load", default="", action=_Repeatable, metavar=own, help="a protocol or service of your own; repeatable")
    add("--load-over-pss", default="", action=_Repeatable, metavar=own, help="a protocol to run over pss; repeatable")
    add("--load-path", default="", metavar="DIR", help="folder of the modules to load")
    add(
        "--verbosity",
        type=_verbosity,
        default=3,
        metavar="0-5",
        help="0 critical ... 5 everything (default %(default)s)",
    )
    return parser


class _Repeatable(argparse.Action):
    """A flag whose values add up, separated by commas; the first takes the place of the environment's."""

    def __call__(self, _: object, namespace: argparse.Namespace, value: object, __: object = None) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, value if before is self.default else f"{before},{value}")


def _add_endpoint_flags(parser: argparse.ArgumentParser, kind: str, port: int, modules: str | None) -> None:
    name = {"http": "HTTP", "ws": "WebSocket"}[kind]
    add = parser.add_argument
    add(f"--{kind}", action="store_true", help=f"serve JSON-RPC over {name}")
    add(f"--{kind}addr", default="127.0.0.1", metavar="HOST", help="interface (default %(default)s)")
    add(f"--{kind}port", type=_port, default=port, metavar="PORT", help="port (default %(default)s)")
    add(f"--{kind}api", default=modules, metavar="NAMES", help="namespaces to show, separated by commas")
    add(f"--{kind}origins", default="", metavar="ORIGINS", help="browser origins to allow, separated by commas")


def _apply_environment(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    """Make the environment the default of each flag; argparse then checks it like the flag itself."""
    for action in parser._actions:
        variable = ENVIRONMENT_PREFIX + action.option_strings[-1].removeprefix("--").upper().replace("-", "_")
        value = environ.get(variable)
        if value is None or action.dest in ("help", "version"):
            continue
        if action.nargs == 0:
            if value.lower() not in _TRUE | _FALSE:
                raise ConfigError(f"{variable}: expected true or false, got {value!r}")
            action.default = value.lower() in _TRUE
        else:
            action.default = value


def _port(text: str) -> int:
    return _bounded(text, "a port", 0, 65535)


def _network_id(text: str) -> int:
    return _bounded(text, "a network id", 0, MAX_NETWORK_ID)


def _count(text: str) -> int:
    return _bounded(text, "a count", 0, 2**31 - 1)


def _verbosity(text: str) -> int:
    return _bounded(text, "a level", 0, 5)


def _bounded(text: str, what: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what} from {low} to {high}")
    return int(text)


def _advertised(nat: str) -> IPAddress | None:
    if nat == "none":
        return None
    kind, _, address = nat.partition(":")
    try:
        if kind == "extip":
            return parse_ip(address)
    except ValueError:
        pass
    raise ConfigError(f"--nat {nat!r}: expected none or extip:IP")


def _check_network_address(name: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    # Checked here because gRPC takes a port modulo 65536.
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ConfigError(f"--{name} {address!r}: expected unix:PATH or host:port")


def _key(name: str, file: str | None, digits: str | None) -> PrivateKey | None:
    if file:
        return load_key(Path(file).expanduser())
    if not digits:
        return None
    try:
        return PrivateKey(bytes.fromhex(digits.removeprefix("0x")))
    except (ValueError, InvalidKey):
        raise ConfigError(f"--{name}hex: want 64 hex digits of a valid private key") from None


def _bootnodes(text: str) -> tuple[Node, ...]:
    nodes = []
    for url in filter(None, (part.strip() for part in text.split(","))):
        try:
            node = parse_enode(url)
        except InvalidEnode as error:
            raise ConfigError(f"--bootnodes {url!r}: {error}") from None
        if node.ip is None or not node.tcp:
            raise ConfigError(f"--bootnodes {url!r}: it has no address and TCP port to dial")
        nodes.append(node)
    return tuple(nodes)


def _endpoint(host: str, port: int, modules: str | None, origins: str) -> EndpointConfig:
    return EndpointConfig(
        host=host,
        port=port,
        modules=None if modules is None else _names(modules),
        origins=_names(origins),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _loadable(flag: str, text: str) -> tuple[str, ...]:
    names = _names(text)
    for name in names:
        if not _LOADABLE.fullmatch(name):
            raise ConfigError(f"--{flag} {name!r}: expected module:NAME, such as gossip:PROTOCOL")
    return names


def _read_token(file: str | None) -> str:
    if not file:
        return ""
    try:
        token = Path(file).read_text().strip()
    except OSError as error:
        raise ConfigError(f"--control-token-file {file}: {(error.strerror or str(error)).lower()}") from error
    except ValueError:
        raise ConfigError(f"--control-token-file {file}: the file is not text") from None
    if not token:
        raise ConfigError(f"--control-token-file {file}: the file is empty")
    return token


def client_name() -> str:
    """What peers see in Hello: ``pss-lab/v<version>/<os>/python<version>``."""
    python = ".".join(map(str, sys.version_info[:3]))
    return f"pss-lab/v{__version__}/{sys.platform}/python{python}"
