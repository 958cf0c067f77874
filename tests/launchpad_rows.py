"""Projects, sales, positions and referrals as rows, with the numbers the curve gives: for tests of what is read.

Written as their owners write them (launches with their project, sales when they are created on chain, the rest as the
feed folds events), so that a read sees what it sees in production.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb
from solders.keypair import Keypair

from domain.launchpad import curves
from domain.launchpad.curves import Curve, Shape
from domain.launchpad.trade_tax import tax_of
from domain.shared.events import Event
from storage.database import Connection
from storage.events import emit, new_id

SOL = 10**9
PROGRAM = "HFLaunch11111111111111111111111111111111111"
UNITS = 10**6
CURVE = Curve(Shape.LINEAR, 100 * SOL, 300 * SOL, 400_000_000 * UNITS, 6)
"""From 10^-7 to 3·10^-7 SOL a token; 80 SOL for all of it."""
SUPPLY = 10**9 * UNITS
SOFT, HARD = 10 * SOL, 50 * SOL
MOST = curves.max_affordable(CURVE, 0, HARD)


def wallet() -> str:
    return str(Keypair().pubkey())


class Row(NamedTuple):
    project_id: str
    sale_id: str
    mint: str
    sale: str
    creator: str


async def project(connection: Connection, account_id: str, *, status: str = "active", **change: Any) -> Row:
    """A launch and its project; `sale=False` for one whose sale does not exist."""
    has_sale = change.pop("sale", True)
    launch_id, mint, address, creator = new_id(), wallet(), wallet(), change.pop("creator_wallet", wallet())
    begins = datetime.now(UTC)
    await connection.execute(
        """INSERT INTO launchpad.launches (id, account_id, request, cluster, signing, creator_wallet, status,
             budget_lamports) VALUES (%s, %s, '{}', 'localnet', 'platform', %s, 'live', 0)""",
        [launch_id, account_id, creator],
    )
    values: dict[str, Any] = {
        "id": launch_id,
        "token_address": mint if has_sale else None,
        "bonding_curve_address": address if has_sale else None,
        "name": "Acme",
        "symbol": "ACME",
        "logo_uri": "https://ipfs.test/logo",
        "total_supply": SUPPLY,
        "decimals": 6,
        "allocation_bps": Jsonb({"public": 4000, "team": 1500, "liquidity": 2500, "ecosystem": 1000, "reserve": 1000}),
        "bonding_curve_type": "linear",
        "initial_price": CURVE.start,
        "target_price": CURVE.target,
        "soft_cap_lamports": SOFT,
        "hard_cap_lamports": HARD,
        "creator_wallet": creator,
        "cluster": "localnet",
        "status": status,
        "starts_at": begins,
        "ends_at": begins + timedelta(days=1),
        **change,
    }
    await _insert(connection, "projects", values)
    sale_id = new_id()
    if has_sale:
        await _sale(connection, sale_id, values, mint, address)
    return Row(launch_id, sale_id, mint, address, creator)


async def _sale(connection: Connection, sale_id: str, of: dict[str, Any], mint: str, address: str) -> None:
    values = {
        "id": sale_id,
        "project_id": of["id"],
        "address": address,
        "mint": mint,
        "vault": wallet(),
        "token_program": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "creator": of["creator_wallet"],
        "platform": wallet(),
        "program_id": PROGRAM,
        "curve_type": "linear",
        "initial_price": CURVE.start,
        "target_price": CURVE.target,
        "decimals": CURVE.decimals,
        "sale_supply": CURVE.supply,
        "liquidity_supply": 250_000_000 * UNITS,
        "team_supply": 150_000_000 * UNITS,
        "other_supply": 200_000_000 * UNITS,
        "most": MOST,
        "soft_cap_lamports": SOFT,
        "hard_cap_lamports": HARD,
        "tax_bps": 200,
        "referral_bps": 2_500,
        "starts_at": of["starts_at"],
        "ends_at": of["ends_at"],
        "status": "active",
    }
    await _insert(connection, "sales", values)


async def _insert(connection: Connection, table: str, values: dict[str, Any]) -> None:
    columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    sql = f"INSERT INTO launchpad.{table} ({columns}) VALUES ({marks})"
    await connection.execute(sql, list(values.values()))  # type: ignore[arg-type]


async def trade(connection: Connection, row: Row, buyer: str, lamports: int, uplines: tuple[str, ...] = ()) -> int:
    """A buy for at most so many lamports, folded as the feed does; returns the tokens."""
    sold = (await _one(connection, "SELECT sold FROM launchpad.sales WHERE id = %s", row.sale_id))["sold"]
    tokens = curves.max_affordable(CURVE, sold, lamports, MOST)
    value = curves.cost(CURVE, sold, tokens)
    tax = tax_of(value)
    raised = curves.reserve(CURVE, sold + tokens)
    await connection.execute(
        """INSERT INTO launchpad.sale_events (sale_id, signature, ordinal, slot, block_time, kind, wallet, tokens,
             value_lamports, tax_lamports, data) VALUES (%s, %s, 0, 1, now(), 'Traded', %s, %s, %s, %s, %s)""",
        [row.sale_id, secrets.token_hex(32), buyer, tokens, value, tax, Jsonb({"is_buy": True})],
    )
    await connection.execute(
        """INSERT INTO launchpad.sale_positions (sale_id, wallet, bought, held, paid_lamports, tax_lamports)
           VALUES (%(sale)s, %(who)s, %(tokens)s, %(tokens)s, %(value)s, %(tax)s)
           ON CONFLICT (sale_id, wallet) DO UPDATE SET bought = sale_positions.bought + excluded.bought""",
        {"sale": row.sale_id, "who": buyer, "tokens": tokens, "value": value, "tax": tax},
    )
    await connection.execute(
        """UPDATE launchpad.sales SET sold = sold + %s, raised_lamports = %s, held = held + %s,
             tax_held_lamports = tax_held_lamports + %s, tax_total_lamports = tax_total_lamports + %s,
             latched_at = CASE WHEN %s >= soft_cap_lamports THEN coalesce(latched_at, now()) END,
             counters = counters || %s, read_slot = read_slot + 1, read_at = now() WHERE id = %s""",
        [tokens, raised, tokens, tax, tax, raised, Jsonb({"burn_due": tax // 4}), row.sale_id],
    )
    for level, upline in enumerate(uplines, 1):
        await connection.execute(
            """INSERT INTO launchpad.referrals AS r (program_account, referee_address, level, referrer_address,
                 earned_lamports, transaction_count) VALUES (%s, %s, %s, %s, %s, 1)
               ON CONFLICT (program_account, referee_address, level) DO UPDATE SET
                 earned_lamports = r.earned_lamports + excluded.earned_lamports,
                 transaction_count = r.transaction_count + 1""",
            [PROGRAM, buyer, level, upline, 1_000_000 // level],
        )
    await tell(connection, row, "sale_traded", wallet=buyer, uplines=list(uplines), tokens=str(tokens))
    return tokens


async def tell(connection: Connection, row: Row, kind: str, **payload: Any) -> None:
    """An event about the project, as its owners emit them."""
    about = {"project_id": row.project_id, "sale_id": row.sale_id, **payload}
    await emit(connection, Event(topic="launchpad", type=kind, payload=about))


async def promote(connection: Connection, row: Row, sol: str, *, days: int = 1, **shown: int) -> None:
    """A promotion of a tier; `shown`: days from now until which a feature is shown."""
    until = {name: (datetime.now(UTC) + timedelta(days=n)).isoformat() for name, n in shown.items()}
    await connection.execute(
        """INSERT INTO launchpad.promo_activations
             (id, project_id, tier_lamports, features, payment_signature, status, activated_at, expires_at)
           VALUES (%s, %s, %s, %s, %s, 'active', now(), now() + make_interval(days => %s))""",
        [new_id(), row.project_id, int(float(sol) * SOL), Jsonb({**until, "press_release": None}),
         secrets.token_hex(32), days],
    )  # fmt: skip


async def _one(connection: Connection, sql: str, *values: Any) -> dict[str, Any]:
    row = await (await connection.execute(sql, values)).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row
