"""Payload encryption: rotation, tampering, what passes through, and that failures are encrypted too."""

from __future__ import annotations

import base64
import json
import os

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from domain.shared.errors import Rejected
from domain.shared.processes import Start
from workflows.client import data_converter
from workflows.codec import (
    OFF_THE_LOOP,
    CodecServer,
    EncryptionCodec,
    PayloadUnreadable,
    codec_from_keys,
)

OLD, NEW = os.urandom(32), os.urandom(32)


def ring(**keys: bytes) -> EncryptionCodec:
    codec = codec_from_keys(",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in keys.items()))
    assert codec is not None
    return codec


PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"a secret word"')


async def test_the_newest_key_encrypts_and_older_ones_still_decrypt() -> None:
    before = (await ring(old=OLD).encode([PLAIN]))[0]
    both = ring(new=NEW, old=OLD)
    after = (await both.encode([PLAIN]))[0]
    assert after.metadata["encryption-key-id"] == b"new"
    assert b"secret" not in after.SerializeToString()
    assert await both.decode([before, after]) == [PLAIN, PLAIN]


async def test_what_is_not_ours_passes_through() -> None:
    assert await ring(new=NEW).decode([PLAIN]) == [PLAIN]


async def test_a_key_that_is_gone_is_named() -> None:
    sealed = await ring(old=OLD).encode([PLAIN])
    with pytest.raises(PayloadUnreadable, match="old"):
        await ring(new=NEW).decode(sealed)


@pytest.mark.parametrize("place", [0, 12, -1])
async def test_a_changed_payload_is_refused(place: int) -> None:
    codec = ring(new=NEW)
    sealed = (await codec.encode([PLAIN]))[0]
    data = bytearray(sealed.data)
    data[place] ^= 1
    sealed.data = bytes(data)
    with pytest.raises(PayloadUnreadable):
        await codec.decode([sealed])


async def test_a_payload_cannot_be_passed_off_as_another_keys() -> None:
    codec = EncryptionCodec({"a": NEW, "b": NEW})
    sealed = (await codec.encode([PLAIN]))[0]
    sealed.metadata["encryption-key-id"] = b"b"
    with pytest.raises(PayloadUnreadable):
        await codec.decode([sealed])


async def test_a_short_payload_is_refused() -> None:
    stub = Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": b"new"}, data=b"xy")
    with pytest.raises(PayloadUnreadable):
        await ring(new=NEW).decode([stub])


async def test_big_payloads_go_through_a_thread_and_come_back_whole() -> None:
    big = Payload(metadata={"encoding": b"binary/plain"}, data=os.urandom(OFF_THE_LOOP + 1))
    codec = ring(new=NEW)
    assert await codec.decode(await codec.encode([big])) == [big]


async def test_models_travel_through_the_converter() -> None:
    converter = data_converter(ring(new=NEW))
    sent = Start(subject_id="the subject")
    payloads = await converter.encode([sent])
    assert b"the subject" not in payloads[0].SerializeToString()
    assert await converter.decode(payloads, [Start]) == [sent]


async def test_failure_messages_and_stacks_are_encrypted_the_type_stays_readable() -> None:
    converter = data_converter(ring(new=NEW))
    failure = Failure()
    try:
        raise ApplicationError("the balance of Ada is 7", "detail of Ada", type="insufficient_funds")
    except ApplicationError as error:
        await converter.encode_failure(error, failure)
    raw = failure.SerializeToString()
    assert b"Ada" not in raw
    assert b"test_payload_codec" not in raw
    assert b"insufficient_funds" in raw
    back = await converter.decode_failure(failure)
    assert isinstance(back, ApplicationError)
    assert (back.message, back.details) == ("the balance of Ada is 7", ("detail of Ada",))


@pytest.mark.parametrize(
    "text",
    ["x", "id:", ":AAAA", "id:AAAA", f"a:{base64.b64encode(OLD).decode()},a:{base64.b64encode(NEW).decode()}"],
    ids=["no separator", "no key", "no id", "short key", "same id twice"],
)
def test_a_ring_that_is_none_is_refused_without_showing_a_key(text: str) -> None:
    with pytest.raises(ValueError, match="PAYLOAD_KEYS entry") as refused:
        codec_from_keys(text)
    assert base64.b64encode(OLD).decode() not in str(refused.value)


def test_no_keys_no_codec() -> None:
    assert codec_from_keys(" , ") is None


async def test_the_codec_server_encodes_and_decodes_temporals_json() -> None:
    codec = ring(new=NEW)
    body = json.dumps(
        {"payloads": [{"metadata": {"encoding": base64.b64encode(b"json/plain").decode()}, "data": "IngiAA=="}]}
    ).encode()
    sealed = await CodecServer(codec).encode(body)
    assert json.loads(sealed)["payloads"][0]["metadata"].keys() == {"encoding", "encryption-key-id"}
    assert json.loads(await CodecServer(codec).decode(sealed)) == json.loads(body)
    assert json.loads(await CodecServer(codec).decode(body)) == json.loads(body)
    assert json.loads(await CodecServer(codec).decode(b"{}")) == {"payloads": []}


async def test_one_unreadable_payload_does_not_hide_the_others() -> None:
    codec = ring(new=NEW)
    foreign, own = (await ring(old=OLD).encode([PLAIN]))[0], (await codec.encode([PLAIN]))[0]
    body = json.dumps(
        {
            "payloads": [
                {
                    "metadata": {k: base64.b64encode(v).decode() for k, v in p.metadata.items()},
                    "data": base64.b64encode(p.data).decode(),
                }
                for p in (foreign, own)
            ]
        }
    ).encode()
    answered = json.loads(await CodecServer(codec).decode(body))["payloads"]
    assert base64.b64decode(answered[0]["metadata"]["encoding"]) == b"binary/encrypted"
    assert base64.b64decode(answered[1]["data"]) == PLAIN.data


@pytest.mark.parametrize("body", [b"", b"[1]", b"\xff", b'{"payloads": 1}', b'{"other": []}'])
async def test_a_body_that_is_no_payloads_is_rejected(body: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        await CodecServer(ring(new=NEW)).decode(body)
    assert refused.value.code == "malformed_request"
