"""What workflows and activities say to each other about liquidity: commands (imperative) and facts (past tense).

Frozen models; fields are only ever added, with defaults. `at`: business time as the workflow sees it; an activity
decides by it or by its own clock, whichever is later.
"""

from __future__ import annotations

from datetime import datetime

from domain.exchange.messages import Message

# --- funding rounds --------------------------------------------------------------------------------------------------


class Contribute(Message):
    """Update: decide this requested contribution. Its id is the update's id."""

    contribution_id: str


class ContributionState(Message):
    contribution_id: str
    status: str
    code: str | None = None


class AdmitContributions(Message):
    """Decide what was requested, oldest first; `wanted` must be among the answers unless `more`."""

    asset_id: str
    at: datetime
    wanted: str | None = None


class RoundState(Message):
    """Where the round stands: `funding`, `active` (its end) or `cancelled`. `more`: requests are left undecided."""

    status: str
    deadline: datetime
    summary: str = ""
    decided: tuple[ContributionState, ...] = ()
    more: bool = False


class EndRound(Message):
    """Cancel the round: its deadline has passed, or `principal` (an operator) wants it."""

    asset_id: str
    at: datetime
    principal: str | None = None
    note: str = ""


class RefundBatch(Message):
    """Refund the next accepted contributions after `after`."""

    asset_id: str
    after: str | None = None


class BatchRefunded(Message):
    """`last`: after which the next batch begins; None: this was the last one."""

    last: str | None
    summary: str = ""


class FinishRound(Message):
    asset_id: str


class RequestsPushed(Message):
    """Forgotten requests: handed to their rounds (rounds, not requests), and refused because they come too late."""

    pushed: int = 0
    refused: int = 0


# --- withdrawals of principal, fee claims ----------------------------------------------------------------------------


class LpWithdrawalRef(Message):
    withdrawal_id: str
    at: datetime


class CancelLpWithdrawal(Message):
    withdrawal_id: str
    principal: str


class LpNews(Message):
    """Signal: the queue moved; the row says how. `cause` is for people."""

    cause: str


class LpWithdrawalState(Message):
    """`look_at`: when to look again, if it is queued. `wake`: processes of others that are concerned."""

    status: str
    code: str | None = None
    summary: str = ""
    look_at: datetime | None = None
    wake: tuple[str, ...] = ()


class LpWithdrawalEnded(Message):
    status: str
    code: str | None = None


class FeeClaimRef(Message):
    claim_id: str


class FeeClaimState(Message):
    status: str
    code: str | None = None
    summary: str = ""
