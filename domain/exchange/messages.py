"""What workflows and activities say to each other about custody: commands (imperative) and facts (past tense).

Frozen models; fields are only ever added, with defaults. Amounts are integers in minor units; addresses and hashes are
lower-case 0x strings; `chain_id` is the EIP-155 number.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)


# --- the chain as a gateway tells it ---------------------------------------------------------------------------------


class BlockRef(Message):
    number: int
    hash: str
    parent_hash: str


class Head(Message):
    """Where the chain stands: newest block, and the numbers behind the `safe` and `finalized` tags."""

    latest: BlockRef
    safe: int
    finalized: int


class TransferLog(Message):
    """One ERC-20 Transfer as a receipt shows it. `log_ordinal` = log_index − first log_index of the receipt."""

    chain_id: int
    tx_hash: str
    log_index: int
    log_ordinal: int
    block_number: int
    block_hash: str
    token: str
    from_address: str
    to_address: str
    amount: int


# --- deposits --------------------------------------------------------------------------------------------------------


class WatchChain(Message):
    chain_id: int


class ChainWatched(Message):
    """The activity handed over its turn (continue-as-new); `blocks` were read in it."""

    blocks: int = 0


class DepositRef(Message):
    deposit_id: str


class DepositNews(Message):
    """Signal: something about this deposit changed or became due; the row says what. `cause` is for people."""

    cause: str


class DepositVerdict(StrEnum):
    WAITING = "waiting"
    """not due yet, or below the minimum: wait for the next signal"""
    CONFIRMED = "confirmed"
    CREDITED = "credited"
    ORPHANED = "orphaned"
    FINAL_ORPHAN = "final_orphan"
    """orphaned and the chain has finalized past its block: this life of the deposit ends"""
    IGNORED = "ignored"


class VerifiedDeposit(Message):
    """The log was just read from this block, and the block is canonical."""

    deposit_id: str
    block_hash: str


class DepositChecked(Message):
    """What the chain and the row say now. `verified`: this deposit and dust at its address, still there."""

    verdict: DepositVerdict
    verified: tuple[VerifiedDeposit, ...] = ()
    finalized: int = 0
    summary: str = ""


class CreditDeposit(Message):
    """Credit what was verified; or, with `final_orphan`, end this life of the deposit."""

    deposit_id: str
    verified: tuple[VerifiedDeposit, ...] = ()
    final_orphan: bool = False
    finalized: int = 0


class DepositCredited(Message):
    """`credited` holds every deposit id credited in this transaction (dust at the same address comes along)."""

    verdict: DepositVerdict
    credited: tuple[str, ...] = ()
    workflow_ids: tuple[str, ...] = ()
    summary: str = ""


# --- withdrawals -----------------------------------------------------------------------------------------------------


class WithdrawalRef(Message):
    withdrawal_id: str


class HoldPlaced(Message):
    """Where it stands after the checks under lock. `usable_in_s` > 0: the address is cooling down."""

    status: str
    code: str | None = None
    usable_in_s: int = 0
    summary: str = ""


class Decision(Message):
    """Update: an operator's verdict, or the owner's cancellation. `principal` is who decides."""

    principal: str
    approve: bool = False
    note: str = ""


class WithdrawalState(Message):
    """Where the withdrawal stands after an update."""

    status: str
    failure_code: str | None = None


class DecideWithdrawal(Message):
    withdrawal_id: str
    decision: Decision


class Cancellation(Message):
    withdrawal_id: str
    principal: str


class RefuseWithdrawal(Message):
    withdrawal_id: str
    code: str
    detail: str = ""


class WaitReason(Message):
    """Why a withdrawal waits; an empty reason clears it."""

    withdrawal_id: str
    reason: str = ""
    detail: str = ""


class FundsChecked(Message):
    """May it be signed now? `reason`: gas_wallet_low, hot_wallet_low, withdrawals_disabled or empty."""

    ready: bool
    reason: str = ""
    detail: str = ""
    refused_code: str | None = None
    """the token itself refuses this transfer in simulation; nothing was signed"""
    sweeps: tuple[str, ...] = ()
    """sweeps opened to refill the hot wallet"""
    look_again_s: int = 5
    """how long to wait before asking again (setting FUNDS_RETRY_S)"""


class Purpose(StrEnum):
    WITHDRAWAL = "withdrawal"
    SWEEP = "sweep"
    GAS_TOP_UP = "gas_top_up"
    NO_OP = "no_op"


class SignTransaction(Message):
    """Sign what the books say for (purpose, ref_id); the signer reads it. `replace`: same nonce, higher fee."""

    purpose: Purpose
    ref_id: str
    replace: bool = False
    after_attempt: int = 0


class TransactionSigned(Message):
    """`transaction_id` names the nonce, `tx_hash` the newest bytes. Empty id: it may not be signed (`refused`)."""

    transaction_id: str = ""
    tx_hash: str = ""
    attempt: int = 0
    refused: str | None = None


class TransactionRef(Message):
    transaction_id: str


class Mined(StrEnum):
    SUCCESS = "success"
    """mined, deep enough, and the token says exactly this transfer happened"""
    REVERTED = "reverted"
    """mined, finalized, status 0: nothing moved and nothing can move any more"""
    NO_EFFECT = "no_effect"
    """mined, finalized, status 1, no Transfer log, and balances prove that nothing moved"""
    UNCERTAIN = "uncertain"
    """mined, but what moved cannot be proved: an operator decides"""
    STUCK = "stuck"
    """not mined in time: replace with higher fees"""
    LOST = "lost"
    """the node does not know it (any more): send the same bytes again"""
    FOREIGN = "foreign"
    """the nonce was used by a transaction we did not sign"""


class TransactionWatched(Message):
    outcome: Mined
    tx_hash: str = ""
    block_number: int = 0
    gas_cost_wei: str = "0"
    detail: str = ""


class SettleWithdrawal(Message):
    withdrawal_id: str
    outcome: Mined
    tx_hash: str = ""
    block_number: int = 0
    detail: str = ""


# --- custody upkeep --------------------------------------------------------------------------------------------------


class SweepRef(Message):
    sweep_id: str


class SweepPlanned(Message):
    """`top_up`: the address needs gas first. `skip`: nothing worth moving any more."""

    top_up: bool = False
    skip: bool = False
    summary: str = ""


class FinishSweep(Message):
    sweep_id: str
    outcome: Mined
    tx_hash: str = ""
    block_number: int = 0


class UpkeepDone(Message):
    """Sweeps to start, and the sentence for the UI."""

    sweeps: tuple[str, ...] = ()
    summary: str = ""


class CheckResult(Message):
    ok: bool
    summary: str = ""
