"""Runs in the environment of the official SDKs: reads a venue with them and prints what they made of it as JSON.

python read_venue.py <data url> <clob url> <gamma url> <wallet> <condition ids,> <token ids,>
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from polymarket.clients.public import PublicClient
from polymarket.environments import PRODUCTION, _create_environment
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import BookParams


def plain(value: Any) -> Any:
    """Models to JSON; Decimals as text."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="python"))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | bool | None) else str(value)


def official(data: str, clob: str, gamma: str, wallet: str, conditions: list[str], tokens: list[str]) -> dict[str, Any]:
    config = dataclasses.replace(PRODUCTION._config, data_url=data, clob_url=clob, gamma_url=gamma)
    with PublicClient(_create_environment(name="local", config=config)) as client:
        return {
            "activity": list(client.list_activity(user=wallet, full_history=True, page_size=3).iter_items()),
            "trades": list(client.list_trades(user=wallet, taker_only=False).iter_items()),
            "positions": list(client.list_positions(user=wallet).iter_items()),
            "value": client.get_portfolio_value(user=wallet),
            "resolutions": client.get_resolutions(condition_ids=conditions),
            "markets": [
                market
                for closed in (False, True)
                for market in client.list_markets(condition_ids=conditions, closed=closed).iter_items()
            ],
            "profile": client.get_public_profile(wallet),
            "books": client.get_order_books(asset_ids=tokens),
            "book": client.get_order_book(asset_id=tokens[0]),
            "midpoints": client.get_midpoints(asset_ids=tokens),
            "last_trades": client.get_last_trade_prices(asset_ids=tokens),
        }


def clob_v2(clob: str, condition: str, tokens: list[str]) -> dict[str, Any]:
    client = ClobClient(clob, 137)
    book = client.get_order_book(tokens[0])
    return {
        "book": book,
        "hash": client.get_order_book_hash(dict(book)),
        "books": len(client.get_order_books([BookParams(token_id=token) for token in tokens])),
        "tick": client.get_tick_size(tokens[0]),
        "market": client.get_market(condition),
        "info": client.get_clob_market_info(condition),
        "time": client.get_server_time(),
        "last": client.get_last_trade_price(tokens[0]),
    }


def main() -> None:
    data, clob, gamma, wallet, conditions, tokens = sys.argv[1:]
    listed, held = conditions.split(","), tokens.split(",")
    found = {
        "official": official(data, clob, gamma, wallet, listed, held),
        "clob_v2": clob_v2(clob, listed[0], held),
    }
    print(json.dumps(plain(found)))


if __name__ == "__main__":
    main()
