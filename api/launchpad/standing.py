"""The figures of a sale that only Python computes, for every page that shows them."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from domain.launchpad.curves import PRICE_DECIMALS, Curve
from domain.launchpad.market import Books, worth
from domain.launchpad.request import SHAPES, SOL_DECIMALS
from domain.launchpad.sale import OnChain
from domain.shared.money import format_amount
from storage.reads.base import Row

TAG: Final = "Launchpad"
Sol = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]{1,9})?$", examples=["1.25"])]
SolPrice = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]{1,18})?$", examples=["0.000000125"])]
Tokens = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]{1,9})?$", examples=["125000"])]


def sol(lamports: int) -> str:
    return format_amount(lamports, SOL_DECIMALS)


def figures(row: Row) -> dict[str, object]:
    """Of the sale in a row of storage/reads/{projects,sync}.py; nulls while there is none.

    `priced_by` tells what the price is: that of the curve, or the one at which the pool was opened, which trades in
    the pool move and we do not follow.
    """
    if row["sale_id"] is None:
        names = ("spot_price_sol", "market_cap_sol", "liquidity_sol", "priced_by", "progress_bps", "soft_cap_bps")
        return dict.fromkeys(names)
    curve = Curve(
        SHAPES[row["curve_type"]], row["initial_price"], row["target_price"], row["sale_supply"], row["decimals"]
    )
    counters = row["counters"]
    pooled = int(counters.get("pooled_lamports", 0))
    supply = 0 if counters.get("reclaimed") else row["total_supply"]
    found = worth(
        curve,
        Books(
            supply=max(0, supply - int(counters.get("burned", 0)) - row["burned"]),
            sold=row["sold"],
            most=row["most"],
            raised=row["raised_lamports"],
            soft_cap=row["soft_cap_lamports"],
            pooled=pooled,
            graduated=counters.get("status") == OnChain.GRADUATED,
        ),
    )
    return {
        "spot_price_sol": format_amount(found.spot, PRICE_DECIMALS),
        "market_cap_sol": sol(found.market_cap),
        "liquidity_sol": sol(found.liquidity),
        "priced_by": "pool_opening" if pooled else "curve",
        "progress_bps": found.progress_bps,
        "soft_cap_bps": found.soft_cap_bps,
    }
