"""Solana keypairs out of the environment."""

from __future__ import annotations

import json

from pydantic import SecretStr
from solders.keypair import Keypair

from domain.shared import base58


def read_keypair(keypair: SecretStr, name: str) -> Keypair:
    """64 bytes, as base58 or as a JSON array. Raises: ValueError with the setting's name and never its value."""
    text = keypair.get_secret_value().strip()
    try:
        secret = bytes(json.loads(text)) if text.startswith("[") else base58.decode(text)
        return Keypair.from_bytes(secret)
    except Exception:  # noqa: BLE001 - libraries quote the key in their messages: nothing of theirs may pass
        raise ValueError(f"{name} is not a Solana keypair of 64 bytes") from None
