"""Test config: the stored decisions of a time, made again under proposed rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating
from domain.copytrade.portfolio_messages import ConfigTested, ConfigTestRef

if TYPE_CHECKING:
    from storage.copytrade.config_tests import ConfigTestStore


class ConfigTestActivities:
    def __init__(self, store: ConfigTestStore) -> None:
        self.store = store

    @activity.defn
    async def test_config(self, command: ConfigTestRef) -> ConfigTested:
        """Make the decisions again and keep what came out.

        Effect: reads; then the result and the operation's end in one transaction.
        Again:  the same rows give the same result; one that is kept stays.
        """
        async with beating():
            result = await self.store.evaluate(command.test_id)
            return await self.store.finish(command.test_id, result)
