"""Contexts, settings and event texts of a service node (spec 03 sections 6 and 8, spec 02 section 8)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from node.events import EventBus, Kind, NodeEvent
from node.service.admin import format_peer_event
from node.service.service import Service, ServiceContext, ServiceError, find_service
from node.service.stack import NodeConfig


class One(Service): ...


class Two(One): ...


def test_services_are_found_by_type() -> None:
    one, two = One(), Two()
    assert find_service([one, two], One) is one
    assert find_service([one, two], Two) is two
    assert find_service([two], One) is two
    context = ServiceContext(EventBus(), None, (two,))
    assert context.service(Two) is two
    with pytest.raises(ServiceError, match="unknown service One"):
        find_service([], One)


async def test_a_service_with_nothing_in_it() -> None:
    service = Service()
    assert (service.protocols(), service.apis()) == ((), ())
    await service.start(None)  # type: ignore[arg-type]
    await service.stop()


@pytest.mark.parametrize(
    ("data_dir", "ipc_path", "expected"),
    [
        ("/data", "", None),
        ("/data", "node.ipc", "/data/node.ipc"),
        ("/data", "/run/node.ipc", "/run/node.ipc"),
        ("/data", "./sub/node.ipc", "sub/node.ipc"),
        (None, "node.ipc", f"{tempfile.gettempdir()}/node.ipc"),
        (None, "/run/node.ipc", "/run/node.ipc"),
    ],
)
def test_a_bare_ipc_name_is_in_the_data_directory(data_dir: str | None, ipc_path: str, expected: str | None) -> None:
    config = NodeConfig(data_dir=Path(data_dir) if data_dir else None, ipc_path=ipc_path)
    assert config.ipc_endpoint == (Path(expected) if expected else None)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": Kind.ADD, "peer": "aa", "local": "l", "remote": "r"}, ["type", "peer", "local", "remote"]),
        ({"kind": Kind.DROP, "peer": "aa", "reason": "EOF"}, ["type", "peer", "error"]),
        (
            {"kind": Kind.MSG_RECV, "peer": "aa", "protocol": "foo", "code": 0, "size": 0},
            ["type", "peer", "protocol", "msg_code", "msg_size"],
        ),
    ],
)
def test_peer_events_leave_out_what_is_empty_but_not_zeros(fields: dict[str, object], expected: list[str]) -> None:
    event = NodeEvent(seq=1, wall_s=0.0, mono_s=0.0, **fields)  # type: ignore[arg-type]
    shown = format_peer_event(event)
    assert list(shown) == expected
    assert shown["type"] == str(fields["kind"])
