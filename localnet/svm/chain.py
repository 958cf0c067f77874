"""Methods about the chain itself: slots, blockhashes, fees, health."""

from __future__ import annotations

from typing import Any

from solders.transaction import VersionedTransaction

from localnet.svm import asked, wire
from localnet.svm.asked import Params
from localnet.svm.clock import FIRST_SLOT, SLOTS_PER_EPOCH, height
from localnet.svm.errors import RpcRefusal, behind, block_not_available
from localnet.svm.hashes import WINDOW
from localnet.svm.port import Port, commitment
from localnet.svm.reading import VERSION, answered

Json = dict[str, Any]
FEATURE_SET = 3_294_202_862
UNHEALTHY = 128
"""Slots behind from which on a node calls itself unhealthy."""


def health(port: Port) -> None:
    """Raises RpcRefusal when the node knows that it is behind."""
    if port.lag > UNHEALTHY and not port.lies.healthy:
        raise behind(port.lag)


class Chain:
    """As one port sees it."""

    def __init__(self, port: Port) -> None:
        self.port = port

    def table(self) -> dict[str, Any]:
        return {
            "getSlot": self.slot,
            "getBlockHeight": self.block_height,
            "getBlockTime": self.block_time,
            "getEpochInfo": self.epoch_info,
            "getLatestBlockhash": self.latest_blockhash,
            "isBlockhashValid": self.is_blockhash_valid,
            "getFeeForMessage": self.fee_for_message,
            "getRecentPrioritizationFees": self.recent_prioritization_fees,
            "getHealth": self.get_health,
            "getVersion": self.version,
            "getGenesisHash": self.genesis_hash,
        }

    def _slot(self, params: Params, index: int = 0) -> int:
        config = asked.config(params, index)
        return self.port.context(commitment(config), config)

    def slot(self, params: Params) -> int:
        return self._slot(params) + self.port.lies.ahead

    def block_height(self, params: Params) -> int:
        return height(self._slot(params)) + self.port.lies.ahead

    def block_time(self, params: Params) -> int:
        slot = asked.number(asked.at(params, 0))
        if slot > self.port.slot("confirmed"):
            raise block_not_available(slot)
        if slot < FIRST_SLOT:
            raise RpcRefusal(-32009, f"Slot {slot} was skipped, or missing in long-term storage")
        return self.port.ledger.clock.at(slot).unix_timestamp

    def epoch_info(self, params: Params) -> Json:
        slot = self._slot(params) + self.port.lies.ahead
        return {
            "absoluteSlot": slot,
            "blockHeight": height(slot),
            "epoch": slot // SLOTS_PER_EPOCH,
            "slotIndex": slot % SLOTS_PER_EPOCH,
            "slotsInEpoch": SLOTS_PER_EPOCH,
            "transactionCount": self.port.ledger.store.counts()["transactions"],
        }

    def latest_blockhash(self, params: Params) -> Json:
        slot = self._slot(params)
        last = self.port.ledger.last_valid_height(slot)
        return answered(slot, {"blockhash": self.port.ledger.hashes.of(slot), "lastValidBlockHeight": last})

    def is_blockhash_valid(self, params: Params) -> Json:
        blockhash, slot = asked.at(params, 0), self._slot(params, 1)
        asked.key(blockhash)  # a hash is as long as a key
        found = self.port.ledger.hashes.slot_of(blockhash, self.port.ledger.now().slot)
        return answered(slot, found is not None and 0 <= slot - found <= WINDOW)

    def fee_for_message(self, params: Params) -> Json:
        transaction, slot = asked.message(asked.at(params, 0)), self._slot(params, 1)
        found = self.port.ledger.hashes.slot_of(str(transaction.message.recent_blockhash), slot)
        known = (found is not None and slot - found <= WINDOW) or wire.nonce_account(transaction) is not None
        fee = wire.base_fee(transaction) + wire.priority_fee(transaction)
        return answered(slot, fee if known else None)

    def recent_prioritization_fees(self, params: Params) -> list[Json]:
        """By slot the least price (micro-lamports a unit) of a transaction that wrote the accounts."""
        wanted = {asked.key(one) for one in (params[0] if params and params[0] else [])}
        newest = self.port.slot("processed")
        least: dict[int, int] = {}
        for row in self.port.ledger.store.since(newest - WINDOW):
            transaction = VersionedTransaction.from_bytes(row.raw)
            if row.slot > newest or not wanted <= set(wire.loaded(transaction, lambda key: None).written()):
                continue
            price = wire.unit_price(transaction)
            least[row.slot] = min(price, least.get(row.slot, price))
        floor = self.port.fee_floor
        slots = range(newest - WINDOW + 1, newest + 1)
        return [{"slot": slot, "prioritizationFee": max(floor, least.get(slot, 0))} for slot in slots]

    def get_health(self, params: Params) -> str:
        health(self.port)
        return "ok"

    def version(self, params: Params) -> Json:
        return {"solana-core": VERSION, "feature-set": FEATURE_SET}

    def genesis_hash(self, params: Params) -> str:
        return self.port.ledger.hashes.genesis
