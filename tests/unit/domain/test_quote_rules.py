"""What a quote adds to the fill it foresees."""

from __future__ import annotations

from domain.exchange import quotes
from domain.exchange.trading import Fill


def test_limits_and_impact_are_rounded_against_surprise() -> None:
    fill = Fill(shares=3, amount=1_001, pool=1_000, fee=1, lp_fee=0, spot_before=30_000, spot_after=30_001)
    assert quotes.impact_bps(fill) == 1
    assert quotes.impact_bps(fill._replace(spot_after=29_990)) == 4
    assert quotes.impact_bps(fill._replace(spot_after=30_000)) == 0
    assert quotes.least_out("buy", fill, 50) == 2
    assert quotes.least_out("sell", fill, 50) == 995
    assert quotes.average_price(fill._replace(shares=3 * 10**18)) == 333
