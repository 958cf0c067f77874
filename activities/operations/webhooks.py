"""Webhooks: events become deliveries, deliveries become signed requests, each at least once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from activities.operations.dispatch import Listen
from domain.operations.messages import DeliveryRef, DeliveryTried, HandedOut, RecordAttempt
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from gateways.webhooks import WebhookSender
    from storage.webhooks import WaitingDelivery, WebhookStore

TURN_S = 300
AT_ONCE = 20

StartDelivery = Callable[["WaitingDelivery"], Awaitable[None]]
"""Starts `WebhookDelivery` under ids.webhook_delivery(delivery_id); starting it twice changes nothing."""


class WebhookActivities:
    def __init__(self, store: WebhookStore, sender: WebhookSender, start: StartDelivery, listen: Listen) -> None:
        self.store = store
        self.sender = sender
        self.start = start
        self.listen = listen

    @activity.defn
    async def fan_out(self) -> HandedOut:
        """Follow the outbox for one turn: create deliveries and start their workflows.

        Effect: delivery rows with the webhooks' positions, in one transaction; workflows; `dispatched_at` on rows.
        Again:  one delivery per webhook and event; starting a running or ended process changes nothing.
        """
        until = time.monotonic() + TURN_S
        started = 0
        async with beating(), self.listen("outbox", 1.0) as wake_ups:
            async for _ in wake_ups:
                leave_if_stopping()
                started += await self.hand_out()
                if time.monotonic() > until:
                    break
        return HandedOut(deliveries=started)

    async def hand_out(self) -> int:
        """Everything that can be told now."""
        started, more = 0, True
        while more:
            more = await self.store.fan_out() > 0
            started += await self._start_waiting()
        return started

    async def _start_waiting(self) -> int:
        started = 0
        while waiting := await self.store.waiting():
            gate = asyncio.Semaphore(AT_ONCE)

            async def one(delivery: WaitingDelivery, gate: asyncio.Semaphore = gate) -> None:
                async with gate:
                    await self.start(delivery)

            await asyncio.gather(*(one(delivery) for delivery in waiting))
            await self.store.mark_started([delivery.delivery_id for delivery in waiting])
            started += len(waiting)
        return started

    @activity.defn
    async def deliver(self, command: DeliveryRef) -> DeliveryTried:
        """One signed POST. A receiver that fails is an answer, not an error: the workflow decides when to try again.

        Effect: one HTTP request, with the same id and body every time.
        Again:  the receiver sees the same `webhook-id` and can tell.
        """
        message = await self.store.message(command.delivery_id)
        if isinstance(message, str):
            return DeliveryTried(gone=True, detail=message)
        try:
            status = await self.sender.send(
                url=message.url, message_id=message.message_id, body=message.body, secrets=[message.secret]
            )
        except Unavailable as failure:
            if failure.code != "webhook_failing":
                raise
            return DeliveryTried(detail=failure.detail, retry_after_s=failure.retry_after_s)
        return DeliveryTried(delivered=True, detail=f"HTTP {status}")

    @activity.defn
    async def record_attempt(self, command: RecordAttempt) -> None:
        """Keep how it went.

        Effect: the delivery's row and, at an end, the webhook's alert: one transaction.
        Again:  sets the same values; a delivery that has ended keeps its end.
        """
        await self.store.record(command)
