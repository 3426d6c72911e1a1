"""Compose files: what each node is told, how it is confined, and that the text is always the same."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Any

import pytest
import yaml

from node.config import DEFAULT_PORT, Options, parse_options
from orchestrator.compose import P2P_PORT, export_compose, subnet_for
from orchestrator.labfile import load_lab_file
from orchestrator.spec import LabSpec, NodeLimits
from orchestrator.stock import list_stock, load_stock
from orchestrator.topology import make_spec


def read(spec: LabSpec) -> dict[str, Any]:
    document = yaml.safe_load(export_compose(spec))
    assert isinstance(document, dict)
    return document


def options_of(service: dict[str, Any]) -> Options:
    """What the node makes of its environment."""
    return parse_options([], service["environment"])


@pytest.mark.parametrize("name", list_stock())
def test_nodes_understand_what_they_are_told(name: str) -> None:
    spec = load_stock(name)
    services = read(spec)["services"]
    assert list(services) == spec.node_names
    dialled = set()
    addresses = {node.name: services[node.name]["networks"]["data"]["ipv4_address"] for node in spec.nodes}
    by_id = {node.id: node.name for node in spec.nodes}
    for node in spec.nodes:
        options = options_of(services[node.name])
        assert options.node_key is not None
        assert options.bzz_key is not None
        assert (options.node_key.public.node_id, options.bzz_key.public.overlay) == (node.id, node.overlay)
        assert (options.name, options.network_id, options.auto_connect) == (node.name, spec.network_id, False)
        assert options.listen_addr == f"{addresses[node.name]}:{P2P_PORT}"
        assert str(options.advertise_ip) == addresses[node.name]
        assert options.control == "unix:/data/control.sock"
        for boot in options.bootnodes:
            assert (str(boot.ip), boot.tcp, boot.udp) == (addresses[by_id[boot.id]], P2P_PORT, 0)
            dialled.add(f"{node.name}-{by_id[boot.id]}")
    assert dialled == {str(link) for link in spec.links}
    assert P2P_PORT == DEFAULT_PORT


def test_nodes_are_confined() -> None:
    document = read(dataclasses.replace(load_stock("line3"), limits=NodeLimits(memory_mb=99, cpus=0.5, pids=33)))
    for service in document["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["read_only"] is True
        assert service["tmpfs"] == ["/data:uid=10001,gid=10001,mode=0700,size=16m"]
        assert (service["mem_limit"], service["cpus"], service["pids_limit"]) == ("99m", 0.5, 33)
        assert not {"ports", "volumes", "privileged", "user"} & set(service)
    assert document["networks"]["data"]["internal"] is True
    assert set(document) == {"services", "networks"}


def test_addresses_lie_in_the_subnet() -> None:
    spec = make_spec("big", kind="star", n=300, seed=1)
    document = read(spec)
    subnet = ipaddress.ip_network(document["networks"]["data"]["ipam"]["config"][0]["subnet"])
    found = {
        ipaddress.ip_address(service["networks"]["data"]["ipv4_address"]) for service in document["services"].values()
    }
    assert len(found) == 300
    assert found <= set(subnet.hosts())
    assert subnet.prefixlen == 23


@pytest.mark.parametrize(("n", "prefix"), [(2, 24), (245, 24), (246, 23), (500, 23)])
def test_subnets(n: int, prefix: int) -> None:
    spec = make_spec("some", kind="line", n=n, seed=1)
    subnet = subnet_for(spec)
    assert subnet.prefixlen == prefix
    assert subnet[10 + n - 1] < subnet.broadcast_address
    assert subnet_for(dataclasses.replace(spec, name="other")) != subnet


def test_the_same_text_every_time() -> None:
    text = export_compose(load_stock("ring8"))
    assert text == export_compose(load_stock("ring8"))
    assert text == export_compose(dataclasses.replace(load_stock("ring8"), source="elsewhere"))
    assert "lab export compose ring8" in text
    assert "test keys" in text
    assert "version" not in text


def test_keys_are_quoted() -> None:
    """A key such as 12e34... is a number to YAML 1.2 unless it is quoted."""
    text = export_compose(load_stock("line3"))
    for node in load_stock("line3").nodes:
        assert f'PSS_NODEKEYHEX: "{node.node_key.secret.hex()}"' in text


def test_a_hub_has_room_for_all() -> None:
    services = read(make_spec("hub", kind="star", n=60, seed=1))["services"]
    assert options_of(services["n01"]).max_peers == 118
    assert options_of(services["alice"]).max_peers == 50
    meeting = read(make_spec("meet", kind="line", n=60, seed=1, auto_connect=True))["services"]
    assert options_of(meeting["alice"]).max_peers == 118
    assert options_of(meeting["alice"]).auto_connect


def test_odd_names_and_roles() -> None:
    text = "apiVersion: lab/v1\nname: x\ndefaults: {image: 'me/node:1'}\n"
    text += "nodes: {no: {role: 'a${B}'}, 1: }\nlinks: [no-1]\n"
    document = read(load_lab_file(text))
    assert list(document["services"]) == ["no", "1"]
    assert document["services"]["no"]["labels"]["org.psslab.role"] == "a$${B}"
    assert document["services"]["no"]["image"] == "me/node:1"
    assert "org.psslab.lab-id" not in document["services"]["no"]["labels"]
