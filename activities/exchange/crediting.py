"""Many deposits at once: read again together, credited in one transaction; one bad one harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from temporalio import activity

from domain.exchange.messages import VerifiedDeposit
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from gateways.evm.protocols import EvmChain
    from storage.exchange.crediting import DepositFacts
    from storage.exchange.deposits import DepositStore, DueDeposit

AT_ONCE = 200
"""Deposits in one transaction."""


async def still_there(chain: EvmChain, deposit: DepositFacts) -> VerifiedDeposit | None:
    """Read the log again by the hash of its block: is it there, canonical, and what the row says?"""
    log = await chain.transfer_in_block(deposit.block_hash, deposit.tx_hash, deposit.log_ordinal)
    seen = (deposit.token, deposit.to_address, deposit.amount)
    if log is None or (log.token, log.to_address, log.amount) != seen:
        return None
    return VerifiedDeposit(deposit_id=deposit.id, block_hash=deposit.block_hash)


async def credit_plain(chain: EvmChain, store: DepositStore, due: Sequence[DueDeposit]) -> set[str]:
    """Credit up to AT_ONCE deposits that need no decision. Returns the ids credited now.

    What the chain does not confirm, or what cannot be booked, is left to its process: nothing is raised for it.
    """
    found = await asyncio.gather(*(still_there(chain, deposit) for deposit in due), return_exceptions=True)
    for deposit, answer in zip(due, found, strict=True):
        if isinstance(answer, BaseException):
            activity.logger.warning("%s: left to its process: %r", deposit.workflow_id, answer)
    return await _book(store, [v for v in found if isinstance(v, VerifiedDeposit)])


async def _book(store: DepositStore, verified: Sequence[VerifiedDeposit]) -> set[str]:
    """All of them in one transaction; when that fails, its halves, down to the one that cannot be booked."""
    if not verified:
        return set()
    try:
        return set(await store.credit_plain(verified))
    except Unavailable as failure:  # the database is away or busy: halves would fare no better
        activity.logger.warning("%s deposits left to their processes: %r", len(verified), failure)
        return set()
    except Exception as failure:  # noqa: BLE001 - whatever is wrong with one deposit, its process meets it and parks
        if len(verified) == 1:
            activity.logger.warning("deposit %s left to its process: %r", verified[0].deposit_id, failure)
            return set()
        middle = len(verified) // 2
        return await _book(store, verified[:middle]) | await _book(store, verified[middle:])
