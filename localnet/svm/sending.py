"""Methods that send or try out transactions, and what becomes of a transaction that is told to fare ill."""

from __future__ import annotations

from typing import Any

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction

from localnet.evm_faults import Fault, Swallow
from localnet.svm import accounts, asked, meta
from localnet.svm.asked import Params
from localnet.svm.bank import Outcome
from localnet.svm.chain import health
from localnet.svm.errors import bad_signature, invalid, preflight_failure
from localnet.svm.faults import Expire, Fails, Late, Twice, Unconfirm
from localnet.svm.hashes import WINDOW
from localnet.svm.port import Port, commitment
from localnet.svm.reading import answered

Json = dict[str, Any]
AIRDROP_UNITS = 10_000


class Sending:
    """Preflight reads the newest state, whatever the commitment; which blockhashes it knows depends on it."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self._airdrops = 0

    def table(self) -> dict[str, Any]:
        return {"simulateTransaction": self.simulate, "requestAirdrop": self.airdrop}

    # Trying out.

    def simulate(self, params: Params) -> Json:
        config = asked.config(params, 1)
        transaction = asked.transaction(asked.at(params, 0), config.get("encoding") or "base58")
        slot = self.port.context(commitment(config), config)
        verify, replace = bool(config.get("sigVerify")), bool(config.get("replaceRecentBlockhash"))
        if verify and replace:
            raise invalid("sigVerify may not be used with replaceRecentBlockhash")
        replaced = None
        if replace:
            hashes = self.port.ledger.hashes.of(slot)
            transaction = _with_hash(transaction, hashes)
            replaced = {"blockhash": hashes, "lastValidBlockHeight": self.port.ledger.last_valid_height(slot)}
        elif verify and not all(transaction.verify_with_results()):
            raise bad_signature()
        value = self._tried(transaction, slot, config, new=replace)
        return answered(slot, {**value, "replacementBlockhash": replaced})

    def _tried(self, transaction: VersionedTransaction, slot: int, config: Json, *, new: bool = False) -> Json:
        refusal = None if new else self.port.ledger.refusal(transaction, slot)
        if refusal is not None:
            return _value(refusal)
        outcome, posts = self.port.ledger.simulate(transaction)
        wanted = config.get("accounts")
        shown = None
        if wanted is not None and outcome.err is None:
            shown = [self._post(asked.key(one), posts, wanted) for one in wanted["addresses"]]
        inner = meta.inner(outcome) if config.get("innerInstructions") else None
        return _value(outcome.err, outcome, shown, inner)

    def _post(self, key: Pubkey, posts: dict[Pubkey, Any], wanted: Json) -> Json | None:
        account = posts.get(key) or self.port.ledger.bank.get(key)
        if account is None or account.lamports == 0:
            return None
        config = {"encoding": wanted.get("encoding") or "base64"}
        return accounts.shown(account, config, self.port.ledger.bank.get)

    # Sending.

    def send(self, params: Params, fate: Fault | None) -> str:
        """sendTransaction. Without preflight what cannot land is dropped in silence, as a cluster does."""
        config = asked.config(params, 1)
        transaction = asked.transaction(asked.at(params, 0), config.get("encoding") or "base58")
        if not config.get("skipPreflight"):
            self._preflight(transaction, config)
        self._meet(transaction, fate)
        return str(transaction.signatures[0])

    def _preflight(self, transaction: VersionedTransaction, config: Json) -> None:
        name = commitment({"commitment": config.get("preflightCommitment")})
        slot = self.port.context(name, config)
        if not all(transaction.verify_with_results()):
            raise bad_signature()
        health(self.port)
        value = self._tried(transaction, slot, {})
        if value["err"] is not None:
            raise preflight_failure({**value, "replacementBlockhash": None})

    def _meet(self, transaction: VersionedTransaction, fate: Fault | None) -> None:
        ledger = self.port.ledger
        if isinstance(fate, Swallow):
            return
        if isinstance(fate, Expire):
            ledger.move(WINDOW + 1)
        elif isinstance(fate, Late):
            ledger.plan(fate.slots, lambda: ledger.submit(transaction))
        elif isinstance(fate, Fails):
            ledger.submit(transaction, fate.err)
        elif isinstance(fate, Unconfirm):
            self._land_and_lose(transaction, fate)
        else:
            ledger.submit(transaction)
            if isinstance(fate, Twice):
                ledger.submit(transaction)

    def _land_and_lose(self, transaction: VersionedTransaction, fate: Unconfirm) -> None:
        ledger = self.port.ledger
        if ledger.submit(transaction) is None:
            return
        landed = ledger.now().slot
        ledger.plan(fate.after, lambda: ledger.roll_back(ledger.now().slot - landed + 1, fate.again))

    def airdrop(self, params: Params) -> str:
        """A transfer of the faucet; its compute limit is another each time, so that no two are the same."""
        to, lamports = asked.key(asked.at(params, 0)), asked.number(asked.at(params, 1))
        ledger, faucet = self.port.ledger, self.port.ledger.faucet
        self._airdrops += 1
        steps = [
            set_compute_unit_limit(AIRDROP_UNITS + self._airdrops % 10**6),
            transfer(TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=to, lamports=lamports)),
        ]
        recent = Hash.from_string(ledger.hashes.of(ledger.now().slot))
        message = Message.new_with_blockhash(steps, faucet.pubkey(), recent)
        signed = VersionedTransaction.from_legacy(Transaction([faucet], message, recent))
        outcome = ledger.submit(signed)
        if outcome is None or outcome.err is not None:
            raise invalid("Invalid request: the faucet cannot pay that, or it is below the rent minimum")
        return str(signed.signatures[0])


def _value(
    err: Any, outcome: Outcome | None = None, shown: list[Json | None] | None = None, inner: list[Json] | None = None
) -> Json:
    return {
        "err": err,
        "logs": [] if outcome is None else outcome.logs,
        "accounts": shown,
        "unitsConsumed": 0 if outcome is None else outcome.units,
        "returnData": None if outcome is None else meta.returned(outcome),
        "innerInstructions": inner,
    }


def _with_hash(transaction: VersionedTransaction, blockhash: str) -> VersionedTransaction:
    message, recent = transaction.message, Hash.from_string(blockhash)
    if isinstance(message, MessageV0):
        fresh: Message | MessageV0 = MessageV0(
            message.header, message.account_keys, recent, message.instructions, message.address_table_lookups
        )
    else:
        header = message.header
        fresh = Message.new_with_compiled_instructions(
            header.num_required_signatures, header.num_readonly_signed_accounts, header.num_readonly_unsigned_accounts,
            message.account_keys, recent, message.instructions,
        )  # fmt: skip
    return VersionedTransaction.populate(fresh, list(transaction.signatures))
