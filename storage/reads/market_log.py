"""The log of an asset as a replay takes it: its terms, and every order with a verdict, in the order of verdicts."""

from __future__ import annotations

from typing import Any, Final

from domain.exchange.batch import Position
from domain.exchange.curve import Curve
from domain.exchange.replay import Logged, Replayed, Terms, replay
from domain.exchange.trading import Fill, Order
from storage.database import Pool
from storage.reads.base import Row, fetch_all, fetch_one

_TERMS: Final = "SELECT p0_micros, k_atto, fee_bps, lp_part_bps, breaker_bps FROM exchange.assets WHERE id = %s"
_LOG: Final = """
SELECT verdict, account_id, side::text, asked, min_out, floor(extract(epoch FROM executed_at))::bigint AS second,
  saw_usdc_micros, saw_lp_shares_micros, reject_code, shares_atto, amount_micros, pool_micros, fee_micros,
  lp_fee_micros, spot_before_micros, spot_after_micros, realised_micros
FROM exchange.trades WHERE asset_id = %s AND verdict IS NOT NULL ORDER BY verdict
"""
_POSITIONS: Final = """
SELECT account_id, shares_atto, cost_micros, realised_micros FROM exchange.positions WHERE asset_id = %s
"""
_STATE: Final = "SELECT supply_atto, fee_index, fee_carry, fills, verdicts FROM exchange.assets WHERE id = %s"


async def replayed(pool: Pool, asset_id: str) -> Replayed:
    """Carry out everything this asset has seen again; nothing is written."""
    terms = await fetch_one(pool, _TERMS, [asset_id])
    assert terms is not None
    p0, k, *rest = terms.values()
    return replay(Terms(Curve(p0, k), *rest), [logged(row) for row in await fetch_all(pool, _LOG, [asset_id])])


async def differences(pool: Pool, asset_id: str) -> list[str]:
    """What the books say otherwise than the replay of the asset's log; empty when they agree in every figure."""
    again = await replayed(pool, asset_id)
    found = [f"verdict {d.number}: {d.said} is in the books, {d.follows} follows" for d in again.differences]
    state = await fetch_one(pool, _STATE, [asset_id])
    assert state is not None
    m = again.market
    if tuple(state.values()) != (m.supply, m.fee_index, m.fee_carry, m.fills, m.verdicts):
        found.append(f"asset: {state} is in the books, {m} follows")
    kept = {
        row["account_id"]: Position(*list(row.values())[1:]) for row in await fetch_all(pool, _POSITIONS, [asset_id])
    }
    held = {account: p for account, p in again.positions.items() if any(p) or account in kept}
    if kept != held:
        found.append(
            f"positions of {sorted(a for a in kept.keys() | held.keys() if kept.get(a) != held.get(a))} differ"
        )
    return found


def logged(row: Row) -> Logged:
    """A row of the log as a value."""
    figures: tuple[Any, ...] = tuple(row[name] for name in _FIGURES)
    return Logged(
        row["verdict"],
        row["account_id"],
        Order(row["side"], row["asked"], row["min_out"]),
        row["second"],
        row["saw_usdc_micros"],
        row["saw_lp_shares_micros"],
        Fill(*figures) if row["reject_code"] is None else None,
        row["reject_code"],
    )


_FIGURES: Final = (
    "shares_atto",
    "amount_micros",
    "pool_micros",
    "fee_micros",
    "lp_fee_micros",
    "spot_before_micros",
    "spot_after_micros",
    "realised_micros",
)
