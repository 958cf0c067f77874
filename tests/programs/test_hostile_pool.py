"""Accounts of the pool program, or of a token program, in places where they are of the wrong kind."""

from __future__ import annotations

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from programs.interface import tag
from tests.programs.graduation_lab import graduated, wrapped
from tests.programs.ledger import POOL_PROGRAM, SOL, START, WRAPPED_SOL, Refused
from tests.programs.test_pool import maker


@pytest.mark.parametrize(
    "raw", [tag("account", "AmmConfig") + bytes(227), tag("account", "AmmConfig") + bytes(229), bytes(236)]
)
def test_what_is_no_configuration_makes_no_pool(raw: bytes) -> None:
    made, config = maker(), Pubkey.new_unique()
    made.sale.ledger.svm.set_account(config, Account(SOL, raw, POOL_PROGRAM))
    with pytest.raises(Refused, match="wrongKind"):
        made.make(ammConfig=config)


def test_a_mint_is_no_account_to_trade_with() -> None:
    pooled, buyer, into = graduated()
    sol = wrapped(pooled.sale, buyer, SOL)
    pooled.ledger.set_time(START + 2)
    for own in ((WRAPPED_SOL, into), (sol, pooled.mint)):
        with pytest.raises(Refused, match="wrongKind"):
            pooled.swap(buyer, own, SOL // 10, buy=True)


def test_a_pool_that_is_closed_to_trades_does_not_trade() -> None:
    """As Raydium's status says it; here nobody can set it."""
    pooled, buyer, into = graduated()
    ledger, sol = pooled.ledger, wrapped(pooled.sale, buyer, SOL)
    ledger.set_time(START + 2)
    raw = bytearray(ledger.data(pooled.pool))
    raw[8 + 10 * 32 + 1] = 4
    ledger.svm.set_account(pooled.pool, Account(ledger.lamports(pooled.pool), bytes(raw), POOL_PROGRAM))
    with pytest.raises(Refused, match="notApproved"):
        pooled.swap(buyer, (sol, into), SOL // 10, buy=True)
