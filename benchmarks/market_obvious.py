"""The obvious market: an ORM session per trade, rows locked, the same rules, the same tables with their triggers.

What a good developer writes first: SELECT … FOR UPDATE on the asset and the buyer's balance, the domain's function,
then every row of the trade, one transaction. Or SERIALIZABLE without locks by hand, and again when it fails.
It need not know the last minutes (breaker off, no rolling volume), which spares it two reads that ours does.
"""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from psycopg import errors
from sqlalchemy import create_engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, registry, sessionmaker

from benchmarks.market import AMOUNT
from domain.exchange import fills
from domain.exchange.batch import Pending, Verdict
from domain.exchange.curve import Curve
from domain.exchange.trading import Fill, Holder, Market, Order, execute
from domain.shared.ledger import available
from domain.shared.money import USDC
from storage.events import new_id
from storage.tables import ledger, market, platform

mapper = registry()


class Asset:
    """exchange.assets"""


class Trade:
    """exchange.trades"""


class Position:
    """exchange.positions"""


class Transfer:
    """platform.transfers"""


class Posting:
    """platform.postings"""


class Balance:
    """platform.balances"""


class Outbox:
    """platform.outbox"""


for kind, table in (
    (Asset, market.assets),
    (Trade, market.trades),
    (Position, market.positions),
    (Transfer, ledger.transfers),
    (Posting, ledger.postings),
    (Balance, ledger.balances),
    (Outbox, platform.outbox),
):
    mapper.map_imperatively(kind, table)


class Obvious:
    """One transaction a trade; `serializable` leaves the locking to Postgres and tries again."""

    def __init__(self, dsn: str, *, connections: int, serializable: bool = False) -> None:
        self.serializable = serializable
        self.threads = ThreadPoolExecutor(connections)
        self.engine = create_engine(
            dsn.replace("postgresql://", "postgresql+psycopg://"),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=120,
            isolation_level="SERIALIZABLE" if serializable else "READ COMMITTED",
        )
        self.sessions = sessionmaker(self.engine, expire_on_commit=False)
        self.retries = 0

    def close(self) -> None:
        self.threads.shutdown()
        self.engine.dispose()

    async def buy(self, asset_id: str, account_id: str) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self.threads, self._buy, asset_id, account_id)

    def _buy(self, asset_id: str, account_id: str) -> bool:
        while True:
            try:
                with self.sessions() as session, session.begin():
                    return self._trade(session, asset_id, account_id)
            except DBAPIError as error:
                if not isinstance(error.orig, errors.SerializationFailure | errors.DeadlockDetected):
                    raise
                self.retries += 1
                time.sleep(random.random() * 0.05)

    def _trade(self, session: Session, asset_id: str, account_id: str) -> bool:
        asset = self._one(session, select(Asset).where(market.assets.c.id == asset_id))
        paths = ledger.balances.c
        cash = self._one(session, select(Balance).where(paths.account == available(account_id), paths.unit == USDC))
        position: Any = session.get(Position, (account_id, asset_id))
        found = Market(
            Curve(asset.p0_micros, int(asset.k_atto)), asset.fee_bps, asset.lp_part_bps, asset.breaker_bps,
            asset.status, int(asset.supply_atto), asset.lp_shares_micros, int(asset.fee_index), int(asset.fee_carry),
            asset.fills, asset.verdicts,
        )  # fmt: skip
        held = (int(position.shares_atto), position.cost_micros, position.realised_micros) if position else (0, 0, 0)
        now, order = datetime.now(UTC), Order("buy", AMOUNT)
        after, holder, fill, _ = execute(found, Holder(int(cash.balance), *held), order, int(now.timestamp()))
        if fill is None:
            return False
        asset.supply_atto, asset.fee_index, asset.fee_carry = after.supply, after.fee_index, after.fee_carry
        asset.fills, asset.verdicts = after.fills, after.verdicts
        trade_id = new_id()
        pending = Pending(trade_id, asset_id, account_id, order)
        seen = Verdict(pending, after.verdicts, int(cash.balance), found.lp_shares, 0, fill, None)
        if position is None:
            position = _new(Position, account_id=account_id, asset_id=asset_id)
            session.add(position)
        position.shares_atto, position.cost_micros, position.realised_micros = holder[1:]
        session.add(_new(Trade, **_trade_columns(seen, fill, now)))
        transfer = _new(Transfer, key=fills.transfer_key(trade_id), kind=fills.KIND, ref=trade_id, phase="single")
        session.add(transfer)
        session.flush()
        for account, unit, amount in fills.lines(asset_id, account_id, "buy", fill):
            session.add(_new(Posting, transfer_id=transfer.id, account=account, unit=unit, amount=amount))
        event = fills.event(seen, fill, int(now.timestamp() * 1000))
        session.add(_new(Outbox, topic="trades", type="trade", account_id=account_id, payload=event))
        return True

    def _one(self, session: Session, query: Any) -> Any:
        return session.execute(query if self.serializable else query.with_for_update()).scalar_one()


def _new(cls: type[Any], /, **columns: object) -> Any:
    made = cls()
    for name, value in columns.items():
        setattr(made, name, value)
    return made


def _trade_columns(seen: Verdict, fill: Fill, now: datetime) -> dict[str, object]:
    return {
        "id": seen.order.id,
        "asset_id": seen.order.asset_id,
        "account_id": seen.order.account_id,
        "side": "buy",
        "kind": "market",
        "asked": AMOUNT,
        "min_out": 0,
        "shard": 0,
        "status": "filled",
        "shares_atto": fill.shares,
        "amount_micros": fill.amount,
        "pool_micros": fill.pool,
        "fee_micros": fill.fee,
        "lp_fee_micros": fill.lp_fee,
        "realised_micros": fill.realised,
        "spot_before_micros": fill.spot_before,
        "spot_after_micros": fill.spot_after,
        "verdict": seen.number,
        "saw_usdc_micros": seen.usdc,
        "saw_lp_shares_micros": seen.lp_shares,
        "executed_at": now,
    }
