"""The values that pass between the books and the key: what to sign, at which price, and the signed bytes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from domain.exchange.fees import GasPrice
from domain.exchange.messages import Purpose


class Intent(BaseModel):
    """What is to be signed, read from the books by the signer itself. `refused`: it may not be signed now."""

    model_config = ConfigDict(frozen=True)
    wallet: str = ""
    to_address: str = ""
    value_wei: int = 0
    data: bytes = b""
    amount_micros: int = 0
    derivation_index: int | None = None
    operation_id: str | None = None
    refused: str | None = None


class Quote(BaseModel):
    """What the chain said just before: the wallet's mined nonce, base fee, gas for this call, USDC there at a block."""

    model_config = ConfigDict(frozen=True)
    mined_nonce: int
    base_fee: int
    gas_limit: int
    token_balance: int
    block_number: int


class Draft(BaseModel):
    """One attempt, ready to be signed."""

    model_config = ConfigDict(frozen=True)
    chain_id: int
    nonce: int
    intent: Intent
    gas_limit: int
    price: GasPrice


class Attempt(BaseModel):
    """Signed bytes and their hash."""

    model_config = ConfigDict(frozen=True)
    tx_hash: str
    raw: bytes


class SentTransaction(BaseModel):
    """A nonce of ours with every attempt signed for it, newest first; `age_s` since the newest was sent."""

    model_config = ConfigDict(frozen=True)
    id: str
    chain_id: int
    wallet: str
    nonce: int
    purpose: Purpose
    ref_id: str
    to_address: str
    data: bytes
    attempts: tuple[Attempt, ...]
    age_s: int
