"""Signing for Solana: the only activity of the signer's queue, in the only process that reads the platform's key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from temporalio import activity

from activities.beating import beating
from domain.launchpad.judging import agreed
from domain.launchpad.nonces import address_of
from domain.launchpad.promo_refunds import pays_back
from domain.launchpad.signing import check_programs
from domain.launchpad.transactions import Attempt, Landing, LandKey, Outcome, Plan, Planned, SignedAttempt
from domain.shared.errors import Broken, Unavailable

if TYPE_CHECKING:
    from activities.launchpad.promo_refunds import CameIn
    from gateways.protocols import SolanaReads, SolanaSigner
    from storage.launchpad.transactions import TransactionStore

Explain = Callable[[Any], str]
"""Our code for a transaction's error."""

BEAT_S: Final = 0.3
"""A launch waits for this process: when it dies the next one takes over at once."""

PASSING: Final = frozenset({"BlockhashNotFound", "AccountInUse", "WouldExceedMaxBlockCostLimit", "AccountNotFound"})
"""Errors of a simulation that say more about the node than about the transaction."""


class SolanaSigningActivities:
    """`own`: our programs. `treasury`: who is paid the fee for a creation. `cluster`: what the nodes must belong to.
    `most_lamports`: what one transaction may cost the platform's wallet, whatever its plan says; what is paid back had
    come in (`came_in`) and is no cost."""

    def __init__(
        self,
        reads: SolanaReads,
        store: TransactionStore,
        signer: SolanaSigner,
        explain: Explain,
        *,
        own: frozenset[str],
        treasury: str,
        cluster: str,
        most_lamports: int,
        came_in: CameIn,
    ) -> None:
        self.reads = reads
        self.store = store
        self.signer = signer
        self.explain = explain
        self.own = own
        self.treasury = treasury
        self.cluster = cluster
        self.most_lamports = most_lamports
        self.came_in = came_in

    @activity.defn
    async def sign_solana(self, command: LandKey) -> SignedAttempt:
        """Give the attempt of a plan that is to be sent: the one there is, or a new one on a fresh blockhash.

        Effect: the signed bytes as a row; nothing leaves this process but the row.
        Again:  an attempt that may still land is the answer, whoever asks.
        """
        async with beating(BEAT_S):
            await self.reads.nodes.check_cluster(self.cluster)
            return await self._signed(command)

    async def _signed(self, command: LandKey) -> SignedAttempt:
        planned = await self.store.get(command.key)
        if planned.status == "finalized" or (planned.status == "failed" and not command.again):
            return SignedAttempt(key=command.key, ended=self._known(planned))
        newest = planned.newest
        if newest is not None and newest.live and planned.status != "failed" and newest.signature is not None:
            return SignedAttempt(key=command.key, number=newest.number, signature=newest.signature)
        if planned.status == "abandoned":
            return SignedAttempt(key=command.key, ended=_given_up(planned))
        if newest is not None and newest.live and planned.status != "failed":
            return await self._cosign(planned, newest)
        if planned.plan.signers() != {self.signer.address}:
            return self._outside(planned)
        return await self._sign(planned)

    def _known(self, planned: Planned) -> Landing:
        """What the books say: it is final."""
        failed = planned.status == "failed"
        return Landing(
            key=planned.plan.key,
            outcome=Outcome.FAILED if failed else Outcome.LANDED,
            number=planned.newest.number if planned.newest is not None else 0,
            signature=planned.signature,
            slot=planned.slot,
            finalized=True,
            err=planned.err,
            code=self.explain(planned.err) if failed else None,
        )

    def _outside(self, planned: Planned) -> SignedAttempt:
        """A wallet must sign before anything can be sent."""
        newest, key = planned.newest, planned.plan.key
        if newest is None or newest.status == "issued":
            raise Broken("transaction_not_landing", f"{key} has not been signed by {_wallets(planned, self.signer)}")
        return SignedAttempt(key=key, ended=Landing(key=key, outcome=Outcome.EXPIRED, number=newest.number))

    async def _sign(self, planned: Planned) -> SignedAttempt:
        """A first or a next attempt, priced higher than the one that ran out."""
        plan, newest = planned.plan, planned.newest
        self._check_plan(plan)
        await self.came_in.verify(plan)
        least = newest.compute_price_micro_lamports * 3 // 2 if newest is not None else 0
        draft = await self.reads.draft(plan, price_least=least)
        if draft.simulated_err is not None:
            return self._refused(plan.key, draft.simulated_err)
        self._check_loss(plan.key, draft.lost_lamports - pays_back(plan))
        raw, signature = self.signer.sign(draft.message)
        return await self.store.sign(planned, draft, raw, signature)

    async def _cosign(self, planned: Planned, newest: Attempt) -> SignedAttempt:
        """The wallets have signed: the platform's signature comes last, under what the plan says and nothing else."""
        plan = planned.plan
        if plan.signers() <= {self.signer.address}:
            raise Broken("transaction_not_landing", f"no wallet but the platform's signs {plan.key}: not to be signed")
        self._check_plan(plan)
        limit, price = newest.compute_limit, newest.compute_price_micro_lamports
        nonce_id = newest.nonce_id
        if self.reads.message(plan, newest.blockhash, limit=limit, price=price, nonce_id=nonce_id) != newest.message:
            raise Broken("internal_error", f"the message of {plan.key} is not what was planned")
        tried = await self.reads.try_out(newest.message)
        if tried.err == "BlockhashNotFound":
            return await self._expired(planned, newest)
        if tried.err is not None:
            return await self._drop(planned, newest, self._refused(plan.key, tried.err))
        self._check_loss(plan.key, tried.lost_lamports)
        raw, signature = self.signer.sign(newest.message, newest.raw)
        return await self.store.cosign(planned, tried.lost_lamports, raw, signature)

    def _check_plan(self, plan: Plan) -> None:
        check_programs(plan, self.own, wallet=self.signer.address, treasury=self.treasury)

    def _check_loss(self, key: str, lamports: int) -> None:
        if lamports > self.most_lamports:
            detail = f"{key} would cost {lamports} lamports, the signer allows {self.most_lamports}"
            raise Broken("transaction_not_landing", detail)

    async def _expired(self, planned: Planned, newest: Attempt) -> SignedAttempt:
        """While it is not complete it can never have landed: its blockhash has only to be too old, not proven so. When
        somebody has completed it meanwhile, the chain is to decide."""
        if newest.nonce_id is not None:
            nodes = self.reads.nodes
            now = agreed(await nodes.nonces(address_of(self.signer.address, newest.nonce_id)), configured=nodes.size)
            over = now is not None and now.value != newest.blockhash and now.slot >= (newest.nonce_slot or 0)
        else:
            over = await self.reads.nodes.height(commitment="confirmed") > newest.last_valid_height
        if not over:
            raise Unavailable("solana_unavailable", "the node does not know a blockhash that is still good")
        return await self.store.expire_unsigned(planned)

    async def _drop(self, planned: Planned, newest: Attempt, refused: SignedAttempt) -> SignedAttempt:
        """What would fail on a durable nonce does not run out: the wallet is to sign another message."""
        if newest.nonce_id is None:
            return refused
        dropped = await self.store.expire_unsigned(planned)
        return refused if dropped.ended is not None else dropped

    def _refused(self, key: str, err: Any) -> SignedAttempt:
        """It would fail if it were sent now, so it is not."""
        if isinstance(err, str) and err in PASSING:
            raise Unavailable("solana_unavailable", f"{key} cannot be tried out: {err}")
        landing = Landing(key=key, outcome=Outcome.FAILED, err=err, code=self.explain(err))
        return SignedAttempt(key=key, ended=landing)


def _given_up(planned: Planned) -> Landing:
    """Whoever wanted it does not any more, and nothing of it is on its way."""
    number = planned.newest.number if planned.newest is not None else 0
    return Landing(key=planned.plan.key, outcome=Outcome.EXPIRED, number=number, code="abandoned")


def _wallets(planned: Planned, signer: SolanaSigner) -> str:
    return ", ".join(sorted(planned.plan.signers() - {signer.address}))
