"""The ``meta`` of a transaction, as it is stored: balances, token balances, logs, inner instructions."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from domain.shared import base58
from localnet.svm import tokens
from localnet.svm.bank import Outcome

Json = dict[str, Any]
Get = Callable[[Pubkey], Account | None]


def described(outcome: Outcome, before: Mapping[Pubkey, Account | None], after: Get) -> Json:
    """Everything of ``meta`` but ``err`` and ``status``. `before` holds every key of the transaction."""
    keys = outcome.keys.keys
    posts = {key: after(key) for key in keys}
    return {
        "fee": outcome.fee,
        "preBalances": [_lamports(before.get(key)) for key in keys],
        "postBalances": [_lamports(posts[key]) for key in keys],
        "innerInstructions": inner(outcome),
        "logMessages": outcome.logs,
        "preTokenBalances": _token_balances(keys, before, after),
        "postTokenBalances": _token_balances(keys, posts, after),
        "rewards": [],
        "loadedAddresses": {
            "writable": [str(key) for key in outcome.keys.from_tables[0]],
            "readonly": [str(key) for key in outcome.keys.from_tables[1]],
        },
        "computeUnitsConsumed": outcome.units,
    } | ({"returnData": returned(outcome)} if outcome.returned else {})


def inner(outcome: Outcome) -> list[Json]:
    return [
        {
            **group,
            "instructions": [
                {**one, "data": base58.encode(bytes.fromhex(one["data"]))} for one in group["instructions"]
            ],
        }
        for group in outcome.inner
    ]


def returned(outcome: Outcome) -> Json | None:
    if outcome.returned is None:
        return None
    data = base64.b64encode(bytes.fromhex(outcome.returned["data"])).decode()
    return {"programId": outcome.returned["programId"], "data": [data, "base64"]}


def _lamports(account: Account | None) -> int:
    return 0 if account is None else account.lamports


def _token_balances(keys: tuple[Pubkey, ...], accounts: Mapping[Pubkey, Account | None], find: Get) -> list[Json]:
    found = []
    for index, key in enumerate(keys):
        account = accounts.get(key)
        holding = tokens.token_account(account)
        if holding is None or account is None:
            continue
        mint = tokens.mint(accounts.get(holding.mint)) or tokens.mint(find(holding.mint))
        if mint is not None:
            found.append(
                {
                    "accountIndex": index,
                    "mint": str(holding.mint),
                    "owner": str(holding.owner),
                    "programId": str(account.owner),
                    "uiTokenAmount": tokens.amount(holding.amount, mint.decimals),
                }
            )
    return found
