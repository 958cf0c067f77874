"""Golden histories of copying: an attempt that decides, one that waits for another, one due much later, the engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain.shared import ids
from tests.copying_lab import copying_lab, soon
from tests.world import World
from tests.world.groups import USDC


async def copying(world: World) -> dict[str, str]:
    async with copying_lab(world.dsn, world.temporal.address) as lab:
        user, market = await lab.leader(), await lab.market("rain-in-paris")
        executed = await lab.group(user, market)
        await lab.copy(executed)
        await lab.decided(executed)
        later = await lab.group(user, market, due_at=soon(6_000), detect_time=datetime.now(UTC), number=1)
        waits = await lab.group(
            user, market, "SELL", shares=USDC, due_at=soon(100), detect_time=soon(0) + timedelta(milliseconds=1)
        )
        await lab.copy(later, waits)
        await lab.decided(waits, "EXEC_GLOBAL")
        for key in (executed, waits, later):
            await lab.client.get_workflow_handle(ids.copy_attempt(key)).result()
    return {
        "CopyAttempt/executed": ids.copy_attempt(executed),
        "CopyAttempt/waits_for_an_earlier_group": ids.copy_attempt(waits),
        "CopyAttempt/due_later": ids.copy_attempt(later),
        "GlobalPortfolio/running": ids.GLOBAL_PORTFOLIO,
    }
