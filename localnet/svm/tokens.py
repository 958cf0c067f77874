"""Token accounts and mints of both token programs: what stands in their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
PROGRAMS = {TOKEN: "spl-token", TOKEN_2022: "spl-token-2022"}
MINT_BYTES, ACCOUNT_BYTES = 82, 165
_STATES = ("uninitialized", "initialized", "frozen")


@dataclass(frozen=True)
class Mint:
    supply: int
    decimals: int
    authority: Pubkey | None
    freeze_authority: Pubkey | None


@dataclass(frozen=True)
class TokenAccount:
    mint: Pubkey
    owner: Pubkey
    amount: int
    delegate: Pubkey | None
    delegated: int
    state: str
    native: int | None
    close_authority: Pubkey | None


def _option(data: bytes, at: int) -> Pubkey | None:
    return Pubkey.from_bytes(data[at + 4 : at + 36]) if data[at] == 1 else None


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def mint(account: Account | None) -> Mint | None:
    """None for anything that is not an initialised mint."""
    if account is None or account.owner not in PROGRAMS:
        return None
    data = bytes(account.data)
    extended = len(data) > ACCOUNT_BYTES and data[ACCOUNT_BYTES] == 1
    if not (len(data) == MINT_BYTES or extended) or data[45] != 1:
        return None
    return Mint(_u64(data, 36), data[44], _option(data, 0), _option(data, 46))


def token_account(account: Account | None) -> TokenAccount | None:
    """None for anything that is not an initialised token account."""
    if account is None or account.owner not in PROGRAMS:
        return None
    data = bytes(account.data)
    extended = len(data) > ACCOUNT_BYTES and data[ACCOUNT_BYTES] == 2
    if not (len(data) == ACCOUNT_BYTES or extended) or data[108] not in (1, 2):
        return None
    return TokenAccount(
        mint=Pubkey.from_bytes(data[:32]),
        owner=Pubkey.from_bytes(data[32:64]),
        amount=_u64(data, 64),
        delegate=_option(data, 72),
        delegated=_u64(data, 121),
        state=_STATES[data[108]],
        native=_u64(data, 113) if data[109] == 1 else None,
        close_authority=_option(data, 129),
    )


def amount(units: int, decimals: int) -> dict[str, Any]:
    """``UiTokenAmount``. The float is what the wire format has; the strings are exact."""
    whole, rest = divmod(units, 10**decimals)
    text = f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".") if decimals else str(whole)
    return {"amount": str(units), "decimals": decimals, "uiAmount": units / 10**decimals, "uiAmountString": text}


def parsed(account: Account, decimals: int | None) -> dict[str, Any] | None:
    """The ``jsonParsed`` data of a mint or token account without its extensions; None when it is neither."""
    found = mint(account)
    if found is not None:
        info: dict[str, Any] = {
            "decimals": found.decimals, "supply": str(found.supply), "isInitialized": True,
            "mintAuthority": _text(found.authority), "freezeAuthority": _text(found.freeze_authority),
        }  # fmt: skip
        return _named(account, "mint", info)
    holding = token_account(account)
    if holding is None or decimals is None:
        return None
    info = {
        "mint": str(holding.mint), "owner": str(holding.owner), "state": holding.state,
        "isNative": holding.native is not None, "tokenAmount": amount(holding.amount, decimals),
    }  # fmt: skip
    if holding.delegate is not None:
        info |= {"delegate": str(holding.delegate), "delegatedAmount": amount(holding.delegated, decimals)}
    if holding.native is not None:
        info["rentExemptReserve"] = amount(holding.native, decimals)
    if holding.close_authority is not None:
        info["closeAuthority"] = str(holding.close_authority)
    return _named(account, "account", info)


def _named(account: Account, kind: str, info: dict[str, Any]) -> dict[str, Any]:
    parsed = {"type": kind, "info": info}
    return {"program": PROGRAMS[account.owner], "parsed": parsed, "space": len(account.data)}


def _text(key: Pubkey | None) -> str | None:
    return None if key is None else str(key)
