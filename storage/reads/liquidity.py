"""Liquidity as users see it: contributions, withdrawals of principal, fee claims, positions; and what new requests are
checked against."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from domain.exchange.funding import Round
from domain.exchange.liquidity import Position, settled
from domain.exchange.vesting import Grant, LpPolicy, Standing, standing
from domain.shared.ledger import available
from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_item, fetch_one, fetch_page, moment, usdc

CONTRIBUTIONS: Final = Listing(
    body=f"""json_build_object('id', c.id, 'asset_id', c.asset_id, 'account_id', c.account_id,
             'amount_usdc', {usdc("c.amount_micros")}, 'status', c.status, 'reject_code', c.refuse_code,
             'operation_id', a.operation_id, 'created_at', {moment("c.created_at")},
             'accepted_at', {moment("c.accepted_at")}, 'refunded_at', {moment("c.refunded_at")})""",
    source="exchange.contributions c JOIN exchange.assets a ON a.id = c.asset_id",
    key="c.id",
    extra="c.account_id AS owner, c.asset_id AS asset, c.status::text AS status",
)
WITHDRAWALS: Final = Listing(
    body=f"""json_build_object('id', w.id, 'asset_id', w.asset_id, 'account_id', w.account_id,
             'amount_usdc', {usdc("w.amount_micros")}, 'paid_usdc', {usdc("w.paid_micros")}, 'status', w.status,
             'reject_code', w.refuse_code, 'due_at', {moment("w.due_at")}, 'ahead_in_queue', (
               SELECT count(*) FROM exchange.lp_withdrawals b
               WHERE w.status = 'queued' AND b.asset_id = w.asset_id AND b.status = 'queued' AND b.seq < w.seq),
             'payouts', coalesce((SELECT json_agg(json_build_object('part', p.part,
                 'amount_usdc', {usdc("p.amount_micros")}, 'instant', p.instant, 'paid_at', {moment("p.paid_at")})
                 ORDER BY p.part) FROM exchange.lp_payouts p WHERE p.withdrawal_id = w.id), '[]'::json),
             'operation_id', w.operation_id, 'created_at', {moment("w.created_at")},
             'finished_at', {moment("w.finished_at")})""",
    source="exchange.lp_withdrawals w",
    key="w.id",
    extra="w.account_id AS owner, w.status::text AS status, w.operation_id",
)
CLAIMS: Final = Listing(
    body=f"""json_build_object('id', f.id, 'asset_id', f.asset_id, 'account_id', f.account_id,
             'amount_usdc', {usdc("f.amount_micros")}, 'status', f.status, 'reject_code', f.refuse_code,
             'operation_id', f.operation_id, 'created_at', {moment("f.created_at")},
             'finished_at', {moment("f.finished_at")})""",
    source="exchange.lp_fee_claims f",
    key="f.id",
    extra="f.account_id AS owner, f.status::text AS status",
)
_FACTS: Final = """a.status::text AS asset_status, a.symbol, a.fee_index, clock_timestamp() AS clock,
  p.shares_micros AS shares, p.contributed_micros AS contributed, p.withdrawn_micros AS withdrawn,
  p.instant_micros AS instant, p.fee_index_paid AS index_paid, p.fees_owed_micros AS owed,
  p.fees_claimed_micros AS claimed,
  coalesce((SELECT sum(w.amount_micros - w.paid_micros) FROM exchange.lp_withdrawals w
    WHERE w.asset_id = p.asset_id AND w.account_id = p.account_id AND w.status IN ('requested', 'queued')), 0)
    AS pending,
  coalesce((SELECT json_agg(json_build_array(c.amount_micros, c.accepted_at)) FROM exchange.contributions c
    WHERE c.asset_id = p.asset_id AND c.account_id = p.account_id AND c.status = 'accepted'), '[]'::json) AS grants"""
POSITIONS: Final = Listing(
    body=f"""json_build_object('asset_id', p.asset_id, 'account_id', p.account_id, 'symbol', a.symbol,
             'asset_status', a.status, 'principal_usdc', {usdc("p.shares_micros")},
             'contributed_usdc', {usdc("p.contributed_micros")}, 'withdrawn_usdc', {usdc("p.withdrawn_micros")},
             'fees_claimed_usdc', {usdc("p.fees_claimed_micros")}, 'created_at', {moment("p.created_at")})""",
    source="exchange.lp_positions p JOIN exchange.assets a ON a.id = p.asset_id",
    key="p.asset_id",
    extra=_FACTS,
)
_ROUND: Final = """
SELECT a.status::text AS status, a.lp_shares_micros AS raised, a.soft_cap_micros AS soft_cap,
  a.hard_cap_micros AS hard_cap, a.funding_deadline AS deadline, a.symbol, a.operation_id, clock_timestamp() AS clock,
  coalesce((SELECT b.balance FROM platform.balances b WHERE b.account = %(account)s AND b.unit = 'USDC'), 0) AS balance,
  (SELECT o.dispatched_at IS NOT NULL FROM platform.operations o WHERE o.id = a.operation_id) AS dispatched
FROM exchange.assets a WHERE a.id = %(asset)s
"""


class RoundFacts(BaseModel):
    """What a new contribution is checked against; the round checks again under lock."""

    model_config = ConfigDict(frozen=True)
    status: str
    raised: int
    soft_cap: int
    hard_cap: int
    deadline: datetime
    symbol: str
    operation_id: str | None
    clock: datetime
    balance: int
    dispatched: bool | None

    @property
    def round(self) -> Round:
        return Round(self.status, self.raised, self.soft_cap, self.hard_cap, self.deadline)


class PoolFacts(BaseModel):
    """One provider in one pool. `grants`: amount and moment of each accepted contribution."""

    model_config = ConfigDict(frozen=True)
    asset_status: str
    symbol: str
    fee_index: int
    clock: datetime
    shares: int
    contributed: int
    withdrawn: int
    instant: int
    index_paid: int
    owed: int
    claimed: int
    pending: int
    grants: tuple[tuple[int, datetime], ...]

    def standing(self, policy: LpPolicy) -> Standing:
        """Vesting now."""
        grants = [Grant(*grant) for grant in self.grants]
        return standing(
            policy, grants, self.clock, withdrawn=self.withdrawn, instant=self.instant, pending=self.pending
        )

    @property
    def fees_owed(self) -> int:
        """Earned up to now and not claimed."""
        position = Position(
            self.shares, self.contributed, self.withdrawn, self.instant, self.index_paid, self.owed, self.claimed
        )
        return settled(position, self.fee_index).owed


async def round_facts(pool: Pool, asset_id: str, account_id: str) -> RoundFacts | None:
    row = await fetch_one(pool, _ROUND, {"asset": asset_id, "account": available(account_id)})
    return RoundFacts.model_validate(row) if row is not None else None


async def pool_facts(pool: Pool, asset_id: str, account_id: str) -> PoolFacts | None:
    """None when the account never had a part in this pool."""
    row = await fetch_one(
        pool, f"SELECT {_FACTS} FROM {POSITIONS.source} WHERE p.asset_id = %s AND p.account_id = %s",
        [asset_id, account_id],
    )  # fmt: skip
    return PoolFacts.model_validate(row) if row is not None else None


async def contribution(pool: Pool, contribution_id: str) -> Row | None:
    return await fetch_item(pool, CONTRIBUTIONS, contribution_id)


async def contributions(
    pool: Pool, *, asset_id: str, account_id: str | None, status: str | None, limit: int, after: str | None
) -> Found:
    filters = [
        ("c.asset_id = %s::uuid", asset_id),
        ("c.account_id = %s::uuid", account_id),
        ("c.status = %s::text::exchange.contribution_status", status),
    ]
    return await fetch_page(pool, CONTRIBUTIONS, filters, limit=limit, after=after)


async def withdrawal(pool: Pool, withdrawal_id: str) -> Row | None:
    return await fetch_item(pool, WITHDRAWALS, withdrawal_id)


async def withdrawals(
    pool: Pool, *, account_id: str | None, asset_id: str | None, status: str | None, limit: int, after: str | None
) -> Found:
    filters = [
        ("w.account_id = %s::uuid", account_id),
        ("w.asset_id = %s::uuid", asset_id),
        ("w.status = %s::text::exchange.lp_withdrawal_status", status),
    ]
    return await fetch_page(pool, WITHDRAWALS, filters, limit=limit, after=after)


async def claim(pool: Pool, claim_id: str) -> Row | None:
    return await fetch_item(pool, CLAIMS, claim_id)


async def claims(pool: Pool, *, account_id: str | None, asset_id: str | None, limit: int, after: str | None) -> Found:
    filters = [("f.account_id = %s::uuid", account_id), ("f.asset_id = %s::uuid", asset_id)]
    return await fetch_page(pool, CLAIMS, filters, limit=limit, after=after)


async def positions(pool: Pool, *, account_id: str, limit: int, after: str | None) -> Found:
    """One account's parts in pools, newest asset first."""
    return await fetch_page(pool, POSITIONS, [("p.account_id = %s::uuid", account_id)], limit=limit, after=after)
