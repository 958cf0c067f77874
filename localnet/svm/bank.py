"""LiteSVM as a bank: runs a transaction, takes its fees as the cluster does, and says what changed.

Added to LiteSVM 0.26: the priority fee, the rent minimum of plain wallets, accounts that are gone without lamports, and
durable nonces that advance when the transaction fails. Age and signatures of a transaction are the ledger's affair
(``ledger.py``).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from solders.account import Account
from solders.litesvm import FeatureSet, LiteSVM
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from localnet.svm import wire
from localnet.svm.clock import SLOTS_PER_EPOCH, Moment
from localnet.svm.store import Change
from localnet.svm.wire import Loaded

NO_DEPLOYS_BY_LOADER_V3 = Pubkey.from_string("EmhbpdVtZ2hWRGFWBDjn2i3SJD8Z36z4mpMcZJEnebnP")
"""The one feature that is off: with it the upgradeable loader takes no new program."""
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
UPGRADEABLE = "BPFLoaderUpgradeab1e11111111111111111111111"
PROGRAM_BYTES = 36


@dataclass(frozen=True)
class Outcome:
    """`err` as JSON, None for success. What did not land changed nothing and cost nothing."""

    err: Any
    landed: bool
    fee: int
    units: int
    logs: list[str]
    inner: list[dict[str, Any]]
    returned: dict[str, Any] | None
    changes: list[Change]
    keys: Loaded


def features() -> FeatureSet:
    everything = FeatureSet.all_enabled()
    active, inactive = everything.active, everything.inactive
    active.pop(NO_DEPLOYS_BY_LOADER_V3, None)
    inactive.add(NO_DEPLOYS_BY_LOADER_V3)
    return FeatureSet(active, inactive)


class Bank:
    """`accounts`: what there is beside the programs LiteSVM brings."""

    def __init__(self, accounts: Iterable[tuple[Pubkey, Account]], turns: int, moment: Moment) -> None:
        used = features()
        self.svm = LiteSVM().with_builtins(used).with_precompiles(used).with_spl_programs()
        self.svm.with_sigverify(False)
        self.svm.with_blockhash_check(False)
        self.svm.with_transaction_history(0)
        for _ in range(turns):
            self.svm.expire_blockhash()
        self.set_time(moment)
        later = []
        for key, account in accounts:  # a program is compiled when it is set, from data that must be there by then
            if account.executable:
                later.append((key, account))
            else:
                self.svm.set_account(key, account)
        for key, account in later:
            self.svm.set_account(key, account)
        self.rent_minimum = self.svm.minimum_balance_for_rent_exemption(0)

    def set_time(self, moment: Moment) -> None:
        clock = self.svm.get_clock()
        if clock.slot == moment.slot and clock.unix_timestamp == moment.unix_timestamp:
            return
        self.svm.warp_to_slot(moment.slot)
        clock = self.svm.get_clock()
        if clock.epoch != moment.epoch:
            clock.epoch, clock.leader_schedule_epoch = moment.epoch, moment.epoch + 1
            clock.epoch_start_timestamp = moment.unix_timestamp - moment.slot % SLOTS_PER_EPOCH * 2 // 5
        clock.unix_timestamp = moment.unix_timestamp
        self.svm.set_clock(clock)

    def clock_at(self, moment: Moment) -> Account:
        """The clock's account as a node has it in any slot: it goes on also when nothing is sent."""
        account = self.svm.get_account(CLOCK)
        assert account is not None
        start = moment.unix_timestamp - moment.slot % SLOTS_PER_EPOCH * 2 // 5
        data = struct.pack("<QqQQq", moment.slot, start, moment.epoch, moment.epoch + 1, moment.unix_timestamp)
        return Account(account.lamports, data, account.owner, account.executable, account.rent_epoch)

    def get(self, key: Pubkey) -> Account | None:
        found = self.svm.get_account(key)
        return None if found is None or found.lamports == 0 else found

    def put(self, key: Pubkey, account: Account | None) -> None:
        self.svm.set_account(key, account or Account(0, b"", wire.SYSTEM))

    # Transactions.

    def execute(self, transaction: VersionedTransaction, failing: Any = None) -> Outcome:
        """Runs it for good. `failing`: it lands with this error whatever it does, its fee is taken."""
        keys = wire.loaded(transaction, self.get)
        befores = {key: self.get(key) for key in keys.written()}
        payer, fee, refusal = self._fees(transaction, befores)
        if refusal is not None:
            return _refused(refusal, keys)
        failing = failing or self._too_new(transaction)
        account = befores[payer]
        assert account is not None, "the payer was just looked at"
        priority = fee - wire.base_fee(transaction)
        if failing is not None:
            self.put(payer, _less(account, fee))
            self._advance_nonce(transaction)
            return Outcome(failing, True, fee, 150, _failed_logs(transaction), [], None, self._changes(befores), keys)
        if priority:
            self.put(payer, _less(account, priority))
        result = self.svm.send_transaction(transaction)
        err, meta = _taken_apart(result)
        paid = self.svm.get_balance(payer) or 0
        if err is not None and paid >= account.lamports - priority:
            self.put(payer, account)
            return _refused(err, keys, meta)
        if err is None:
            err = self._rent(keys, befores)
            if err is not None:
                self._undo(befores, payer, _less(account, fee))
        if err is not None:
            self._advance_nonce(transaction)
        self._date_nonces(befores)
        self._forget_empty(befores)
        return Outcome(
            err, True, fee, meta.compute_units_consumed(), meta.logs(), _inner(meta), _returned(meta),
            self._changes(befores), keys,
        )  # fmt: skip

    def simulate(self, transaction: VersionedTransaction) -> tuple[Outcome, dict[Pubkey, Account]]:
        """What would happen, and the accounts it would leave behind (empty after a failure)."""
        keys = wire.loaded(transaction, self.get)
        befores = {key: self.get(key) for key in keys.written()}
        _, fee, refusal = self._fees(transaction, befores)
        if refusal is not None:
            return _refused(refusal, keys), {}
        failing = self._too_new(transaction)
        if failing is not None:
            return Outcome(failing, False, fee, 0, _failed_logs(transaction), [], None, [], keys), {}
        result = self.svm.simulate_transaction(transaction)
        err, meta = _taken_apart(result)
        posts: dict[Pubkey, Account] = {}
        if not isinstance(result, FailedTransactionMetadata):
            posts = dict(result.post_accounts())
            err = self._rent(keys, befores, posts)
        outcome = Outcome(
            err, False, fee, meta.compute_units_consumed(), meta.logs(), _inner(meta), _returned(meta), [], keys
        )
        return outcome, {} if err is not None else posts

    def _too_new(self, transaction: VersionedTransaction) -> Any:
        """A program runs from the slot after its deployment on; LiteSVM would run it at once."""
        message, now = transaction.message, self.svm.get_clock().slot
        for index, instruction in enumerate(message.instructions):
            program = self.get(message.account_keys[instruction.program_id_index])
            if program is None or str(program.owner) != UPGRADEABLE or len(program.data) != PROGRAM_BYTES:
                continue
            data = self.get(Pubkey.from_bytes(program.data[4:36]))
            if data is not None and int.from_bytes(data.data[4:12], "little") >= now:
                return {"InstructionError": [index, "UnsupportedProgramId"]}
        return None

    def _fees(
        self, transaction: VersionedTransaction, befores: dict[Pubkey, Account | None]
    ) -> tuple[Pubkey, int, Any]:
        """The payer, the whole fee, and why the transaction cannot land for its sake."""
        payer = transaction.message.account_keys[0]
        fee = wire.base_fee(transaction) + wire.priority_fee(transaction)
        account = befores.get(payer)
        if account is None:
            return payer, fee, "AccountNotFound"
        if account.owner != wire.SYSTEM:
            return payer, fee, "InvalidAccountForFee"
        left = account.lamports - fee
        if left < 0:
            return payer, fee, "InsufficientFundsForFee"
        if 0 < left < self.rent_minimum <= account.lamports and not account.data:
            return payer, fee, {"InsufficientFundsForRent": {"account_index": 0}}
        return payer, fee, None

    def _rent(
        self, keys: Loaded, befores: dict[Pubkey, Account | None], posts: dict[Pubkey, Account] | None = None
    ) -> Any:
        """A wallet left with less than the minimum, unless it had less already and got no more."""
        for index in keys.writable:
            key = keys.keys[index]
            after = self.get(key) if posts is None else posts.get(key)
            if after is None or after.data or after.owner != wire.SYSTEM:
                continue
            before = befores[key]
            poor = before is not None and 0 < before.lamports < self.rent_minimum and after.lamports <= before.lamports
            if 0 < after.lamports < self.rent_minimum and not poor:
                return {"InsufficientFundsForRent": {"account_index": index}}
        return None

    def _undo(self, befores: dict[Pubkey, Account | None], payer: Pubkey, charged: Account) -> None:
        for key, before in befores.items():
            if self.get(key) != before:
                self.put(key, before)
        self.put(payer, charged)

    def _forget_empty(self, keys: Iterable[Pubkey]) -> None:
        """An account without lamports is none after the transaction; LiteSVM would keep its data and owner."""
        for key in keys:
            found = self.svm.get_account(key)
            if found is not None and found.lamports == 0 and (found.data or found.owner != wire.SYSTEM):
                self.put(key, None)

    def _advance_nonce(self, transaction: VersionedTransaction) -> None:
        key = wire.nonce_account(transaction)
        account = None if key is None else self.get(key)
        if key is None or account is None or wire.nonce_of(account) != bytes(transaction.message.recent_blockhash):
            return
        self.put(key, wire.advanced(account, self.next_nonce()))

    def _date_nonces(self, befores: dict[Pubkey, Account | None]) -> None:
        """A nonce that changed is made of this slot's hash; LiteSVM makes it of the one that the message names."""
        for key, before in befores.items():
            after = self.get(key)
            nonce = wire.nonce_of(after)
            if after is not None and nonce is not None and nonce != wire.nonce_of(before):
                self.put(key, wire.advanced(after, self.next_nonce()))

    def next_nonce(self) -> bytes:
        """What every nonce that is advanced in this slot becomes."""
        return wire.durable(bytes(self.svm.latest_blockhash()))

    def _changes(self, befores: dict[Pubkey, Account | None]) -> list[Change]:
        return [(key, before, after) for key, before in befores.items() if (after := self.get(key)) != before]


def _less(account: Account, lamports: int) -> Account:
    left = account.lamports - lamports
    return Account(left, account.data, account.owner, account.executable, account.rent_epoch)


def _taken_apart(result: Any) -> tuple[Any, TransactionMetadata]:
    if isinstance(result, FailedTransactionMetadata):
        return json.loads(result.to_json())["err"], result.meta()
    return None, result if isinstance(result, TransactionMetadata) else result.meta()


def _refused(err: Any, keys: Loaded, meta: TransactionMetadata | None = None) -> Outcome:
    logs = [] if meta is None else meta.logs()
    return Outcome(err, False, 0, 0, logs, [], None, [], keys)


def _failed_logs(transaction: VersionedTransaction) -> list[str]:
    message = transaction.message
    program = message.account_keys[message.instructions[0].program_id_index] if message.instructions else wire.SYSTEM
    return [f"Program {program} invoke [1]", f"Program {program} failed: told to fail"]


def _inner(meta: TransactionMetadata) -> list[dict[str, Any]]:
    """Inner instructions by index of the outer one; data as bytes."""
    found = []
    for index, group in enumerate(meta.inner_instructions()):
        told = []
        for one in group:
            stack: Any = one  # the stubs of solders lack what it has
            compiled = one.instruction()
            told.append(
                {
                    "programIdIndex": compiled.program_id_index,
                    "accounts": list(compiled.accounts),
                    "data": bytes(compiled.data).hex(),
                    "stackHeight": stack.stack_height(),
                }
            )
        if told:
            found.append({"index": index, "instructions": told})
    return found


def _returned(meta: TransactionMetadata) -> dict[str, Any] | None:
    said = cast("Any", meta).return_data()
    data = bytes(said.data)
    return {"programId": str(said.program_id), "data": data.hex()} if data else None
