"""A tape: everything that copying depended on, from which it can be played again into an empty database.

Canonical rows with their detect times, the inputs of every group, bankrolls and baselines, who was followed under
which rules, what markets were, how they settled. Not on it: what was decided or booked (storage/copytrade/replay.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, LiteralString, NamedTuple

from domain.shared.errors import Rejected
from storage.database import Connection

Row = dict[str, Any]

_SETTLED: Final[LiteralString] = """
(SELECT e.condition_id, min(e.created_at) AS at FROM copytrade.ledger_entries e WHERE e.entry_type = 'SETTLEMENT'
 GROUP BY 1)
"""
_PARTS: Final[dict[str, LiteralString]] = {
    "leaders": "SELECT * FROM copytrade.followed_users WHERE baseline_at IS NOT NULL ORDER BY id",
    "wallets": "SELECT * FROM copytrade.followed_wallets ORDER BY wallet",
    "rules": "SELECT * FROM copytrade.effective_configs ORDER BY version",
    "markets": "SELECT * FROM copytrade.markets ORDER BY condition_id",
    "assets": "SELECT * FROM copytrade.outcome_assets ORDER BY token_id",
    "portfolios": """
SELECT id, portfolio_scope, followed_user_id, opened_at FROM copytrade.portfolios ORDER BY portfolio_scope, id
""",
    # what portfolios began with: bankrolls, paper cash, what leaders held
    "deposits": """
SELECT portfolio_id, ref_id, condition_id, token_id, share_delta_micros AS shares, cash_delta_micros AS cash,
  price_micros AS price, event_time
FROM copytrade.ledger_entries WHERE entry_type = 'DEPOSIT' ORDER BY id
""",
    "rows": """
SELECT followed_user_id, wallet, id AS event_id, source_id, occurrence, detect_time, backfilled, raw::text AS raw
FROM copytrade.trade_events WHERE is_canonical AND NOT baseline
UNION ALL SELECT followed_user_id, wallet, id, source_id, occurrence, detect_time, backfilled, raw::text
FROM copytrade.activity_events WHERE is_canonical AND NOT baseline
ORDER BY detect_time, followed_user_id, source_id
""",
    "inputs": "SELECT * FROM copytrade.group_inputs ORDER BY requested_at, group_key",
    "settlements": f"""
SELECT s.condition_id, s.at, m.payouts, m.resolved_at, m.resolution_status
FROM {_SETTLED} s JOIN copytrade.markets m USING (condition_id) ORDER BY s.at, s.condition_id
""",
}


class Tape(NamedTuple):
    """Rows as JSON objects, in the order in which they are played. `seed`: of the jitter."""

    seed: str
    leaders: list[Row]
    wallets: list[Row]
    rules: list[Row]
    markets: list[Row]
    assets: list[Row]
    portfolios: list[Row]
    deposits: list[Row]
    rows: list[Row]
    inputs: list[Row]
    settlements: list[Row]


async def export(connection: Connection, seed: str) -> Tape:
    """Everything there is, in one snapshot when the caller's transaction has one.

    Raises: Rejected when a portfolio was reset: then bankrolls are not what everything began with.
    """
    if await (await connection.execute("SELECT 1 FROM copytrade.portfolios WHERE epoch > 0")).fetchone() is not None:
        raise Rejected("conflict", "a portfolio was reset; tapes begin with the first bankroll")
    parts: dict[str, list[Row]] = {}
    for name, statement in _PARTS.items():
        query: Any = f"SELECT row_to_json(p)::text AS row FROM ({statement}) p"
        found = await (await connection.execute(query)).fetchall()
        parts[name] = [json.loads(one["row"]) for one in found]
    return Tape(seed, **parts)


def save(tape: Tape, file: Path) -> None:
    """One JSON object a line: its part and the row."""
    with file.open("w", encoding="utf-8") as out:
        out.write(json.dumps({"seed": tape.seed}) + "\n")
        for name in _PARTS:
            for row in getattr(tape, name):
                out.write(json.dumps({name: row}) + "\n")


def load(file: Path) -> Tape:
    """Raises: ValueError for a line that is no part of a tape."""
    seed, parts = "", {name: list[Row]() for name in _PARTS}
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            value: Mapping[str, Any] = json.loads(line)
            [(name, row)] = value.items()
            if name == "seed":
                seed = str(row)
            elif name in parts:
                parts[name].append(row)
            else:
                raise ValueError(f"{name!r} is no part of a tape")
    return Tape(seed, **parts)
