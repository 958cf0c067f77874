"""Golden histories of corrections: booked, rejected, expired, refused by the books."""

from __future__ import annotations

from domain.operations.corrections import CorrectionState, CorrectionVerdict
from domain.shared.ledger import PLATFORM_TREASURY, WORLD, Transfer, available, move
from domain.shared.money import USDC as UNIT
from storage.database import transaction
from storage.events import new_id
from storage.intents.corrections import open_correction
from storage.intents.opened import Opened
from tests.world import USDC, World


async def _ask(world: World, by: str, account: str, micros: int, *, days_ago: int = 0) -> Opened:
    lines = ((PLATFORM_TREASURY, UNIT, -micros), (available(account), UNIT, micros))
    async with transaction(world.parts.pool) as connection:
        opened = await open_correction(connection, reason="a mistake of ours", lines=lines, requested_by=by)
        await connection.execute(
            "UPDATE platform.corrections SET created_at = created_at - make_interval(days => %s) WHERE id = %s",
            [days_ago, opened.subject_id],
        )
    await world.parts.processes.start(
        "correction", opened.subject_id, opened.workflow_id, opened.summary, operation_id=opened.operation_id
    )
    return opened


async def _decide(world: World, opened: Opened, by: str, *, approve: bool) -> None:
    verdict = CorrectionVerdict(principal=by, approve=approve)
    await world.parts.processes.update(opened.workflow_id, "decide", verdict, CorrectionState, update_id=f"by:{by}")


async def corrections(world: World) -> dict[str, str]:
    """{"Workflow/path": workflow id}, as record_histories wants it."""
    asker, other, trader = [await world.account(name) for name in ("asker", "other", "trader")]
    async with world.parts.books.begin() as book:
        postings = move(UNIT, 10 * USDC, WORLD, PLATFORM_TREASURY)
        await book.book(Transfer(key=f"test:{new_id()}", kind="test", postings=postings))
    booked = await _ask(world, asker, trader, 4 * USDC)
    await _decide(world, booked, other, approve=True)
    rejected = await _ask(world, asker, trader, 4 * USDC)
    await _decide(world, rejected, other, approve=False)
    refused = await _ask(world, asker, trader, 400 * USDC)
    await _decide(world, refused, other, approve=True)
    expired = await _ask(world, asker, trader, 4 * USDC, days_ago=8)
    return {
        "Correction/booked": booked.workflow_id,
        "Correction/rejected": rejected.workflow_id,
        "Correction/refused_by_the_books": refused.workflow_id,
        "Correction/expired": expired.workflow_id,
    }
