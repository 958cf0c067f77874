"""Methods about transactions that landed: statuses, signatures of an address, whole transactions."""

from __future__ import annotations

import json
from typing import Any

from solders.transaction import VersionedTransaction

from localnet.svm import asked, shapes
from localnet.svm.asked import Params
from localnet.svm.errors import invalid, unsupported_version
from localnet.svm.ledger import FINAL_AGE
from localnet.svm.port import CONFIRMED_AGE, Port, commitment
from localnet.svm.reading import answered
from localnet.svm.store import Row
from localnet.svm.wire import is_v0

Json = dict[str, Any]
RECENT = 300 + FINAL_AGE
"""Slots for which a status is known without a search of the history."""
MOST_STATUSES, MOST_SIGNATURES = 256, 1_000


class History:
    """As one port knows it: a port that is behind has not heard of the newest, one that lies says otherwise."""

    def __init__(self, port: Port) -> None:
        self.port = port

    def table(self) -> dict[str, Any]:
        return {
            "getSignatureStatuses": self.statuses,
            "getSignaturesForAddress": self.for_address,
            "getTransaction": self.transaction,
            "getTransactionCount": lambda params: self.port.ledger.store.counts()["transactions"],
        }

    def find(self, signature: str, newest: int) -> Row | None:
        if self.port.forgets(signature):
            return None
        row = self.port.ledger.store.transaction(signature)
        return None if row is None or row.slot > newest else row

    def err(self, row: Row) -> Any:
        return None if row.err is None or self.port.lies.hides_errors else json.loads(row.err)

    def statuses(self, params: Params) -> Json:
        wanted, config = asked.at(params, 0), asked.config(params, 1)
        if not isinstance(wanted, list):
            raise invalid("Invalid params: invalid type: expected a list of signatures.")
        if len(wanted) > MOST_STATUSES:
            raise invalid(f"Too many inputs provided; max {MOST_STATUSES}")
        signatures = [asked.signature(one) for one in wanted]
        tip, search = self.port.slot("processed"), bool(config.get("searchTransactionHistory"))
        return answered(tip, [self._status(one, tip, search) for one in signatures])

    def _status(self, signature: str, tip: int, search: bool) -> Json | None:
        row = self.find(signature, tip)
        if row is None:
            return self._vouched(tip) if self.port.vouches(signature) else None
        age = tip - row.slot
        if age > RECENT and not search:
            return None
        err = self.err(row)
        final = age >= FINAL_AGE or self.port.lies.finalizes
        return {
            "slot": row.slot,
            "confirmations": None if final else age,
            "err": err,
            "status": {"Ok": None} if err is None else {"Err": err},
            "confirmationStatus": "finalized" if final else "confirmed" if age >= CONFIRMED_AGE else "processed",
        }

    def _vouched(self, tip: int) -> Json:
        slot = tip - CONFIRMED_AGE
        told: Json = {"slot": slot, "confirmations": CONFIRMED_AGE, "err": None, "status": {"Ok": None}}
        return {**told, "confirmationStatus": "confirmed"}

    def for_address(self, params: Params) -> list[Json]:
        key, config = asked.key(asked.at(params, 0)), asked.config(params, 1)
        newest = self.port.context(commitment(config, least="confirmed"), config)
        limit = config.get("limit") or MOST_SIGNATURES
        if not 1 <= asked.number(limit) <= MOST_SIGNATURES:
            raise invalid(f"Invalid limit; max {MOST_SIGNATURES}")
        before = self._seq(config.get("before"))
        until = self._seq(config.get("until"))
        if config.get("before") and before is None:
            return []
        rows = self.port.ledger.store.of(key, before or 2**62, until or 0, newest, limit)
        tip = self.port.slot("processed")
        return [self._listed(row, tip) for row in rows if not self.port.forgets(row.signature)]

    def _seq(self, signature: Any) -> int | None:
        row = None if signature is None else self.port.ledger.store.transaction(asked.signature(signature))
        return None if row is None else row.seq

    def _listed(self, row: Row, tip: int) -> Json:
        final = tip - row.slot >= FINAL_AGE or self.port.lies.finalizes
        transaction = VersionedTransaction.from_bytes(row.raw)
        return {
            "signature": row.signature,
            "slot": row.slot,
            "err": self.err(row),
            "memo": shapes.memo(transaction),
            "blockTime": self.port.ledger.clock.at(row.slot).unix_timestamp,
            "confirmationStatus": "finalized" if final else "confirmed",
        }

    def transaction(self, params: Params) -> Json | None:
        signature, second = asked.signature(asked.at(params, 0)), params[1] if len(params) > 1 else None
        config = {"encoding": second} if isinstance(second, str) else asked.config(params, 1)
        newest = self.port.slot(commitment(config, least="confirmed"))
        row = self.find(signature, newest)
        if row is None:
            return None
        transaction = VersionedTransaction.from_bytes(row.raw)
        known = config.get("maxSupportedTransactionVersion")
        if is_v0(transaction) and known is None:
            raise unsupported_version()
        err, detail = self.err(row), json.loads(row.detail)
        encoding = config.get("encoding") or "json"
        told: Json = {
            "slot": row.slot,
            "blockTime": self.port.ledger.clock.at(row.slot).unix_timestamp,
            "transaction": shapes.encoded(transaction, encoding, detail["loadedAddresses"]),
            "meta": {
                "err": err,
                "status": {"Ok": None} if err is None else {"Err": err},
                **shapes.detail(transaction, encoding, detail),
            },
        }
        return told if known is None else {**told, "version": 0 if is_v0(transaction) else "legacy"}
