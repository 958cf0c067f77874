"""`holdfast withdrawals`: end one whose money's way is not certain, on the chain's evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cli import context
from cli.context import DataDir
from cli.failures import Usage, principal
from cli.output import Json, Yes, agreed, out, print_json, table
from domain.shared.errors import Rejected

if TYPE_CHECKING:
    from composition.parts import Parts
    from domain.exchange.signing import SentTransaction
    from gateways.evm.protocols import Receipt
    from settings import WorkerSettings
    from storage.exchange.withdrawals import WithdrawalFacts

app = typer.Typer(help="Withdrawals that only an operator can end.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Withdrawals that only an operator can end."""


class Attempt(NamedTuple):
    """One signed hash and what the chain says of it."""

    tx_hash: str
    verdict: str
    receipt: Receipt | None
    paid: bool


class Evidence(NamedTuple):
    """Every signed hash, and the wallet's nonces. `closed`: our nonce is used at a finalized block."""

    attempts: list[Attempt]
    nonce: int | None
    used_latest: int
    used_final: int
    finalized: int

    @property
    def closed(self) -> bool:
        return self.nonce is None or self.used_final > self.nonce


@app.command()
def resolve(
    withdrawal: Annotated[str, typer.Argument(metavar="ID", help="The withdrawal's id.")],
    note: Annotated[str, typer.Option(help="What was found out; goes into the audit log.")],
    paid: Annotated[
        str | None, typer.Option(metavar="TX_HASH", help="This transaction paid it: spend the hold.")
    ] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Nothing was paid and nothing can be: free the hold.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """End an uncertain withdrawal. Shows the chain's evidence first, and refuses what contradicts it."""
    if (paid is None) != release:
        raise Usage("give either --paid TX_HASH or --release")
    if not note.strip():
        raise Usage("--note must say what was found out")

    async def act() -> None:
        found = context.settings(data_dir)
        async with context.opened(found) as parts:
            await _resolve(parts, found, withdrawal, paid, note, yes=yes, as_json=as_json)

    context.run(act)


async def _resolve(
    parts: Parts, found: WorkerSettings, name: str, paid: str | None, note: str, *, yes: bool, as_json: bool
) -> None:
    from storage.exchange.withdrawals import WithdrawalStore

    store = WithdrawalStore(parts.books, found.withdrawal_policy())
    facts = await store.facts(name)
    if facts.status != "failed":
        raise Rejected("conflict", f"it is {facts.status}: only a failed, uncertain withdrawal is ended by hand")
    evidence = await gather(parts, found, facts)
    if not as_json:
        show(facts, evidence)
    if paid is None:
        check_release(evidence)
        plan = f"give the hold back: {facts.sentence}"
    else:
        paid = paid.strip().lower()
        proof = await check_paid(parts, found, facts, paid, evidence)
        plan = f"spend the hold as paid by {paid} ({proof}): {facts.sentence}"
    if not agreed(yes, [plan], as_json=as_json):
        return
    await store.resolve_uncertain(facts.id, principal(), paid=paid is not None, tx_hash=paid or "", note=note)
    if as_json:
        print_json({"id": facts.id, "paid": paid is not None, "tx_hash": paid})


async def gather(parts: Parts, found: WorkerSettings, facts: WithdrawalFacts) -> Evidence:
    """Ask the chain about every hash we signed for it and about the wallet's nonces."""
    from domain.exchange.messages import Purpose
    from storage.exchange.transactions import TransactionStore

    token = found.usdc_contract_address.lower()
    sent = await TransactionStore(parts.books, found.fee_policy()).find(Purpose.WITHDRAWAL, facts.id)
    head = await parts.chain.head()
    if sent is None:
        return Evidence([], None, 0, 0, head.finalized)
    attempts = []
    for one in sent.attempts:
        receipt = await parts.chain.receipt(one.tx_hash, token)
        known = receipt is not None or await parts.chain.knows(one.tx_hash)
        attempts.append(_judged(one.tx_hash, receipt, token, sent, known=known))
    latest = await parts.chain.transaction_count(sent.wallet)
    final = await parts.chain.transaction_count(sent.wallet, block_number=head.finalized)
    return Evidence(attempts, sent.nonce, latest, final, head.finalized)


def _judged(tx_hash: str, receipt: Receipt | None, token: str, sent: SentTransaction, *, known: bool) -> Attempt:
    from domain.exchange.tokens import proves_transfer

    if receipt is None:
        return Attempt(tx_hash, "waits in the node's pool" if known else "unknown to the node", None, paid=False)
    proved = receipt.status == 1 and proves_transfer(receipt.transfers, token, sent.wallet, sent.data)
    if receipt.status == 0:
        words = "reverted"
    else:
        words = (
            "paid exactly this" if proved else f"succeeded with {len(receipt.transfers)} transfers, not exactly this"
        )
    return Attempt(tx_hash, f"mined in block {receipt.block_number}: {words}", receipt, paid=proved)


def show(facts: WithdrawalFacts, evidence: Evidence) -> None:
    """The evidence for people."""
    out.print(f"{facts.sentence}: {facts.status} ({facts.failure_code})", markup=False, soft_wrap=True)
    out.print(table(("signed hash", "the chain says"), [(a.tx_hash, a.verdict) for a in evidence.attempts]))
    if evidence.nonce is not None:
        out.print(
            f"nonce {evidence.nonce}: the wallet has used {evidence.used_latest} (latest), {evidence.used_final} "
            f"(finalized, block {evidence.finalized})",
            soft_wrap=True,
        )


def check_release(evidence: Evidence) -> None:
    """The hold may go back only when nothing was paid and nothing we signed can land any more."""
    for attempt in evidence.attempts:
        if attempt.receipt is not None and attempt.receipt.status == 1 and attempt.receipt.transfers:
            raise Rejected("conflict", f"{attempt.tx_hash} moved tokens: {attempt.verdict}")
    if not evidence.closed:
        raise Rejected("conflict", "a transaction we signed can still land: its nonce is not used at a finalized block")


async def check_paid(
    parts: Parts, found: WorkerSettings, facts: WithdrawalFacts, tx_hash: str, evidence: Evidence
) -> str:
    """The named transaction must be mined and finalized; a stranger's must show this very transfer.

    One of ours may show none: then its token does not say what it did, and the operator vouches for what the balances
    say (that is why it is uncertain).
    """
    token = found.usdc_contract_address.lower()
    own = next((a.receipt for a in evidence.attempts if a.tx_hash == tx_hash), None)
    receipt = own or await parts.chain.receipt(tx_hash, token)
    if receipt is None or receipt.status != 1:
        raise Rejected("conflict", f"{tx_hash} is not mined, or failed: it paid nothing")
    if receipt.block_number > evidence.finalized:
        raise Rejected("conflict", f"block {receipt.block_number} is not finalized yet: wait, then ask again")
    fits = [t for t in receipt.transfers if t.to_address == facts.to_address and t.amount == facts.amount_micros]
    if not fits and own is not None:
        return "its logs do NOT prove it: you vouch for it"
    if not fits:
        raise Rejected("conflict", f"{tx_hash} shows no transfer of exactly this amount to {facts.to_address}")
    return f"from {fits[0].from_address} in block {receipt.block_number}"
