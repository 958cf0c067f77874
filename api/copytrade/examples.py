"""Examples of copytrade's answers, for the document."""

from __future__ import annotations

from typing import Any, Final

ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
AT: Final = "2026-11-21T04:00:00.000000Z"
WALLET: Final = "0x379a410a36c101e3b8dfb6c90d1176eb0def4b1a"
CONDITION: Final = "0x571aafcdc9d3549ac260d5f956adc4ae57d9ace63575abd99db58ba0130e9fcf"
TOKEN: Final = "107562952936555819668737826428754978979556920505990557747611348541829551199040"
KEY: Final = f"{ID}:{TOKEN}:BUY:2026-11-21T04:00:00.000Z"
LEADER: Final[dict[str, Any]] = {
    "id": ID,
    "label": "weather whale",
    "profile": WALLET,
    "wallet": WALLET,
    "wallets": [WALLET],
    "enabled": True,
    "mode": "full",
    "leg_policy": "hold",
    "bankroll_usdc": "10000",
    "followed_since": AT,
    "baseline_at": AT,
    "unfollowed_at": None,
    "status": "following",
    "operation_id": ID,
}
POSITION: Final = {
    "asset_id": TOKEN,
    "market_id": CONDITION,
    "outcome": "Yes",
    "question": "Will it rain in Dallas?",
    "shares": "9.615384",
    "avg_cost_usdc": "0.52",
    "cost_usdc": "5",
    "mark_usdc": "0.53",
    "mark_source": "mid",
    "marked_at": AT,
    "value_usdc": "5.096153",
    "unrealized_pnl_usdc": "0.096153",
    "realized_pnl_usdc": "0",
}
PORTFOLIO: Final = {
    "portfolio_scope": "EXEC_GLOBAL",
    "followed_user_id": None,
    "equity_usdc": "10000.096153",
    "cash_usdc": "9995",
    "exposure_usdc": "5.096153",
    "realized_pnl_usdc": "0",
    "unrealized_pnl_usdc": "0.096153",
    "contributed_usdc": "10000",
    "pnl_usdc": "0.096153",
    "fees_usdc": "0",
    "unpriced": 0,
    "drawdown_latched_at": None,
    "opened_at": AT,
    "resets": 0,
    "positions": [POSITION],
}
LEADER_DETAIL: Final = LEADER | {
    "shadow": PORTFOLIO | {"portfolio_scope": "SHADOW_USER", "followed_user_id": ID},
    "executable": PORTFOLIO | {"portfolio_scope": "EXEC_USER", "followed_user_id": ID},
}
TRADE: Final = {
    "id": ID,
    "followed_user_id": ID,
    "wallet": WALLET,
    "source": "POLYMARKET_API",
    "tx_hash": "0x7958c0638f1b7ab12d0e3c762a6a2d3fe98edb3f748d0bcbe12adae1a67e58a8",
    "market_id": CONDITION,
    "asset_id": TOKEN,
    "outcome": "Yes",
    "question": "Will it rain in Dallas?",
    "side": "BUY",
    "price": "0.52",
    "shares": "22.84",
    "notional_usdc": "11.8768",
    "fee_usdc": "0.28504",
    "event_time": AT,
    "detect_time": AT,
    "detect_lag_ms": 3200,
    "baseline": False,
    "backfilled": False,
    "group_key": KEY,
    "attempts": [{"id": ID, "portfolio_scope": "EXEC_GLOBAL", "decision": "EXECUTE", "reason_codes": []}],
}
ATTEMPT: Final = {
    "id": ID,
    "portfolio_scope": "EXEC_GLOBAL",
    "followed_user_id": ID,
    "label": "weather whale",
    "group_key": KEY,
    "kind": "BUY",
    "market_id": CONDITION,
    "asset_ids": [TOKEN],
    "question": "Will it rain in Dallas?",
    "decision": "EXECUTE",
    "reason_codes": [],
    "target_notional_usdc": "5",
    "filled_notional_usdc": "5",
    "filled_shares": "9.615384",
    "filled_ratio_bps": 10000,
    "vwap_price": "0.52",
    "fee_usdc": "0.12",
    "their_reference_price": "0.52",
    "mid_price_at_decision": "0.515",
    "slippage": "0",
    "clamped": "minimum",
    "detect_lag_ms": 3200,
    "copy_lag_ms": 4100,
    "source_type": "AGGREGATOR",
    "buffered_count": 0,
    "out_of_order": False,
    "config_version": 2,
    "decided_at": AT,
    "created_at": AT,
}
ATTEMPT_DETAIL: Final = ATTEMPT | {
    "guards": [{"code": "SPREAD_TOO_WIDE", "passed": True, "limit": 20000, "actual": 10000}],
    "sizing": {"their_notional": 11876800, "target": 5000000},
    "portfolio": {"cash": 10000000000, "equity": 10000000000},
    "due_at": AT,
    "jitter_ms": 113,
    "window_start": AT,
    "event_time": AT,
    "detect_time": AT,
    "book": {"asset_id": TOKEN, "bids": [{"price": "0.51", "size": "900"}], "asks": [{"price": "0.52", "size": "700"}]},
    "book_source": "rest",
    "book_requested_at": AT,
    "book_received_at": AT,
    "lateness_us": 1400,
    "facts": {"flags": {"paused": False}},
    "levels": [{"level": 0, "price": "0.52", "shares": "9.615384", "notional_usdc": "5", "fee_usdc": "0.12"}],
    "event_ids": [ID],
}
MARKET: Final = {
    "id": CONDITION,
    "gamma_id": "514242",
    "slug": "rain-in-dallas",
    "question": "Will it rain in Dallas?",
    "event_id": "91",
    "neg_risk": False,
    "version": "v1",
    "closes_at": AT,
    "active": True,
    "closed": False,
    "accepting_orders": True,
    "tick": "0.01",
    "fee_rate_ppm": 50000,
    "blacklisted": False,
    "resolution_status": None,
    "resolved_at": None,
    "outcomes": [{"asset_id": TOKEN, "place": 0, "outcome": "Yes", "payout": None, "mark": "0.53"}],
}
POINT: Final = {
    "at": AT,
    "equity_usdc": "10000.1",
    "cash_usdc": "9995",
    "exposure_usdc": "5.1",
    "pnl_usdc": "0.1",
    "unpriced": 0,
}


def page(item: dict[str, Any]) -> dict[str, Any]:
    return {"items": [item], "next_cursor": None}
