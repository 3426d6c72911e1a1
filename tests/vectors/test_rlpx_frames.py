"""Frames, MACs and compression against recorded streams."""

from __future__ import annotations

import hashlib

import pytest

from node.crypto.keccak import RunningKeccak256
from node.errors import LocalProtocolError, RemoteProtocolError
from node.rlpx import snappy
from node.rlpx.connection import Connection
from node.rlpx.frame import FrameReader, FrameWriter
from node.rlpx.secrets import Secrets
from tests.vectors.loader import Case, generate, unhex

pytestmark = pytest.mark.vectors("rlpx_frames.json")


def payload_of(frame: Case) -> bytes:
    return generate(frame["payload_gen"]) if "payload_gen" in frame else unhex(frame["payload"])


def same(frame: Case, name: str, made: bytes) -> bool:
    """Compare with a field given in full, or by its length and sha256."""
    if name in frame:
        return made == unhex(frame[name])
    digest = "0x" + hashlib.sha256(made).hexdigest()
    return len(made) == frame[f"{name}_len"] and digest == frame[f"{name}_sha256"]


def ends(case: Case) -> tuple[tuple[FrameWriter, FrameReader], tuple[FrameWriter, FrameReader]]:
    aes, mac = unhex(case["aes"]), unhex(case["mac"])
    a_out, a_in = unhex(case["a_egress_mac_init"]), unhex(case["a_ingress_mac_init"])

    def end(egress: bytes, ingress: bytes) -> tuple[FrameWriter, FrameReader]:
        return FrameWriter(aes, mac, RunningKeccak256(egress)), FrameReader(aes, mac, RunningKeccak256(ingress))

    return end(a_out, a_in), end(a_in, a_out)


def test_stream(case_stream: Case) -> None:
    a, b = ends(case_stream)
    for (writer, _), (_, reader), frames in ((a, b, case_stream["a_to_b"]), (b, a, case_stream["b_to_a"])):
        for frame in frames:
            payload = payload_of(frame)
            assert len(payload) == frame["size"]
            body = payload
            if case_stream["snappy"]:
                assert snappy.decompress(snappy.compress(payload)) == payload
                body = unhex(frame["compressed"]) if "compressed" in frame else snappy.compress(payload)
                if "compressed" in frame:
                    assert snappy.decompress(body) == payload
                elif not same(frame, "compressed", body):
                    pytest.fail("a compressor that packs differently needs the recorded block, which is not given")
            wire = writer.encode(frame["code"], body)
            assert same(frame, "wire", wire)
            assert writer.mac.digest() == unhex(frame["egress_mac_after"])
            assert reader.read_header(wire[:32]) == len(wire) - 32
            assert reader.read_body(wire[32:]) == (frame["code"], body)


def reading_connection(case: Case) -> Connection:
    from node.crypto.secp256k1 import PrivateKey

    connection = Connection(PrivateKey(bytes([1] * 32)), PrivateKey(bytes([2] * 32)).public)
    ingress = RunningKeccak256(unhex(case["ingress_mac_init"]))
    connection._use(
        Secrets(
            aes=unhex(case["aes"]), mac=unhex(case["mac"]), ingress_mac=ingress, egress_mac=RunningKeccak256(b"unused")
        )
    )
    connection.snappy = case["snappy"]
    return connection


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_bad_frames_are_refused(case_must_fail: Case, chunk: int) -> None:
    connection = reading_connection(case_must_fail)
    wire = unhex(case_must_fail["wire"])
    good = 0
    try:
        for at in range(0, len(wire), chunk):
            for _ in connection.receive_data(wire[at : at + chunk]):
                good += 1
    except RemoteProtocolError:
        pass
    # Where the bytes end too soon there is no error of ours: the frame just never completes.
    assert good == case_must_fail["good_frames"]


def test_write_limit(case_write_size: Case) -> None:
    connection = reading_connection(
        {
            "ingress_mac_init": "0x00",
            "aes": "0x" + "11" * 32,
            "mac": "0x" + "22" * 32,
            "snappy": case_write_size["snappy"],
        }
    )
    payload = bytes(case_write_size["payload_size"])
    if case_write_size["refused"]:
        with pytest.raises(LocalProtocolError):
            connection.send_message(case_write_size["code"], payload)
    else:
        connection.send_message(case_write_size["code"], payload)
        assert connection.data_to_send()
