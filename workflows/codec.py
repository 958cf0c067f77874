"""Payload encryption: what Temporal stores about a process is readable with our keys only.

AES-256-GCM under a key ring `id:base64,id:base64`, newest first: the first key encrypts, every key decrypts, so keys
rotate by putting a new one in front and removing the old one after the namespace's retention. Payloads that are not
ours pass through, so encryption can be switched on while processes run. Workflow ids, search attributes, memo keys and
failure types stay in clear.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from domain.shared.errors import Rejected

ENCODING: Final = b"binary/encrypted"
KEY_ID: Final = "encryption-key-id"
OFF_THE_LOOP: Final = 256 * 1024
"""From this size on the work is done in a thread, so that other tasks go on."""
_NONCE: Final = 12


class PayloadUnreadable(Exception):
    """An encrypted payload whose key is missing from the ring, or that was changed. Never holds content."""


class EncryptionCodec(PayloadCodec):
    """Encrypts with the first key of the ring, decrypts with any."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._ring = {name: AESGCM(key) for name, key in keys.items()}
        self._newest = next(iter(keys))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt each payload with its metadata; the key's id is authenticated along."""
        return [await _off_the_loop(self.encrypt, payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what is ours; everything else is returned as it is.

        Raises: PayloadUnreadable.
        """
        return [await _off_the_loop(self.decrypt, payload) for payload in payloads]

    def encrypt(self, payload: Payload) -> Payload:
        name, nonce = self._newest.encode(), os.urandom(_NONCE)
        sealed = self._ring[self._newest].encrypt(nonce, payload.SerializeToString(), _bound_to(name))
        return Payload(metadata={"encoding": ENCODING, KEY_ID: name}, data=nonce + sealed)

    def decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING or KEY_ID not in payload.metadata:
            return payload
        name = payload.metadata[KEY_ID]
        key = self._ring.get(name.decode("utf-8", "replace"))
        if key is None:
            raise PayloadUnreadable(f"key {name!r} is not in PAYLOAD_KEYS")
        try:
            opened = key.decrypt(payload.data[:_NONCE], payload.data[_NONCE:], _bound_to(name))
        except (InvalidTag, ValueError) as failure:
            raise PayloadUnreadable(f"a payload of key {name!r} was changed") from failure
        return Payload.FromString(opened)


def codec_from_keys(text: str) -> EncryptionCodec | None:
    """The codec of PAYLOAD_KEYS; None when empty: payloads stay in clear.

    Raises: ValueError, without key material, when the text is not a ring of 32-byte keys with different ids.
    """
    keys: dict[str, bytes] = {}
    for number, entry in enumerate((part.strip() for part in text.split(",") if part.strip()), start=1):
        name, separator, value = entry.partition(":")
        try:
            key = base64.b64decode(value, validate=True)
        except binascii.Error:
            key = b""
        if not separator or not name or len(key) != 32 or name in keys:
            raise ValueError(f"PAYLOAD_KEYS entry {number} is not `id:base64 of 32 bytes` with an id of its own")
        keys[name] = key
    return EncryptionCodec(keys) if keys else None


class CodecServer:
    """The remote codec protocol of Temporal's UI and command line: its JSON of payloads in, the same changed out."""

    def __init__(self, codec: EncryptionCodec) -> None:
        self._codec = codec

    async def encode(self, body: bytes) -> bytes:
        """Encrypt each payload.

        Raises: Rejected malformed_request.
        """
        return await _convert(body, self._codec.encrypt)

    async def decode(self, body: bytes) -> bytes:
        """Decrypt each payload. One that cannot be read is returned as it is, so that one bad payload does not hide a
        whole history; it stays visibly encrypted.

        Raises: Rejected malformed_request.
        """
        return await _convert(body, self._lenient)

    def _lenient(self, payload: Payload) -> Payload:
        try:
            return self._codec.decrypt(payload)
        except PayloadUnreadable:
            return payload


async def _convert(body: bytes, change: Callable[[Payload], Payload]) -> bytes:
    try:
        payloads = json_format.Parse(body, Payloads())
    except (json_format.ParseError, UnicodeDecodeError) as failure:
        raise Rejected(
            "malformed_request", 'the body must be {"payloads": […]} as the Temporal UI sends it'
        ) from failure
    if not payloads.payloads:
        return b'{"payloads":[]}'
    payloads = Payloads(payloads=[await _off_the_loop(change, payload) for payload in payloads.payloads])
    return json_format.MessageToJson(payloads, indent=None).encode()


def _off_the_loop(change: Callable[[Payload], Payload], payload: Payload) -> Awaitable[Payload]:
    if len(payload.data) >= OFF_THE_LOOP:
        return asyncio.to_thread(change, payload)
    return _at_once(change, payload)


async def _at_once(change: Callable[[Payload], Payload], payload: Payload) -> Payload:
    return change(payload)


def _bound_to(key_id: bytes) -> bytes:
    return b"holdfast payload 1:" + key_id
