"""The one chain behind both ports: time, accounts, transactions, forks.

A transaction lands at once, in the slot of the moment, and is in the file before anybody hears of it. Commitments are
ages: what landed is processed, two slots later confirmed, 32 slots later final. Accounts can be read as they were at
the end of any of the last ``KEPT`` slots.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from localnet.svm import genesis, meta, wire
from localnet.svm.bank import CLOCK, Bank, Outcome
from localnet.svm.clock import FIRST_SLOT, Anchor, Clock, Moment, height, wall_ms
from localnet.svm.hashes import KEPT, WINDOW, BlockHashes
from localnet.svm.store import Row, Store

FINAL_AGE = 32
PRUNE_EVERY = 64


@dataclass(frozen=True)
class Landed:
    """Told to listeners: a transaction that is in the ledger now."""

    slot: int
    signature: str
    err: Any
    logs: list[str]
    keys: tuple[Pubkey, ...]
    changed: tuple[Pubkey, ...]


@dataclass(frozen=True)
class Undone:
    """Told to listeners: nothing of this slot and later ones happened."""

    slot: int


class Ledger:
    """`directory` None: in memory, gone with the process. `programs`: ELF files by the address they are to have."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        running: bool = True,
        programs: Mapping[Pubkey, Path] | None = None,
        wall: Callable[[], int] = wall_ms,
    ) -> None:
        self.store = Store(None if directory is None else directory / "ledger.sqlite")
        self.listeners: list[Callable[[Landed | Undone], None]] = []
        self.plans: list[tuple[int, Callable[[], object]]] = []
        self._landed = 0
        seed = self.store.meta("seed")
        fresh = seed is None
        if seed is None:
            seed = secrets.token_bytes(32)
            self.store.add_anchor(Anchor(FIRST_SLOT, wall(), wall(), running))
            self.store.set_meta("seed", seed)
        self.faucet = Keypair.from_seed(seed)
        self.hashes = BlockHashes(seed, self.store.forks())
        self.clock = Clock(self.store.anchors(), wall)
        self._turns = int(self.store.meta("turns") or b"0")
        self._turned = 0
        self._resume(running)
        self.bank = self._new_bank()
        for key, account in genesis.accounts(self.faucet.pubkey(), programs or {}, self.bank, fresh):
            self.put(key, account, slot=0)

    def _resume(self, running: bool) -> None:
        """A clock that stood goes on where the last transaction was; one that runs never goes behind it."""
        newest = max([anchor.slot for anchor in self.clock.anchors] + [row.slot for row in self.store.newest()])
        missing = max(0, newest - self.clock.now().slot)
        if missing or running != self.clock.anchors[-1].running:
            self.move(missing, running=running)

    def _new_bank(self) -> Bank:
        return Bank(self.store.accounts(), self._turns, self.clock.now())

    def close(self) -> None:
        self.store.close()

    # Time.

    def now(self) -> Moment:
        return self.clock.now()

    def move(self, slots: int, extra_ms: int = 0, running: bool | None = None) -> Moment:
        """Goes on; see ``Clock.move``. Raises ValueError."""
        self.store.add_anchor(self.clock.move(slots, extra_ms, running))
        return self.clock.now()

    def last_valid_height(self, slot: int) -> int:
        """Of the hash of a slot."""
        return height(slot) + WINDOW

    def plan(self, slots: int, deed: Callable[[], object]) -> None:
        """Done by the first ``tick`` so many slots later. Plans are gone with the process."""
        self.plans.append((self.now().slot + slots, deed))

    def tick(self) -> None:
        """Does what is due."""
        slot = self.now().slot
        due = [deed for when, deed in self.plans if when <= slot]
        if due:
            self.plans = [one for one in self.plans if one[0] > slot]
            for deed in due:
                deed()

    # Transactions.

    def refusal(self, transaction: VersionedTransaction, slot: int) -> str | None:
        """Why a bank at `slot` does not take it at all: its blockhash is too old or unknown, or it was there."""
        found = self.hashes.slot_of(str(transaction.message.recent_blockhash), self.now().slot)
        recent = found is not None and 0 <= slot - found <= WINDOW
        if not recent and not self._has_nonce(transaction):
            return "BlockhashNotFound"
        return "AlreadyProcessed" if self.store.transaction(str(transaction.signatures[0])) else None

    def _has_nonce(self, transaction: VersionedTransaction) -> bool:
        """As a cluster looks: the account holds what the message names, its authority signs the advance, and it was not
        advanced in this very slot."""
        key = wire.nonce_account(transaction)
        account = None if key is None else self.bank.get(key)
        nonce = wire.nonce_of(account)
        if account is None or nonce != bytes(transaction.message.recent_blockhash):
            return False
        self._turn(self.now())
        return nonce != self.bank.next_nonce() and wire.authorised(transaction, account)

    def simulate(self, transaction: VersionedTransaction) -> tuple[Outcome, dict[Pubkey, Account]]:
        self._turn(self.now())
        return self.bank.simulate(transaction)

    def submit(self, transaction: VersionedTransaction, failing: Any = None) -> Outcome | None:
        """Lands it now, if it can; None and no trace of it otherwise. `failing`: with this error, for its fee."""
        moment = self.now()
        if not all(transaction.verify_with_results()) or self.refusal(transaction, moment.slot) is not None:
            return None
        self._turn(moment)
        before = {key: self.bank.get(key) for key in wire.loaded(transaction, self.bank.get).keys}
        outcome = self.bank.execute(transaction, failing)
        if not outcome.landed:
            return None
        signature = str(transaction.signatures[0])
        detail = meta.described(outcome, before, self.bank.get)
        err = None if outcome.err is None else json.dumps(outcome.err)
        row = Row(0, signature, moment.slot, err, bytes(transaction), json.dumps(detail))
        self.store.land(row, moment.slot, outcome.changes, outcome.keys.keys)
        self._prune(moment.slot)
        changed = tuple(change[0] for change in outcome.changes)
        self._tell(Landed(moment.slot, signature, outcome.err, outcome.logs, outcome.keys.keys, changed))
        return outcome

    def _turn(self, moment: Moment) -> None:
        """Sets the bank's clock, and once a slot the hash that durable nonces are made of: none ever comes twice."""
        if moment.slot != self._turned:
            self._turns += 1
            self.store.set_meta("turns", str(self._turns).encode())
            self.bank.svm.expire_blockhash()
            self._turned = moment.slot
        self.bank.set_time(moment)

    def _prune(self, slot: int) -> None:
        self._landed += 1
        if self._landed % PRUNE_EVERY == 0:
            self.store.forget_before(slot - KEPT)

    def _tell(self, event: Landed | Undone) -> None:
        for listener in list(self.listeners):
            listener(event)

    # Accounts.

    def account(self, key: Pubkey, slot: int) -> Account | None:
        """As it was at the end of `slot`."""
        if key == CLOCK:
            return self.bank.clock_at(self.clock.at(slot))
        if slot < self.now().slot:
            before = self.store.before(key, slot)
            if before is not None:
                return before[0]
        return self.bank.get(key)

    def put(self, key: Pubkey, account: Account | None, slot: int | None = None) -> None:
        """Sets an account as no transaction could, from now on or since `slot`."""
        before = self.bank.get(key)
        self.bank.put(key, account)
        self.store.land(None, self.now().slot if slot is None else slot, [(key, before, account)])

    # Forks.

    def roll_back(self, slots: int, again_after: int | None = None) -> list[str]:
        """The last `slots` slots are abandoned for a fork on which nothing happened; returns what was in them.

        `again_after`: the same transactions land so many slots later, as far as their blockhash is on both sides.
        Raises ValueError when that would undo something final.
        """
        if not 1 <= slots < FINAL_AGE:
            raise ValueError(f"only the last {FINAL_AGE - 1} slots can be undone")
        first = self.now().slot - slots + 1
        undone = self.store.roll_back(first, len(self.hashes.forks) + 1)
        self.hashes.fork(first)
        self.bank = self._new_bank()
        if again_after is not None:
            self.plan(again_after, lambda: [self.submit(VersionedTransaction.from_bytes(row.raw)) for row in undone])
        self._tell(Undone(first))
        return [row.signature for row in undone]
