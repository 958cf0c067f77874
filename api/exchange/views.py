"""What custody routes answer, for the document; the JSON itself is made by Postgres."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

Usdc = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]{1,6})?$", examples=["100.25"])]
DepositStatus = Literal["seen", "confirming", "credited", "orphaned", "ignored"]
WithdrawalStatus = Literal[
    "requested",
    "pending_approval",
    "approved",
    "signed",
    "broadcast",
    "confirming",
    "settled",
    "rejected",
    "cancelled",
    "failed",
]


class DepositAddressView(BaseModel):
    """`address` carries its EIP-55 checksum."""

    address: str
    chain_id: int
    derivation_path: str


class DepositView(BaseModel):
    """`confirmations` is head − block_number; credited from `required_confirmations` on."""

    id: str
    account_id: str | None
    chain_id: int
    tx_hash: str
    log_ordinal: int
    block_number: int
    block_hash: str
    token: str
    from_address: str
    to_address: str
    amount_usdc: str
    status: DepositStatus
    confirmations: int
    required_confirmations: int
    reason: str | None
    operation_id: str | None
    created_at: datetime
    updated_at: datetime
    credited_at: datetime | None


class DepositPage(BaseModel):
    items: list[DepositView]
    next_cursor: str | None


class WithdrawalView(BaseModel):
    """`tx_hashes`: every transaction signed for it, replacements included, oldest first."""

    id: str
    account_id: str
    chain_id: int
    to_address: str
    amount_usdc: Usdc
    fee_usdc: Usdc
    status: WithdrawalStatus
    reason: str | None
    failure_code: str | None
    requested_by: str
    decided_by: str | None
    tx_hash: str | None
    tx_hashes: list[str]
    operation_id: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class WithdrawalPage(BaseModel):
    items: list[WithdrawalView]
    next_cursor: str | None
