"""What operators decide about paper portfolios: snapshots made again, rules tried out, cash, resets, closes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from psycopg.types.json import Jsonb
from pydantic import ValidationError

from domain.copytrade.config import effective
from domain.copytrade.entries import Scope
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.money import format_usdc
from storage.copytrade import configs
from storage.database import Connection
from storage.events import audit, new_id
from storage.intents.opened import Opened
from storage.operations import open_operation

REBUILD_STEPS: Final = ("rebuild",)
TEST_STEPS: Final = ("evaluate",)
CLOSE_STEPS: Final = ("book", "sell")
_HELD: Final = """
SELECT f.id, p.share_micros FROM copytrade.portfolios f
LEFT JOIN copytrade.positions p ON p.portfolio_id = f.id AND p.token_id = %s
WHERE f.portfolio_scope = %s::copytrade.portfolio_scope AND f.followed_user_id IS NOT DISTINCT FROM %s::uuid
"""


async def open_rebuild(
    connection: Connection, *, by_event_time: bool, portfolio_id: str | None, principal: str
) -> Opened:
    """Make the snapshots of a portfolio, or of all, again from the ledger.

    Raises: Rejected not_found.
    """
    if portfolio_id is not None:
        cursor = await connection.execute("SELECT 1 FROM copytrade.portfolios WHERE id = %s", [portfolio_id])
        if await cursor.fetchone() is None:
            raise Rejected("not_found", "no such portfolio")
    rebuild_id = new_id()
    workflow_id = ids.rebuild_snapshots(rebuild_id)
    summary = f"Snapshots again, by the time of {'events' if by_event_time else 'booking'}"
    operation_id = await open_operation(
        connection,
        kind="rebuild_snapshots",
        subject_id=rebuild_id,
        workflow_id=workflow_id,
        steps=REBUILD_STEPS,
        summary=summary,
    )
    await connection.execute(
        """INSERT INTO copytrade.snapshot_rebuilds (id, by_event_time, portfolio_id, requested_by, operation_id)
           VALUES (%s, %s, %s, %s, %s)""",
        [rebuild_id, by_event_time, portfolio_id, principal, operation_id],
    )
    await audit(
        connection, principal, "rebuild_asked", rebuild_id, portfolio_id=portfolio_id, by_event_time=by_event_time
    )
    return Opened(rebuild_id, operation_id, workflow_id, None, summary)


async def open_config_test(
    connection: Connection,
    *,
    proposed: dict[str, Any],
    user_id: str | None,
    from_at: datetime,
    until_at: datetime,
    principal: str,
) -> Opened:
    """Try rules out on what was decided in a time. `proposed`: keys to put over the general rules; with a user, those
    that he alone would have.

    Raises: Rejected not_found, validation_failed.
    """
    if from_at >= until_at:
        raise Rejected("validation_failed", "the range is empty", pointer="/from")
    general = await configs.newest(connection, None)
    if user_id is not None:
        await configs.newest(connection, user_id)
    try:
        effective(general.config, proposed)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/config/" + "/".join(str(part) for part in first["loc"])
        raise Rejected("validation_failed", first["msg"], pointer=place) from error
    test_id = new_id()
    workflow_id = ids.config_test(test_id)
    summary = f"Test of rules on {from_at:%Y-%m-%d %H:%M} to {until_at:%Y-%m-%d %H:%M} UTC"
    operation_id = await open_operation(
        connection, kind="config_test", subject_id=test_id, workflow_id=workflow_id, steps=TEST_STEPS, summary=summary
    )
    await connection.execute(
        """INSERT INTO copytrade.config_tests (id, requested_by, from_at, until_at, proposed, followed_user_id,
             operation_id) VALUES (%s, %s, %s, %s, %s, %s, %s)""",
        [test_id, principal, from_at, until_at, Jsonb(proposed), user_id, operation_id],
    )
    await audit(connection, principal, "config_test_asked", test_id, followed_user_id=user_id)
    return Opened(test_id, operation_id, workflow_id, None, summary)


async def open_close(
    connection: Connection,
    *,
    scope: Scope,
    user_id: str | None,
    token_id: str,
    shares: int | None,
    reason: str,
    principal: str,
) -> Opened:
    """Sell a paper position at the venue's book; `shares` None: all of it.

    Raises: Rejected not_found, position_not_held, amount_below_minimum.
    """
    if shares is not None and shares <= 0:
        raise Rejected("amount_below_minimum", "nothing to sell")
    row = None
    if scope is not Scope.SHADOW_USER:
        row = await (await connection.execute(_HELD, [token_id, scope.value, user_id])).fetchone()
    if row is None:
        raise Rejected("not_found", "no such executable portfolio")
    if row["share_micros"] is None or row["share_micros"] < (shares or 1):
        held = format_usdc(row["share_micros"] or 0)
        raise Rejected("position_not_held", f"{held} shares are held")
    close_id = new_id()
    workflow_id = ids.paper_close(close_id)
    summary = f"Sell {format_usdc(shares or row['share_micros'])} shares at the book"
    operation_id = await open_operation(
        connection, kind="paper_close", subject_id=close_id, workflow_id=workflow_id, steps=CLOSE_STEPS, summary=summary
    )
    await connection.execute(
        """INSERT INTO copytrade.paper_closes (id, portfolio_id, token_id, share_micros, reason, requested_by,
             operation_id) VALUES (%s, %s, %s, %s, %s, %s, %s)""",
        [close_id, row["id"], token_id, shares, reason, principal, operation_id],
    )
    await audit(connection, principal, "paper_close_asked", close_id, token_id=token_id, reason=reason)
    return Opened(close_id, operation_id, workflow_id, None, summary)
