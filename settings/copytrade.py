"""Settings of copytrade: the venue, Polygon, cadences."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class CopytradeSettings(BaseSettings):
    """What the API and the workers read."""

    starting_bankroll_micros: int = Field(10_000_000_000, ge=0, description="Paper cash of a new portfolio, micros.")


class CopytradeWorkerSettings(BaseSettings):
    """What the workers alone read."""

    polymarket_data_api_base_url: str = Field(
        "https://data-api.polymarket.com", description="Polymarket's Data API: leaders' activity and positions."
    )
    polymarket_clob_base_url: str = Field("https://clob.polymarket.com", description="Polymarket's books and prices.")
    polymarket_gamma_base_url: str = Field("https://gamma-api.polymarket.com", description="Its markets and profiles.")
    polymarket_data_api_version: Literal["v2", "v1"] = Field("v2", description="v1 only while v2 is down for long.")
    polymarket_max_rps: int = Field(20, ge=1, description="Requests a second to Polymarket, all routes.")
    polymarket_burst: int = Field(40, ge=1, description="Requests at once.")
    polygon_chain_id: int = Field(137, description="Where Polymarket settles.")
    polymarket_market_ws_url: str = Field("", description="The CLOB's market socket; only `holdfast record` reads it.")
    alchemy_ws_url: str = Field("", description="WebSocket of a Polygon node: hastens polls; empty: no chain trigger.")
    polygon_rpc_url: str = Field("", description="HTTP of a Polygon node: receipts, gaps; empty: none.")
    polygon_fallback_max_rps: int = Field(5, ge=1, description="Requests a second to POLYGON_RPC_URL.")
    polymarket_contracts_file: str = Field("", description="JSON that replaces the built-in contract addresses.")
    copytrade_jitter_seed: str = Field("holdfast", description="Part of the hash that draws a decision's jitter.")
    copytrade_poll_s: int = Field(30, ge=1, description="How often each leader's activity is read.")
    copytrade_reconcile_s: int = Field(60, ge=1, description="How often the last two minutes are read again.")
    copytrade_cold_start_s: int = Field(900, ge=0, description="How far back the first read after a start looks.")
    copytrade_marks_s: int = Field(30, ge=5, description="How often held tokens are marked.")
    copytrade_snapshots_s: int = Field(60, ge=5, description="How often portfolios are snapshotted.")
    copytrade_settlement_s: int = Field(120, ge=1, description="How often resolutions are looked for.")
    copytrade_drift_s: int = Field(600, ge=1, description="How often shadows are compared with the venue's positions.")
    copytrade_markets_s: int = Field(3_600, ge=1, description="How often market facts are read again.")
    copytrade_exec_user: bool = Field(True, description="Simulate a portfolio per leader beside the global one.")
