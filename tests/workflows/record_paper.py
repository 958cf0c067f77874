"""Golden histories of paper portfolios: marks, snapshots, a rebuild, a test of rules, closes by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from composition.parts import open_parts
from domain.copytrade.entries import Scope
from domain.shared import ids
from storage.database import transaction
from storage.intents.copytrade_portfolios import open_close, open_config_test, open_rebuild
from storage.intents.opened import Opened
from tests.portfolio_lab import USDC, PortfolioLab, around
from tests.world import World
from tests.world import copytrade as books
from tests.world.venue import RunningVenue, running_venue


@asynccontextmanager
async def paper_world(world: World) -> AsyncIterator[tuple[PortfolioLab, RunningVenue]]:
    """The queue of copytrade is served on a local venue while the block runs."""
    before = world.settings, world.parts
    async with running_venue(seed=3) as venue:
        world.settings = world.settings.model_copy(update=venue.settings())
        async with open_parts(world.settings, world.client, "paper") as world.parts, world.workers("copytrade"):
            yield PortfolioLab(world.dsn, world.parts.pool), venue
    world.settings, world.parts = before


async def copied(lab: PortfolioLab, venue: RunningVenue) -> tuple[str, str]:
    """A leader whose trade was copied, in a market of the venue; returns him and the token."""
    user, market = await lab.leader(), await venue.market("rain-in-paris")
    token = market.tokens[0].id
    await venue.book(token, [("0.49", "1000")], [("0.51", "1000")])
    await books.rows(
        lab.dsn, "INSERT INTO copytrade.markets (condition_id, read_at) VALUES (%s, now())", market.condition_id
    )
    await books.rows(
        lab.dsn,
        "INSERT INTO copytrade.outcome_assets (token_id, condition_id, place) VALUES (%s, %s, 0)",
        *(token, market.condition_id),
    )
    await lab.copy(user, market.condition_id, token, "BUY", around(token, market.condition_id, 500_000))
    return user, token


async def paper(world: World) -> dict[str, str]:
    async with paper_world(world) as (lab, venue):
        user, token = await copied(lab, venue)
        for workflow, name in (("CopytradeMarks", "marks"), ("CopytradeSnapshots", "snapshots")):
            await world.client.execute_workflow(workflow, id=name, task_queue="copytrade")
        await world.client.execute_workflow("Retention", id="retention", task_queue="operations")
        operator = await world.account("operator")
        rebuilt = await rebuild(lab, operator)
        tested = await config_test(lab, operator)
        sold = await close(lab, user, token, operator)
        for one in (rebuilt, tested, sold):
            await world.client.get_workflow_handle(await _started(world, one)).result()
        venue.fail("clob:/book", "no_book", times=None)
        other = await close(lab, None, token, operator)
        await world.client.get_workflow_handle(await _started(world, other)).result()
    return {
        "Retention/with_paper_portfolios": "retention",
        "CopytradeMarks/round": "marks",
        "CopytradeSnapshots/round": "snapshots",
        "RebuildSnapshots/done": ids.rebuild_snapshots(rebuilt.subject_id),
        "ConfigTest/evaluated": ids.config_test(tested.subject_id),
        "PaperClose/sold": ids.paper_close(sold.subject_id),
        "PaperClose/no_book": ids.paper_close(other.subject_id),
    }


async def rebuild(lab: PortfolioLab, operator: str, *, by_event_time: bool = False) -> Opened:
    async with transaction(lab.pool) as connection:
        return await open_rebuild(connection, by_event_time=by_event_time, portfolio_id=None, principal=operator)


async def config_test(lab: PortfolioLab, operator: str) -> Opened:
    now = datetime.now(UTC)
    async with transaction(lab.pool) as connection:
        return await open_config_test(
            connection,
            proposed={"guardrails": {"max_spread_micros": 0}},
            user_id=None,
            from_at=now - timedelta(hours=24),
            until_at=now,
            principal=operator,
        )


async def close(lab: PortfolioLab, user: str | None, token: str, operator: str) -> Opened:
    scope = Scope.EXEC_USER if user else Scope.EXEC_GLOBAL
    async with transaction(lab.pool) as connection:
        return await open_close(
            connection,
            scope=scope,
            user_id=user,
            token_id=token,
            shares=5 * USDC,
            reason="enough",
            principal=operator,
        )


async def _started(world: World, opened: Opened) -> str:
    """The dispatcher starts it soon."""
    query = "SELECT dispatched_at FROM platform.operations WHERE id = %s"
    await world.until(lambda: world.rows(query, opened.operation_id), lambda rows: rows[0]["dispatched_at"] is not None)
    return opened.workflow_id
