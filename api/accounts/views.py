"""What account routes answer, for the document; the JSON itself is made by Postgres."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from api.http.scopes import Role, Scope

Amount = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["100.25"])]


class AccountView(BaseModel):
    id: str
    name: str
    role: Role
    email: str | None
    disabled: bool
    created_at: datetime


class AccountPage(BaseModel):
    items: list[AccountView]
    next_cursor: str | None


class BalanceLine(BaseModel):
    """`asset` is USDC or an asset's id; `held` is set aside for processes that have not ended."""

    asset: str
    available: Amount
    held: Amount


class BalancesView(BaseModel):
    items: list[BalanceLine]


class LedgerLine(BaseModel):
    """One posting; `transfer` is the key of the balanced transfer it belongs to."""

    id: str
    transfer: str
    kind: str
    ref: str
    phase: str
    asset: str
    bucket: str
    amount: Amount
    created_at: datetime


class LedgerPage(BaseModel):
    items: list[LedgerLine]
    next_cursor: str | None


class ApiKeyView(BaseModel):
    id: str
    account_id: str
    prefix: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class ApiKeyPage(BaseModel):
    items: list[ApiKeyView]
    next_cursor: str | None


class NewApiKeyView(BaseModel):
    """`api_key` is shown here once and never again."""

    id: str
    account_id: str
    api_key: str
    prefix: str
    scopes: list[Scope]
    expires_at: datetime | None


class SessionView(BaseModel):
    account_id: str
    name: str
    role: Role
    scopes: list[Scope]
    csrf_token: str | None


class LoginView(BaseModel):
    account_id: str
    name: str
    role: Role
    csrf_token: str
    expires_at: datetime
