"""What the preview says a launch costs against what the payer's wallet loses by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from solders.pubkey import Pubkey

from domain.launchpad.request import SOL, LaunchRequest
from gateways.solana.launch_costs import BASE_FEE, launch_costs
from tests.programs.graduation_lab import Pooled, closed_sale
from tests.programs.ledger import FEE_BPS, MILLION, TOKEN_2022


def costs(fee_bps: int) -> Any:
    start = datetime(2026, 11, 21, tzinfo=UTC)
    request = LaunchRequest(
        name="x" * 32,
        symbol="SYMBOL",
        total_supply=10**18,
        curve_type="exponential",
        initial_price=10**10,
        target_price=10**11,
        soft_cap_lamports=SOL,
        hard_cap_lamports=15 * SOL,
        starts_at=start,
        ends_at=start + timedelta(days=1),
        transfer_fee_bps=fee_bps,
        creator_wallet=str(Pubkey.default()),
    )
    return launch_costs(request, "https://ipfs.io/ipfs/" + "b" * 59, 1_000_000)


@pytest.mark.parametrize("fee_bps", [0, FEE_BPS])
def test_graduation_costs_what_the_preview_says_at_most(fee_bps: int) -> None:
    sale, _, _ = closed_sale(TOKEN_2022, fee_bps, otherSupply=180 * MILLION, liquiditySupply=270 * MILLION)
    ledger = sale.ledger
    before = ledger.svm.get_balance(ledger.payer.pubkey())
    Pooled(sale).graduate()
    paid = before - ledger.svm.get_balance(ledger.payer.pubkey()) - BASE_FEE
    assert 0.9 * costs(fee_bps).graduation < paid <= costs(fee_bps).graduation


def test_the_sale_account_costs_its_rent() -> None:
    sale, _, _ = closed_sale(TOKEN_2022, 0, otherSupply=180 * MILLION, liquiditySupply=270 * MILLION)
    assert sale.state()["rent"] == costs(0).sale_rent
