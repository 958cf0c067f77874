"""Promotions on the books: a payment is claimed once, found on the chain, then activated or owed back."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from psycopg.types.json import Jsonb

from domain.launchpad.launching import Launch, LaunchPolicy
from domain.launchpad.promo import Durations, features
from domain.shared.errors import Rejected
from domain.shared.events import Event
from storage.database import Connection
from storage.events import emit, new_id
from storage.launchpad.owed_back import open_refund

_CLAIM: Final = """
INSERT INTO launchpad.promo_activations (id, project_id, tier_lamports, features, payment_signature)
VALUES (%s, %s, %s, '{}', %s) ON CONFLICT (payment_signature) DO NOTHING
"""


async def claim(connection: Connection, project_id: str, tier_lamports: int, signature: str) -> None:
    """Nobody else can name this payment from here on. What we have signed ourselves is no payment.

    Raises: Rejected payment_used.
    """
    ours = await connection.execute("SELECT 1 FROM launchpad.transaction_attempts WHERE signature = %s", [signature])
    if await ours.fetchone() is not None:
        raise Rejected("payment_used", f"{signature} is a transaction of the platform")
    cursor = await connection.execute(_CLAIM, [new_id(), project_id, tier_lamports, signature])
    if cursor.rowcount == 0:
        raise Rejected("payment_used", f"payment {signature} was named before")


async def found(connection: Connection, project_id: str, payer: str, lamports: int) -> None:
    """The payment stands on the chain and brought this much. From here on it is activated or owed back."""
    await connection.execute(
        """UPDATE launchpad.promo_activations SET payer = %s, received_lamports = %s
           WHERE project_id = %s AND status = 'claimed'""",
        [payer, lamports, project_id],
    )


async def give_back(connection: Connection, project_id: str) -> bool:
    """The launch is given up: what was paid is owed back, and its process pays it; what was only named is free again.
    Whether any is owed."""
    await connection.execute(
        "DELETE FROM launchpad.promo_activations WHERE project_id = %s AND status = 'claimed' AND payer IS NULL",
        [project_id],
    )
    cursor = await connection.execute(
        """UPDATE launchpad.promo_activations SET status = 'refund_due'
           WHERE project_id = %s AND status = 'claimed' RETURNING id""",
        [project_id],
    )
    owed = await cursor.fetchone()
    if owed is not None:
        await open_refund(connection, owed["id"])
        payload: dict[str, str | int | bool | None] = {"id": owed["id"], "project_id": project_id}
        await emit(connection, Event(topic="launchpad", type="promo_refund_due", payload=payload))
    return owed is not None


async def activate(connection: Connection, launch: Launch, policy: LaunchPolicy, now: datetime) -> str | None:
    """Start what was paid for; names what. Nothing without a payment that was found."""
    request = launch.request
    lasting = Durations(policy.banner_s, policy.top_s)
    bought = features(request.promo_tier_lamports or 0, listing=request.listing, since=now, lasting=lasting)
    shown = {name: until.isoformat().replace("+00:00", "Z") if until else None for name, until in bought.items()}
    cursor = await connection.execute(
        """UPDATE launchpad.promo_activations SET status = 'active', features = %s, activated_at = %s, expires_at = %s
           WHERE project_id = %s AND status = 'claimed' AND payer IS NOT NULL RETURNING id""",
        [Jsonb(shown), now, max((until for until in bought.values() if until), default=None), launch.id],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    await connection.execute(
        "UPDATE launchpad.projects SET dex_cex_listing = %s WHERE id = %s", [request.listing, launch.id]
    )
    payload: dict[str, str | int | bool | None] = {"id": row["id"], "project_id": launch.id}
    await emit(connection, Event(topic="launchpad", type="promo_activated", payload=payload))
    return ", ".join(bought)
