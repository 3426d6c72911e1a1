"""Nodes of kind ``reference``: an image and a command line, driven over WebSocket JSON-RPC (spec 05 section 12).

Pure data: what a lab file says of such a node, and how its command line is filled in. No secret ever becomes a part of
it: keys are handed over as files, of which the command gets the paths.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import LabFileError

KIND_OURS, KIND_REFERENCE = "pss-node", "reference"
KINDS = (KIND_OURS, KIND_REFERENCE)

DEFAULT_WS_PORT = 8546
"""Of `--wsport` (spec 05 section 12)."""
MODULES = "admin,hive,pss"
"""What such a node must show on its WebSocket for the lab: without `--wsapi` it is pss alone (spec 05 section 11)."""

NODE_KEY, BZZ_KEY = "nodekey_file", "bzzkey_file"
PLACEHOLDERS = {
    "name": "the node's name",
    "ip": "its address in the data network, to listen on for peers and to advertise",
    "control_ip": "its address in the control network, for the WebSocket",
    "p2p_port": "TCP port for peers",
    "ws_port": "TCP port of the WebSocket",
    "network_id": "the lab's overlay network",
    "bootnodes": "enode URLs of the nodes it dials, as far as the lab knows their keys, separated by commas",
    "datadir": "a directory it may write to, in memory",
    NODE_KEY: "file with the private key of its devp2p identity, 64 hex digits",
    BZZ_KEY: "file with the private key of its overlay and pss identity, 64 hex digits",
}
"""What a command may name in braces."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What makes a node one of kind reference."""

    image: str
    command: tuple[str, ...]
    """The whole command line, the program first; the image's own entry point is not used."""
    ws_port: int = DEFAULT_WS_PORT

    @property
    def takes_node_key(self) -> bool:
        """Whether its devp2p identity is the one that the lab gives it; else it chooses its own."""
        return self._names(NODE_KEY)

    @property
    def takes_bzz_key(self) -> bool:
        """The same for its overlay address and pss key."""
        return self._names(BZZ_KEY)

    def command_line(self, values: Mapping[str, str]) -> list[str]:
        """The command with its placeholders filled in; `values` has all of :data:`PLACEHOLDERS`."""
        return [word.format_map(values) for word in self.command]

    def _names(self, placeholder: str) -> bool:
        return any(placeholder in placeholders_of(word) for word in self.command)


def placeholders_of(word: str) -> list[str]:
    """What a word of a command has in braces, known or not; ``{{`` and ``}}`` are plain braces.

    Raises:
        LabFileError: braces that do not match.
    """
    try:
        parts = list(string.Formatter().parse(word))
    except ValueError as error:
        raise LabFileError(f"{word[:60]!r}: {str(error).lower()}", hint="a plain brace is written {{ or }}") from None
    return [
        name + (f"!{conversion}" if conversion else "") + (f":{layout}" if layout else "")
        for _, name, layout, conversion in parts
        if name is not None
    ]
