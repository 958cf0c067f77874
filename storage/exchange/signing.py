"""What may be signed, decided by the books alone: the signer takes no amount and no address from a caller.

Each `authorise_*` runs inside the signing transaction, on locked rows, so that a cancellation and a signature exclude
each other.
"""

from __future__ import annotations

from domain.exchange import withdrawals as rules
from domain.exchange.messages import Purpose, TransactionSigned
from domain.exchange.signing import Intent, Quote
from domain.exchange.tokens import encode_transfer
from domain.shared.errors import Broken
from storage.books import Book, Books
from storage.exchange.transactions import Sign, TransactionStore
from storage.operations import mark_step, set_operation


class SigningStore:
    """Authorises and signs, in one transaction."""

    def __init__(
        self,
        books: Books,
        transactions: TransactionStore,
        *,
        chain_id: int,
        token: str,
        hot: str,
        gas: str,
    ) -> None:
        self.books = books
        self.transactions = transactions
        self.chain_id = chain_id
        self.token, self.hot, self.gas = token, hot, gas

    async def intent(self, purpose: Purpose, ref_id: str, *, replacing: bool = False) -> Intent:
        """What would be signed, to estimate gas with. `replacing`: only which key it was signed with."""
        async with self.books.begin() as book:
            if replacing and purpose is not Purpose.SWEEP:
                return Intent()
            return await self._authorise(book, purpose, ref_id)

    async def sign(self, purpose: Purpose, ref_id: str, quote: Quote, sign: Sign) -> TransactionSigned:
        """Authorise on locked rows, allocate the nonce, sign, store. All or nothing."""
        async with self.books.begin() as book:
            intent = await self._authorise(book, purpose, ref_id)
            if intent.refused is not None:
                return TransactionSigned(refused=intent.refused)
            if purpose is Purpose.WITHDRAWAL:
                waiting = await self.transactions.unmined_micros(book, self.chain_id, self.hot, quote.block_number)
                if quote.token_balance - waiting < intent.amount_micros:
                    return TransactionSigned(refused="hot_wallet_low")
            signed = await self.transactions.sign_first(book, self.chain_id, purpose, ref_id, intent, quote, sign)
            if purpose is Purpose.WITHDRAWAL:
                await book.connection.execute(
                    """UPDATE exchange.withdrawals SET status = 'signed', reason = NULL, tx_hash = %s,
                         updated_at = clock_timestamp() WHERE id = %s""",
                    [signed.tx_hash, ref_id],
                )
                await mark_step(book.connection, intent.operation_id, "sign", "done", signed.tx_hash)
                await set_operation(book.connection, intent.operation_id, "running", "Signed: on its way to the chain")
        return signed

    async def _authorise(self, book: Book, purpose: Purpose, ref_id: str) -> Intent:
        if purpose is Purpose.WITHDRAWAL:
            return await self._authorise_withdrawal(book, ref_id)
        return await self._authorise_sweep(book, ref_id, top_up=purpose is Purpose.GAS_TOP_UP)

    async def _authorise_withdrawal(self, book: Book, withdrawal_id: str) -> Intent:
        row = await (
            await book.connection.execute(
                "SELECT * FROM exchange.withdrawals WHERE id = %s FOR UPDATE", [withdrawal_id]
            )
        ).fetchone()
        if row is None:
            return Intent(refused="not_found")
        if row["chain_id"] != self.chain_id:
            raise Broken("wrong_chain", f"withdrawal {withdrawal_id} is for chain {row['chain_id']}")
        if row["status"] != "approved":
            return Intent(refused=row["status"])
        control = await (
            await book.connection.execute("SELECT enabled FROM platform.controls WHERE name = 'exchange.withdrawals'")
        ).fetchone()
        if control is not None and not control["enabled"]:
            return Intent(refused="withdrawals_disabled")
        held = await (
            await book.connection.execute(
                """SELECT sum(p.amount) AS micros
                   FROM platform.transfers t JOIN platform.postings p ON p.transfer_id = t.id
                   WHERE t.key = %s AND t.phase = 'pending' AND p.amount > 0
                     AND NOT EXISTS (SELECT 1 FROM platform.transfers r WHERE r.resolves = t.id)""",
                [rules.hold_key(withdrawal_id)],
            )
        ).fetchone()
        if held is None or held["micros"] != row["amount_micros"] + row["fee_micros"]:
            raise Broken("ledger_mismatch", f"withdrawal {withdrawal_id} is approved but its hold does not stand")
        return Intent(
            wallet=self.hot,
            to_address=self.token,
            data=encode_transfer(row["to_address"], row["amount_micros"]),
            amount_micros=row["amount_micros"],
            operation_id=row["operation_id"],
        )

    async def _authorise_sweep(self, book: Book, sweep_id: str, *, top_up: bool) -> Intent:
        row = await (
            await book.connection.execute(
                """SELECT s.*, a.derivation_index FROM exchange.sweeps s JOIN exchange.deposit_addresses a
                   ON a.chain_id = s.chain_id AND a.address = s.address WHERE s.id = %s FOR UPDATE OF s""",
                [sweep_id],
            )
        ).fetchone()
        if row is not None and row["chain_id"] != self.chain_id:
            raise Broken("wrong_chain", f"sweep {sweep_id} is for chain {row['chain_id']}")
        if row is None or row["status"] != "open":
            return Intent(refused="not_found" if row is None else row["status"])
        if top_up:
            return Intent(
                wallet=self.gas,
                to_address=row["address"],
                value_wei=row["top_up_wei"],
                operation_id=row["operation_id"],
            )
        return Intent(
            wallet=row["address"],
            to_address=self.token,
            data=encode_transfer(self.hot, row["amount_micros"]),
            amount_micros=row["amount_micros"],
            derivation_index=row["derivation_index"],
            operation_id=row["operation_id"],
        )
