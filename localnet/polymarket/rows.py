"""Rows of the Data API as they are written: v2 in snake_case, v1 in camelCase, in the order of the captures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localnet.polymarket.books import Last
from localnet.polymarket.feed import Row
from localnet.polymarket.markets import Market, Stage, Token
from localnet.polymarket.numbers import ONE, number
from localnet.polymarket.venue import Venue
from localnet.polymarket.wallets import Holding, Wallet

ICON = "https://polymarket-upload.s3.us-east-2.amazonaws.com/local.jpg"

V1 = {
    "proxy_wallet": "proxyWallet", "condition_id": "conditionId", "usdc_size": "usdcSize", "token_id": "asset",
    "transaction_hash": "transactionHash", "outcome_index": "outcomeIndex", "event_slug": "eventSlug",
    "profile_image": "profileImage", "profile_image_optimized": "profileImageOptimized", "is_combo": "isCombo",
}  # fmt: skip


def activity(venue: Venue, row: Row) -> dict[str, Any]:
    """One row of /v2/activity."""
    wallet = venue.wallets[row.wallet]
    value: dict[str, Any] = {
        "proxy_wallet": row.wallet,
        "timestamp": row.timestamp,
        "condition_id": row.condition_id,
        "type": row.kind,
        "size": number(row.size),
        "usdc_size": number(row.usdc),
        "transaction_hash": row.tx_hash,
        "price": row.price,
        "token_id": row.token_id,
        "side": row.side,
        "outcome_index": row.outcome_index,
        "title": row.title,
        "slug": row.slug,
        "icon": ICON if row.title else "",
        "event_slug": row.event_slug,
        "outcome": row.outcome,
        "name": wallet.name,
        "pseudonym": wallet.pseudonym,
        "bio": wallet.bio,
        "profile_image": "",
        "profile_image_optimized": "",
    }
    if row.is_combo:
        value["is_combo"] = True
    return value


_TRADE_V2 = ("proxy_wallet", "side", "token_id", "condition_id", "size", "price", "timestamp", "title", "slug", "icon",
             "event_slug", "outcome", "outcome_index", "name", "pseudonym", "bio", "profile_image",
             "profile_image_optimized", "transaction_hash")  # fmt: skip


def trade(venue: Venue, row: Row) -> dict[str, Any]:
    """One row of /v2/trades: no type, no usdc_size."""
    value = activity(venue, row)
    return {key: value[key] for key in _TRADE_V2}


def old(row: dict[str, Any]) -> dict[str, Any]:
    """The same row in the names of v1."""
    return {V1.get(key, key): value for key, value in row.items()}


def status(market: Market) -> str:
    """What a position of the market counts as."""
    return "REDEEMABLE" if market.stage is Stage.RESOLVED else "OPEN"


def price_now(market: Market, token: Token, mid: int | None, last: Last | None) -> int:
    """Payout of a resolved market, else mid, else last trade, else a half."""
    if market.payouts is not None:
        return market.payouts[token.place]
    return mid if mid is not None else last.price if last else ONE // 2


def position(wallet: Wallet, market: Market, token: Token, held: Holding, price: int, both: bool) -> dict[str, Any]:
    """One row of /v2/positions."""
    value, other = held.shares * price // ONE, market.other(token)
    unrealized = value - held.cost
    lifetime = held.bought * held.avg_price // ONE
    return {
        "proxy_wallet": wallet.address,
        "token_id": token.id,
        "condition_id": market.condition_id,
        "current_size": number(held.shares),
        "avg_price": number(held.avg_price),
        "entry_cost_usdc": number(held.cost),
        "entry_fees_usdc": number(held.fees),
        "total_cost_usdc": number(held.cost + held.fees),
        "current_price": number(price),
        "current_value": number(value),
        "total_size": number(held.bought),
        "realized_pnl": number(held.realized),
        "unrealized_pnl": number(unrealized),
        "total_pnl": number(held.realized + unrealized),
        "percent_pnl": round(100 * unrealized / held.cost, 4) if held.cost else 0,
        "percent_realized_pnl": round(100 * (value - lifetime) / lifetime, 4) if lifetime else 0,
        "status": status(market) if held.shares else "CLOSED",
        "redeemable": market.payouts is not None and held.shares > 0,
        "mergeable": both,
        "negative_risk": market.neg_risk,
        "archived": False,
        "title": market.question,
        "slug": market.slug,
        "icon": ICON,
        "event_id": market.event.id,
        "event_slug": market.event.slug,
        "outcome": token.label,
        "outcome_index": token.place,
        "opposite_outcome": other.label,
        "opposite_token_id": other.id,
        "end_date": day(market.ends_at),
        "last_event_at": held.last_at,
        "first_entry_at": held.first_at,
        "name": wallet.name,
        "profile_image": "",
        "verified": False,
    }


def old_position(row: dict[str, Any]) -> dict[str, Any]:
    """The same position in the names of v1."""
    initial = row["entry_cost_usdc"]
    return {
        "proxyWallet": row["proxy_wallet"],
        "asset": row["token_id"],
        "conditionId": row["condition_id"],
        "size": row["current_size"],
        "avgPrice": row["avg_price"],
        "initialValue": initial,
        "currentValue": row["current_value"],
        "cashPnl": row["unrealized_pnl"],
        "percentPnl": row["percent_pnl"],
        "totalBought": row["total_size"],
        "realizedPnl": row["realized_pnl"],
        "percentRealizedPnl": row["percent_realized_pnl"],
        "curPrice": row["current_price"],
        "redeemable": row["redeemable"],
        "mergeable": row["mergeable"],
        "title": row["title"],
        "slug": row["slug"],
        "icon": row["icon"],
        "eventId": row["event_id"],
        "eventSlug": row["event_slug"],
        "outcome": row["outcome"],
        "outcomeIndex": row["outcome_index"],
        "oppositeOutcome": row["opposite_outcome"],
        "oppositeAsset": row["opposite_token_id"],
        "endDate": row["end_date"],
        "negativeRisk": row["negative_risk"],
    }


_LIFECYCLE = {
    Stage.ACTIVE: "initialized", Stage.PAUSED: "initialized", Stage.CLOSED: "posed", Stage.PROPOSED: "proposed",
    Stage.DISPUTED: "disputed", Stage.RESOLVED: "resolved",
}  # fmt: skip


def resolution(market: Market) -> dict[str, Any]:
    """One row of /v2/resolutions; like the real one it leaves out what does not apply."""
    value: dict[str, Any] = {
        "condition_id": market.condition_id,
        "status": _LIFECYCLE[market.stage],
        "extended_review": False,
        "was_disputed": market.was_disputed,
        "new_version_q": False,
        "transaction_hash": "",
        "log_index": "",
        "last_update_timestamp": moment(market.changed_at),
    }
    if market.stage is Stage.PROPOSED:
        value["expected_settlement_time"] = moment(market.changed_at + 7200)
        value["settlement_time_basis"] = "managed_proposal_expiration"
    if market.payouts is not None:
        value["payouts"] = list(market.payouts)
        value["resolution_source"] = "reported"
        value["resolved_block"] = market.resolved_block
        value["resolved_at"] = moment(market.changed_at)
    return value


def moment(seconds: int) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(seconds: int | None) -> str:
    """YYYY-MM-DD; 1970-01-01 when nobody said."""
    return datetime.fromtimestamp(seconds or 0, UTC).strftime("%Y-%m-%d")
