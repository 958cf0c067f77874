"""What the platform's Solana wallet may lose in 24 hours: what left it, and what is signed and still may.

What costs no more than the network's fee is never held, so that refunds of sales and of promotions are paid whatever
else was spent; it is counted all the same. Launches stop at four fifths: the last fifth is for what exists already,
the pool of a sale and the payments of its tax.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.launchpad.promo_refunds import pays_back, told
from domain.launchpad.signing import LAUNCH
from domain.launchpad.transactions import Plan
from domain.shared.errors import Unavailable
from storage.books import Books
from storage.database import Connection

CODE: Final = "solana_day_limit"
RETRY_S: Final = 10
_LOCK: Final = 7_200_052
_SPENT: Final = """
SELECT coalesce(sum(lost_lamports), 0)::bigint AS lamports FROM launchpad.transaction_attempts
WHERE (status = 'signed' AND signature IS NOT NULL)
   OR (status IN ('landed', 'failed') AND ended_at > clock_timestamp() - interval '24 hours')
"""


class Cost(NamedTuple):
    """Of one transaction to the wallet, as it was tried out; `fee` is the network's."""

    lost: int
    fee: int


def counted(plan: Plan, lost_lamports: int) -> int:
    """What of a loss counts: not what had come in for it and is paid back, and no gain."""
    return max(lost_lamports - pays_back(plan), 0)


def for_launches(most: int) -> int:
    """What of the limit launches may use."""
    return most * 4 // 5


async def check_day(connection: Connection, plan: Plan, cost: Cost, most: int) -> None:
    """May this be signed now? Whoever is let through is counted by the next one: signers come one after the other.

    Raises: Unavailable solana_day_limit.
    """
    lamports = counted(plan, cost.lost)
    if lamports <= cost.fee:
        return
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    spent, allowed = await spent_today(connection), for_launches(most) if plan.subject_kind == LAUNCH else most
    if spent + lamports > allowed:
        detail = f"{plan.key} takes {told(lamports)}; {told(spent)} of {told(allowed)} are spent in 24 hours"
        raise Unavailable(CODE, detail, retry_after_s=RETRY_S)


async def spent_today(connection: Connection) -> int:
    row = await (await connection.execute(_SPENT)).fetchone()
    assert row is not None
    return int(row["lamports"])


class DayLimit:
    """For those who look: how much of `most` is used."""

    def __init__(self, books: Books, most: int) -> None:
        self.books = books
        self.most = most

    async def spent(self) -> int:
        async with self.books.begin() as book:
            return await spent_today(book.connection)

    def used_up(self, spent: int) -> bool:
        """Launches wait, or soon will."""
        return spent >= for_launches(self.most)
