"""Filled orders as the market engine leaves them, for tests of what follows a trade: row, asset, event; no postings."""

from __future__ import annotations

import asyncio

from domain.exchange import curve
from domain.exchange.curve import SHARE_DECIMALS, Curve
from domain.shared.events import Event
from domain.shared.money import format_amount, format_usdc
from storage.database import Pool, transaction
from storage.events import emit, new_id


async def fill(pool: Pool, asset_id: str, account_id: str, micros: int, *, seconds_ago: int = 0) -> str:
    """A buy of `micros` net of fee, or a sale that brings at most −`micros`; returns the trade's id."""
    return (await fills(pool, asset_id, account_id, [micros], seconds_ago=seconds_ago))[0]


async def fills(pool: Pool, asset_id: str, account_id: str, amounts: list[int], *, seconds_ago: int = 0) -> list[str]:
    """Several in one transaction, as one batch of the engine."""
    made, events = [], []
    async with transaction(pool) as connection:
        cursor = await connection.execute(
            "SELECT p0_micros, k_atto, supply_atto, verdicts FROM exchange.assets WHERE id = %s FOR NO KEY UPDATE",
            [asset_id],
        )
        row = await cursor.fetchone()
        assert row is not None
        shape, supply = Curve(row["p0_micros"], row["k_atto"]), row["supply_atto"]
        for number, micros in enumerate(amounts, row["verdicts"] + 1):
            before = curve.spot(shape, supply)
            shares = curve.shares_for(shape, supply, micros) if micros > 0 else -_sold(shape, supply, -micros)
            pool_micros = abs(micros) if micros > 0 else curve.sell_revenue(shape, supply, -shares)
            supply += shares
            trade_id, side = new_id(), "buy" if shares > 0 else "sell"
            made.append(trade_id)
            after = curve.spot(shape, supply)
            await connection.execute(
                """INSERT INTO exchange.trades (id, asset_id, account_id, side, asked, shard, status, shares_atto,
                     amount_micros, pool_micros, fee_micros, lp_fee_micros, realised_micros, spot_before_micros,
                     spot_after_micros, verdict, executed_at)
                   VALUES (%s, %s, %s, %s, %s, 0, 'filled', %s, %s, %s, 0, 0, 0, %s, %s, %s,
                     clock_timestamp() - %s * interval '1 second')""",
                [trade_id, asset_id, account_id, side, abs(micros), abs(shares), pool_micros, pool_micros, before,
                 after, number, seconds_ago],
            )  # fmt: skip
            payload: dict[str, str | int | bool | None] = {
                "asset_id": asset_id,
                "trade_id": trade_id,
                "verdict": number,
                "side": side,
                "trader_id": account_id,
                "quantity": format_amount(abs(shares), SHARE_DECIMALS),
                "amount_usdc": format_usdc(pool_micros),
                "spot_after": format_usdc(after),
            }
            events.append(Event(topic="trades", type="trade", account_id=account_id, payload=payload))
        await connection.execute(
            """UPDATE exchange.assets SET supply_atto = %s, verdicts = verdicts + %s, fills = fills + %s
               WHERE id = %s""",
            [supply, len(amounts), len(amounts), asset_id],
        )
        await emit(connection, *events)
    return made


def _sold(shape: Curve, supply: int, micros: int) -> int:
    """The most shares whose sale brings at most `micros`: all, when all bring less."""
    low, high = 0, supply
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if curve.sell_revenue(shape, supply, middle) <= micros else (low, middle - 1)
    return low


async def trading(pool: Pool, asset_id: str, account_id: str, *, every_s: float, micros: int = 1_000_000) -> None:
    """One trade after the other until cancelled."""
    while True:
        await fill(pool, asset_id, account_id, micros)
        await asyncio.sleep(every_s)
