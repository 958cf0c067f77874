"""What the sync routes and the WebSocket tell: a project's standing, taxes, a wallet's referrals. Chain time lags by
finality: `read_slot` says up to where the books have read."""

from __future__ import annotations

from typing import Final

from storage.database import Pool
from storage.reads.base import Row, fetch_all, fetch_one, moment, sol
from storage.reads.base import tokens as whole
from storage.reads.projects import BURNED, PUBLIC

TREE_MOST: Final = 500
"""Wallets shown of a referral tree; the levels count all."""
_STANDING: Final = f"""
SELECT json_build_object('project_id', p.id, 'status', p.status, 'token_address', p.token_address, 'sale_id', s.id,
    'sale_status', CASE s.status WHEN 'cancelled' THEN 'refunded' ELSE s.status::text END,
    'cancelled', s.status IS NOT DISTINCT FROM 'cancelled', 'sold', {whole("s.sold", "s.decimals")},
    'raised_sol', {sol("s.raised_lamports")},
    'soft_cap_sol', {sol("s.soft_cap_lamports")}, 'hard_cap_sol', {sol("s.hard_cap_lamports")},
    'tax_sol', {sol("s.tax_total_lamports")}, 'pool_address', s.pool_address, 'latched_at', {moment("s.latched_at")},
    'graduated_at', {moment("s.graduated_at")}, 'ends_at', {moment("p.ends_at")},
    'investors', (SELECT count(*) FROM launchpad.sale_positions o WHERE o.sale_id = s.id AND o.bought > 0),
    'read_slot', s.read_slot, 'read_at', {moment("s.read_at")})::text AS body,
  {BURNED}, p.id AS project_id, p.total_supply, p.decimals, s.id AS sale_id, s.curve_type::text AS curve_type,
  s.initial_price, s.target_price, s.sale_supply, s.sold, s.most, s.raised_lamports, s.soft_cap_lamports, s.counters
FROM launchpad.projects p
LEFT JOIN LATERAL (SELECT * FROM launchpad.sales x WHERE x.project_id = p.id ORDER BY x.id DESC LIMIT 1) s ON true
WHERE p.id = %s AND p.status::text = ANY(%s)
"""


def _due(name: str) -> str:
    """SQL: a counter of the latched sales, summed. What an unlatched sale holds may still be refunded."""
    return sol(f"coalesce(sum((s.counters->>'{name}_due')::numeric) FILTER (WHERE s.latched_at IS NOT NULL), 0)")


_TAXES: Final = f"""
SELECT json_build_object(
  'collected_sol', {sol("coalesce(sum(s.tax_total_lamports) FILTER (WHERE s.latched_at IS NOT NULL), 0)")},
  'escrow_sol', {sol("coalesce(sum(s.tax_held_lamports) FILTER (WHERE s.latched_at IS NULL), 0)")},
  'pending_marketing_sol', {_due("marketing")}, 'pending_treasury_sol', {_due("treasury")},
  'pending_rewards_sol', {_due("rewards")}, 'pending_burn_sol', {_due("burn")},
  'pending_referral_sol', {_due("referral")},
  'marketing_sol', {sol("max(d.marketing)")}, 'treasury_sol', {sol("max(d.treasury)")},
  'rewards_sol', {sol("max(d.rewards)")}, 'burn_sol', {sol("max(d.burn)")},
  'distributions', max(d.n), 'last_distribution_at', max(d.last))::text AS body
FROM (SELECT coalesce(sum(marketing_lamports), 0) AS marketing, coalesce(sum(treasury_lamports), 0) AS treasury,
    coalesce(sum(rewards_lamports), 0) AS rewards, coalesce(sum(burn_lamports), 0) AS burn, count(*) AS n,
    {moment("max(t.distributed_at)")} AS last
  FROM launchpad.tax_distributions t JOIN launchpad.sales x ON x.id = t.sale_id
  WHERE %(sale)s::uuid IS NULL OR x.id = %(sale)s) d
LEFT JOIN launchpad.sales s ON s.status NOT IN ('refunding', 'refunded', 'cancelled')
  AND (%(sale)s::uuid IS NULL OR s.id = %(sale)s)
"""
_UPLINES: Final = """
SELECT level, referrer_address AS wallet FROM launchpad.referrals WHERE referee_address = %s ORDER BY level
"""
_LEVELS: Final = f"""
SELECT json_build_object('level', l.level, 'wallets', count(r.referee_address),
  'earned_sol', {sol("coalesce(sum(r.earned_lamports), 0)")},
  'transactions', coalesce(sum(r.transaction_count), 0))::text AS body
FROM generate_series(1, 5) AS l(level)
LEFT JOIN launchpad.referrals r ON r.referrer_address = %s AND r.level = l.level GROUP BY l.level ORDER BY l.level
"""
_EARNED: Final = """
SELECT coalesce(sum(earned_lamports), 0) AS earned, coalesce(sum(claimed_lamports), 0) AS claimed
FROM launchpad.referrals WHERE referrer_address = %s
"""
# The parent of a wallet is its own upline of level 1. Uppermost first, so that parents stand before their children.
_TREE: Final = f"""
SELECT r.referee_address AS wallet, r.level, {sol("r.earned_lamports")} AS earned_sol,
  r.transaction_count AS transactions, coalesce(u.referrer_address, '') AS parent
FROM launchpad.referrals r LEFT JOIN launchpad.referrals u ON u.program_account = r.program_account
  AND u.referee_address = r.referee_address AND u.level = 1
WHERE r.referrer_address = %s ORDER BY r.level, r.created_at, r.referee_address LIMIT %s
"""


async def standing(pool: Pool, project_id: str) -> Row | None:
    """JSON of a public project's standing, with the curve and the counters for what only Python computes."""
    return await fetch_one(pool, _STANDING, [project_id, list(PUBLIC)])


async def taxes(pool: Pool, sale_id: str | None = None) -> str:
    """JSON of the taxes of all sales, or of one. Sales that failed keep nothing and count nothing."""
    row = await fetch_one(pool, _TAXES, {"sale": sale_id})
    assert row is not None
    return str(row["body"])


async def uplines(pool: Pool, wallet: str) -> list[Row]:
    """level, wallet: nearest first."""
    return await fetch_all(pool, _UPLINES, [wallet])


async def levels(pool: Pool, wallet: str) -> list[str]:
    """JSON of each of the five levels below a wallet."""
    return [str(row["body"]) for row in await fetch_all(pool, _LEVELS, [wallet])]


async def earned(pool: Pool, wallet: str) -> Row:
    """earned, claimed: lamports over all levels, as far as the books have read."""
    row = await fetch_one(pool, _EARNED, [wallet])
    assert row is not None
    return row


async def downline(pool: Pool, wallet: str) -> list[Row]:
    """wallet, level, earned_sol, transactions, parent of at most TREE_MOST below a wallet, parents first."""
    return await fetch_all(pool, _TREE, [wallet, TREE_MOST])
