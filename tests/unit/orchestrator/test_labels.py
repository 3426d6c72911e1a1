"""What is written on the objects of a lab, and how they are found by it."""

from __future__ import annotations

import dataclasses
import datetime
import re
from pathlib import Path

import pytest

from orchestrator import labels
from orchestrator.topology import make_spec

NOON = datetime.datetime(2026, 11, 23, 12, 0, 0, tzinfo=datetime.UTC)
SPEC = dataclasses.replace(make_spec("abc", kind="line", n=3, seed=9), source="abc.lab.yml")


def test_labels_of_a_node() -> None:
    node = dataclasses.replace(SPEC.nodes[1], role="relay")
    found = labels.for_node(SPEC, "abc-123456", node, created=NOON, expires=NOON + datetime.timedelta(days=1))
    assert found.pop(labels.OWNER, "") is not None
    assert found.pop(labels.TOOL_VERSION)
    assert found == {
        "org.psslab.lab": "abc",
        "org.psslab.lab-id": "abc-123456",
        "org.psslab.kind": "node",
        "org.psslab.node": "n01",
        "org.psslab.role": "relay",
        "org.psslab.created": "2026-11-23T12:00:00Z",
        "org.psslab.expires": "2026-11-24T12:00:00Z",
        "org.psslab.topo-file": "abc.lab.yml",
        "org.psslab.topo-sha256": labels.spec_digest(SPEC),
        "org.psslab.seed": "9",
        "org.psslab.host": labels.this_host(),
    }


def test_other_objects() -> None:
    network, gateway = labels.for_network(SPEC, "i", "data"), labels.for_gateway(SPEC, "i")
    assert (network[labels.KIND], network[labels.ROLE]) == ("net", "data")
    assert gateway[labels.KIND] == "gateway"
    assert labels.for_helper(SPEC, "i", "netem")[labels.KIND] == "helper"
    assert labels.EXPIRES not in gateway


def test_the_host_is_named_without_its_machine_id(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of two machines of one name, and of a container on one of them, each is another."""
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    hosts = []
    for machine in ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210", None):
        path = tmp_path / str(machine)
        if machine:
            path.write_text(f"{machine}\n")
        monkeypatch.setattr(labels, "MACHINE_ID", path)
        hosts.append(labels.this_host.__wrapped__())
        assert machine is None or machine[:8] not in hosts[-1]
    assert len(set(hosts)) == 3
    assert all(re.fullmatch("laptop-[0-9a-f]{8}", host) for host in hosts)


def test_filters() -> None:
    assert labels.filters() == {"label": ["org.psslab.lab-id"]}
    assert labels.filters("a-1") == {"label": ["org.psslab.lab-id=a-1"]}
    assert labels.filters("a-1", kind="node", node="bob") == {
        "label": ["org.psslab.lab-id=a-1", "org.psslab.kind=node", "org.psslab.node=bob"]
    }


def test_no_secret_is_in_the_labels() -> None:
    text = repr([labels.for_node(SPEC, "i", node) for node in SPEC.nodes])
    assert not any(key.secret.hex() in text for node in SPEC.nodes for key in (node.node_key, node.bzz_key))


def test_expiry() -> None:
    found = labels.for_gateway(SPEC, "i", created=NOON, expires=NOON)
    assert labels.is_expired(found, NOON)
    assert not labels.is_expired(found, NOON - datetime.timedelta(seconds=1))
    assert not labels.is_expired({}, NOON)
    assert not labels.is_expired({labels.EXPIRES: "tomorrow"}, NOON)
    assert not labels.is_expired({labels.EXPIRES: "2020-01-01T00:00:00"}, NOON)


def test_digest_follows_what_a_lab_is_not_where_it_lies() -> None:
    digest = labels.spec_digest(SPEC)
    assert digest == labels.spec_digest(dataclasses.replace(SPEC, source="other", title="t", ready_timeout_s=5))
    assert digest != labels.spec_digest(dataclasses.replace(SPEC, links=SPEC.links[:1]))
    assert digest != labels.spec_digest(dataclasses.replace(SPEC, verbosity=5))
    assert digest != labels.spec_digest(make_spec("abc", kind="line", n=3, seed=10))
