"""Projects of the launchpad as visitors see them, and what they paid to be seen first."""

from __future__ import annotations

from typing import Final

from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_all, fetch_item, fetch_one, fetch_page, moment, sol, sol_price
from storage.reads.base import tokens as whole

PUBLIC: Final = ("upcoming", "active", "ended")
"""What a visitor sees: neither a launch on its way nor one that was undone."""
_OF_PROMO: Final = """(SELECT a.{0} FROM launchpad.promo_activations a WHERE a.project_id = p.id AND a.status = 'active'
  AND (a.expires_at IS NULL OR a.expires_at > now()) ORDER BY a.tier_lamports DESC, a.id LIMIT 1)"""
_SHOWN: Final = "(a.features->>'{0}')::timestamptz > now()"
# Paid places come first: on top, then banners, then any other paid tier; within a place the newest first. UUIDv7
# sort by time also as text.
_PLACE: Final = f"""(SELECT coalesce(max(CASE WHEN {_SHOWN.format("top")} THEN 3 WHEN {_SHOWN.format("banner")} THEN 2
  ELSE 1 END), 0) FROM launchpad.promo_activations a WHERE a.project_id = p.id AND a.status = 'active'
  AND (a.expires_at IS NULL OR a.expires_at > now()))"""
_SALE: Final = (
    "LEFT JOIN LATERAL (SELECT * FROM launchpad.sales x WHERE x.project_id = p.id ORDER BY x.id DESC LIMIT 1)"
)
# Beside what the tax burned: what graduation did with the tokens that were neither sold nor pooled.
BURNED: Final = """CASE WHEN s.graduated_at IS NOT NULL THEN (SELECT coalesce(sum((e.data->>'burned')::numeric), 0)
  FROM launchpad.sale_events e WHERE e.sale_id = s.id AND e.kind = 'Graduated') ELSE 0 END AS burned"""
_RAW: Final = f"""{BURNED}, p.id AS project_id, p.status::text AS status, p.total_supply, p.decimals, s.id AS sale_id,
  s.curve_type::text AS curve_type, s.initial_price, s.target_price, s.sale_supply, s.sold, s.most, s.raised_lamports,
  s.soft_cap_lamports, s.counters"""
PROJECTS: Final = Listing(
    body=f"""json_build_object('id', p.id, 'status', p.status, 'name', p.name, 'symbol', p.symbol,
      'description', p.description, 'token_address', p.token_address, 'sale_id', s.id, 'sale_address', s.address,
      'creator_wallet', p.creator_wallet, 'cluster', p.cluster, 'logo_uri', p.logo_uri, 'banner_uri', p.banner_uri,
      'icon_uri', p.icon_uri, 'metadata_uri', p.metadata_uri,
      'links', json_build_object('twitter', p.twitter, 'telegram', p.telegram, 'website', p.website,
        'discord', p.discord),
      'total_supply', {whole("p.total_supply", "p.decimals")}, 'decimals', p.decimals,
      'allocation_bps', p.allocation_bps,
      'curve', json_build_object('type', p.bonding_curve_type, 'initial_price_sol', {sol_price("p.initial_price")},
        'target_price_sol', {sol_price("p.target_price")}),
      'soft_cap_sol', {sol("p.soft_cap_lamports")}, 'hard_cap_sol', {sol("p.hard_cap_lamports")},
      'starts_at', {moment("p.starts_at")}, 'ends_at', {moment("p.ends_at")},
      'transfer_fee_bps', p.transfer_fee_bps, 'listing', p.dex_cex_listing,
      'promo_tier_sol', {sol(_OF_PROMO.format("tier_lamports"))}, 'created_at', {moment("p.created_at")})""",
    source=f"launchpad.projects p {_SALE} s ON true",
    key=f'({_PLACE}::text || p.id::text) COLLATE "C"',
    kind="text",
    extra=_RAW,
)
_STATS: Final = f"""
SELECT json_build_object(
  'investors', (SELECT count(*) FROM launchpad.sale_positions o WHERE o.sale_id = s.id AND o.bought > 0),
  'trades', count(e.id), 'buys', count(e.id) FILTER (WHERE e.tokens > 0 AND e.data->>'is_buy' = 'true'),
  'volume_sol', {sol("coalesce(sum(e.value_lamports), 0)")},
  'last_trade_at', {moment("max(e.block_time)")})::text AS body
FROM launchpad.sales s LEFT JOIN launchpad.sale_events e ON e.sale_id = s.id AND e.kind = 'Traded'
WHERE s.id = %s GROUP BY s.id
"""
_MIRRORS: Final = """
SELECT coalesce(json_agg(json_build_object('file', p.kind, 'cid', p.cid, 'arweave_id', m.arweave_id,
  'uri', %(gateway)s || '/raw/' || m.arweave_id) ORDER BY p.kind), '[]')::text AS body
FROM launchpad.pins p JOIN launchpad.mirrors m ON m.cid = p.cid
WHERE p.launch_id = %(id)s AND p.unpinned_at IS NULL AND m.seen_at IS NOT NULL
"""
PROMOTION: Final = f"""json_build_object('id', a.id, 'tier_sol', {sol("a.tier_lamports")}, 'features', a.features,
  'payment_signature', a.payment_signature, 'payer', a.payer, 'received_sol', {sol("a.received_lamports")},
  'status', CASE WHEN a.status = 'active' AND a.expires_at <= now() THEN 'expired' ELSE a.status::text END,
  'refund_signature', a.refund_signature, 'refunded_at', {moment("a.refunded_at")},
  'activated_at', {moment("a.activated_at")}, 'expires_at', {moment("a.expires_at")},
  'created_at', {moment("a.created_at")})"""
"""Of `promo_activations a`."""
PROMOTIONS: Final = f"""
SELECT ({PROMOTION})::text AS body FROM launchpad.promo_activations a WHERE a.project_id = %s ORDER BY a.id DESC
"""


async def projects(
    pool: Pool, *, status: str | None, creator: str | None, curve: str | None, limit: int, after: str | None
) -> Found:
    """Public projects: paid places first, then the newest."""
    filters: list[tuple[str, object]] = [
        ("p.status = ANY(%s::launchpad.project_status[])", [status] if status else list(PUBLIC)),
        ("p.creator_wallet = %s", creator),
        ("p.bonding_curve_type = %s::launchpad.curve_type", curve),
    ]
    return await fetch_page(pool, PROJECTS, filters, limit=limit, after=after)


async def by_token(pool: Pool, address: str) -> Row | None:
    """The public project of this mint."""
    listing = PROJECTS._replace(key="p.status = ANY('{upcoming,active,ended}') AND p.token_address")
    return await fetch_item(pool, listing, address)


async def public(pool: Pool, project_id: str) -> bool:
    """May visitors know of it?"""
    sql = "SELECT 1 FROM launchpad.projects WHERE id = %s AND status::text = ANY(%s)"
    return await fetch_one(pool, sql, [project_id, list(PUBLIC)]) is not None


async def stats(pool: Pool, sale_id: str) -> str:
    """JSON: investors, trades, volume."""
    row = await fetch_one(pool, _STATS, [sale_id])
    assert row is not None
    return str(row["body"])


async def mirrors(pool: Pool, project_id: str, gateway: str) -> str:
    """JSON: its files that were seen on Arweave."""
    row = await fetch_one(pool, _MIRRORS, {"id": project_id, "gateway": gateway})
    assert row is not None
    return str(row["body"])


async def promotions(pool: Pool, project_id: str) -> list[str]:
    """JSON of each promotion of a project, newest first."""
    return [str(row["body"]) for row in await fetch_all(pool, PROMOTIONS, [project_id])]
