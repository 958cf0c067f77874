"""The holes of the seed's programs (seed-systems A4) that a sale could have: each has a test of its number."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.launchpad import curves, trade_tax
from tests.programs.graduation_lab import Pooled, closed_sale
from tests.programs.interface import LAUNCHPAD
from tests.programs.lab import opened
from tests.programs.ledger import MILLION, SOL, Refused

HOLES = {
    2: "the first caller became the authority of somebody's mint",
    17: "the tax could be sent to oneself",
    18: "the tax was voluntary and its kind chosen by the payer",
    19: "a small trade failed because its tax was 0",
    20: "rates could be raised to anything",
    21: "any upline could be chosen, cycles included",
    22: "anybody could credit any volume",
    23: "what was earned was never written down, so claims failed",
    24: "counted as paid though levels were empty",
    25: "more than the tax could be paid out of the tax",
    26: "the remainder of the parts vanished",
    28: "one launch per symbol, first come",
}
"""F-01 and F-16 are every hostile test; F-27, F-29 and F-30 are for whoever builds transactions and takes payments."""


def test_each_hole_has_a_test_of_its_number() -> None:
    named = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                named |= {int(number) for number in re.findall(r"_f(\d+)(?=_|$)", node.name)}
    assert set(HOLES) - named == set()


def test_f18_every_trade_pays_and_nobody_says_what_it_is() -> None:
    for name in ("buy", "sell"):
        assert [arg["type"] for arg in LAUNCHPAD.instruction(name)["args"]] == ["u64", "u64"]
    sale = opened()
    buyer = sale.ledger.wallet()
    sale.buy(buyer, 150 * MILLION)
    into = sale.new_account(buyer.pubkey())
    sale.claim(buyer.pubkey(), into)
    for value, trade in (
        (curves.cost(sale.curve, 150 * MILLION, MILLION), lambda: sale.buy(buyer, MILLION, into=into)),
        (curves.revenue(sale.curve, 151 * MILLION, MILLION), lambda: sale.sell(buyer, into, MILLION)),
    ):
        before = sale.state()["taxTotal"]
        trade()
        assert sale.state()["taxTotal"] - before == trade_tax.tax_of(value) > 0


@pytest.mark.parametrize("tokens", [1, 2, 49, 50, 99, 100])
def test_f19_the_smallest_trades_work(tokens: int) -> None:
    sale = opened(startPrice=1_000, targetPrice=2_000, softCap=1)
    buyer = sale.ledger.wallet()
    sale.buy(buyer, tokens)
    now = sale.check()
    assert (now["sold"], now["raised"], now["taxHeld"]) == (tokens, 1, 1)
    into = sale.new_account(buyer.pubkey())
    sale.claim(buyer.pubkey(), into)
    sale.sell(buyer, into, tokens)
    assert sale.check()["raised"] == 0


def test_f20_terms_stand_for_ever_and_below_the_ceiling() -> None:
    """From creation to graduation no call changed them, and creation refuses more than 5 %."""
    with pytest.raises(Refused, match="badTerms"):
        opened(taxBps=501)
    sale, _, _ = closed_sale(taxBps=500)
    Pooled(sale).graduate()
    assert sale.state()["terms"] == {**sale.terms, "taxBps": 500}


@pytest.mark.parametrize("levels", [0, 1, 5])
def test_f25_the_tax_pays_no_more_than_itself(levels: int) -> None:
    sale = opened(referralBps=10_000, taxBps=500)
    chain = [sale.ledger.wallet() for _ in range(levels + 1)]
    for index, member in enumerate(chain):
        sale.register(member, chain[index - 1].pubkey() if index else None)
    sale.buy(chain[-1], 3 * SOL)
    now = sale.check()
    assert now["referralDue"] <= now["taxTotal"] == now["taxHeld"]
    with pytest.raises(Refused, match="badTerms"):
        opened(referralBps=10_001)


@given(st.integers(0, 10**17), st.integers(0, 5), st.integers(0, 10_000))
def test_f26_all_parts_are_the_whole(tax: int, uplines: int, bps: int) -> None:
    parts = trade_tax.split(tax, uplines, bps)
    assert sum(parts.referral) + parts.marketing + parts.treasury + parts.burn + parts.rewards == tax
    assert min(*parts.referral, *parts[1:], 0) == 0
