"""The intent to list an asset: its row, and the operation of the funding round that it begins with."""

from __future__ import annotations

from typing import Final

import psycopg

from domain.exchange.assets import AssetPlan, shard_of
from domain.exchange.funding import STEPS
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.events import Event
from domain.shared.money import format_usdc
from domain.shared.times import rfc3339
from storage.database import Connection
from storage.events import audit, emit, new_id
from storage.intents.opened import Opened
from storage.operations import open_operation

_INSERT: Final = """
INSERT INTO exchange.assets (id, symbol, name, p0_micros, k_atto, fee_bps, lp_part_bps, breaker_bps, soft_cap_micros,
  hard_cap_micros, funding_deadline, oracle_queries, shard, created_by, operation_id)
VALUES (%(id)s, %(symbol)s, %(name)s, %(p0_micros)s, %(k_atto)s, %(fee_bps)s, %(lp_part_bps)s, %(breaker_bps)s,
  %(soft_cap_micros)s, %(hard_cap_micros)s, %(funding_deadline)s, %(queries)s, %(shard)s, %(by)s, %(operation_id)s)
"""


async def open_asset(connection: Connection, plan: AssetPlan, *, created_by: str) -> Opened:
    """Insert the asset in `funding` with its operation, and tell listeners. The caller has checked the plan.

    Raises: Rejected symbol_taken.
    """
    asset_id = new_id()
    workflow_id = ids.funding_round(asset_id)
    soft, hard = format_usdc(plan.soft_cap_micros), format_usdc(plan.hard_cap_micros)
    summary = (
        f"Fund {plan.symbol}: {soft} USDC wanted, {hard} at most, until {plan.funding_deadline:%Y-%m-%d %H:%M} UTC"
    )
    operation_id = await open_operation(
        connection,
        kind="funding_round",
        subject_id=asset_id,
        workflow_id=workflow_id,
        steps=STEPS,
        summary=summary,
    )
    row = plan.model_dump(exclude={"oracle_queries"}) | {
        "id": asset_id,
        "queries": list(plan.oracle_queries),
        "shard": shard_of(asset_id),
        "by": created_by,
        "operation_id": operation_id,
    }
    try:
        await connection.execute(_INSERT, row)
    except psycopg.errors.UniqueViolation as error:
        raise Rejected("symbol_taken", f"there is an asset {plan.symbol} already") from error
    await audit(connection, created_by, "asset_created", asset_id, symbol=plan.symbol)
    await emit(connection, Event(topic="assets", type="asset_created", payload=_told(asset_id, plan)))
    return Opened(asset_id, operation_id, workflow_id, None, summary)


def _told(asset_id: str, plan: AssetPlan) -> dict[str, str | int | bool | None]:
    return {
        "asset_id": asset_id,
        "symbol": plan.symbol,
        "name": plan.name,
        "status": "funding",
        "p0_usdc": format_usdc(plan.p0_micros),
        "soft_cap_usdc": format_usdc(plan.soft_cap_micros),
        "hard_cap_usdc": format_usdc(plan.hard_cap_micros),
        "funding_deadline": rfc3339(plan.funding_deadline),
    }
