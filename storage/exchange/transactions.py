"""Everything we signed: one nonce per purpose, every attempt's bytes stored before it is first sent.

The nonce, the transaction and its signed bytes are written in one transaction under the wallet's row lock, so a nonce
can neither leak nor be used twice, and a payment can never get a second nonce (unique purpose + ref).
"""

from __future__ import annotations

from collections.abc import Callable

from domain.exchange.fees import FeePolicy, GasPrice, first_price, replacement_price
from domain.exchange.messages import Purpose, TransactionSigned
from domain.exchange.signing import Attempt, Draft, Intent, Quote, SentTransaction
from domain.shared.errors import Broken, Unavailable
from storage.books import Book, Books
from storage.events import new_id, raise_alert
from storage.operations import mark_step

Sign = Callable[[Draft], Attempt]


class TransactionStore:
    """Used by the signer (sign) and by workers (read, mark)."""

    def __init__(self, books: Books, fees: FeePolicy) -> None:
        self.books = books
        self.fees = fees

    async def find(self, purpose: Purpose, ref_id: str) -> SentTransaction | None:
        """The transaction of this purpose, if it was signed before."""
        async with self.books.begin() as book:
            return await self._find(book, "purpose = %s AND ref_id = %s", [purpose.value, ref_id])

    async def get(self, transaction_id: str) -> SentTransaction:
        async with self.books.begin() as book:
            found = await self._find(book, "id = %s", [transaction_id])
        if found is None:
            raise Broken("stuck_withdrawal", f"no transaction {transaction_id}")
        return found

    async def _find(self, book: Book, where: str, arguments: list[str]) -> SentTransaction | None:
        cursor = await book.connection.execute(
            f"""SELECT t.*, (SELECT extract(epoch FROM clock_timestamp()
                       - coalesce(max(s.broadcast_at), max(s.created_at)))::int
                     FROM exchange.signed_transactions s WHERE s.transaction_id = t.id) AS age_s
                FROM exchange.transactions t WHERE {where}""",
            arguments,
        )
        row = await cursor.fetchone()
        if row is None:
            return None
        cursor = await book.connection.execute(
            "SELECT tx_hash, raw FROM exchange.signed_transactions WHERE transaction_id = %s ORDER BY attempt DESC",
            [row["id"]],
        )
        attempts = tuple(Attempt.model_validate(r) for r in await cursor.fetchall())
        return SentTransaction(**{**row, "attempts": attempts, "age_s": row["age_s"] or 0})

    async def sign_first(
        self, book: Book, chain_id: int, purpose: Purpose, ref_id: str, intent: Intent, quote: Quote, sign: Sign
    ) -> TransactionSigned:
        """Allocate the next nonce and store the signed bytes with it. The caller has authorised it."""
        nonce = await self._next_nonce(book, chain_id, intent.wallet, quote)
        price = first_price(quote.base_fee, self.fees)
        if price.max_fee < quote.base_fee:
            raise Unavailable("gas_wallet_low", "the base fee is above the configured cap", retry_after_s=5)
        draft = Draft(chain_id=chain_id, nonce=nonce, intent=intent, gas_limit=quote.gas_limit, price=price)
        transaction_id = new_id()
        await book.connection.execute(
            """INSERT INTO exchange.transactions
                 (id, chain_id, wallet, nonce, purpose, ref_id, to_address, value_wei, data, gas_limit)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                transaction_id,
                chain_id,
                intent.wallet,
                nonce,
                purpose.value,
                ref_id,
                intent.to_address,
                intent.value_wei,
                intent.data,
                quote.gas_limit,
            ],
        )
        attempt = sign(draft)
        await self._store(book, transaction_id, 1, attempt, price)
        return TransactionSigned(transaction_id=transaction_id, tx_hash=attempt.tx_hash, attempt=1)

    async def _next_nonce(self, book: Book, chain_id: int, wallet: str, quote: Quote) -> int:
        await book.connection.execute(
            "INSERT INTO exchange.wallets (chain_id, address, next_nonce) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [chain_id, wallet, quote.mined_nonce],
        )
        row = await (
            await book.connection.execute(
                """SELECT next_nonce, halted_reason FROM exchange.wallets
                   WHERE chain_id = %s AND address = %s FOR UPDATE""",
                [chain_id, wallet],
            )
        ).fetchone()
        assert row is not None
        if row["halted_reason"]:
            raise Broken("nonce_drift", row["halted_reason"])
        nonce: int = row["next_nonce"]
        if quote.mined_nonce > nonce:
            raise Broken("nonce_drift", f"{wallet} has mined nonce {quote.mined_nonce}, we signed only up to {nonce}")
        await book.connection.execute(
            "UPDATE exchange.wallets SET next_nonce = %s WHERE chain_id = %s AND address = %s",
            [nonce + 1, chain_id, wallet],
        )
        return nonce

    async def unmined_micros(self, book: Book, chain_id: int, wallet: str, block_number: int) -> int:
        """USDC that withdrawals signed by this wallet still have to move after `block_number`."""
        await book.connection.execute(
            "SELECT 1 FROM exchange.wallets WHERE chain_id = %s AND address = %s FOR UPDATE", [chain_id, wallet]
        )
        row = await (
            await book.connection.execute(
                """SELECT coalesce(sum(w.amount_micros), 0) AS micros
                   FROM exchange.transactions t JOIN exchange.withdrawals w ON w.id = t.ref_id
                   WHERE t.chain_id = %s AND t.wallet = %s AND t.purpose = 'withdrawal' AND t.finished_at IS NULL
                     AND (t.mined_block IS NULL OR t.mined_block > %s)""",
                [chain_id, wallet, block_number],
            )
        ).fetchone()
        return int(row["micros"]) if row is not None else 0

    async def sign_replacement(
        self, transaction_id: str, base_fee: int, sign: Sign, derivation: int | None, *, after_attempt: int
    ) -> TransactionSigned:
        """Same nonce, same payment, higher fees; at the cap the newest attempt stands.

        `after_attempt` is the attempt the caller gave up on: when a newer one exists, that one is the answer.
        """
        async with self.books.begin() as book:
            row = await (
                await book.connection.execute(
                    "SELECT * FROM exchange.transactions WHERE id = %s FOR UPDATE", [transaction_id]
                )
            ).fetchone()
            assert row is not None
            last = await (
                await book.connection.execute(
                    """SELECT tx_hash, attempt, max_fee_wei, priority_fee_wei FROM exchange.signed_transactions
                       WHERE transaction_id = %s ORDER BY attempt DESC LIMIT 1""",
                    [transaction_id],
                )
            ).fetchone()
            assert last is not None
            old = GasPrice(max_fee=last["max_fee_wei"], priority=last["priority_fee_wei"])
            price = replacement_price(old, base_fee, self.fees)
            if last["attempt"] > after_attempt:
                return TransactionSigned(
                    transaction_id=transaction_id, tx_hash=last["tx_hash"], attempt=last["attempt"]
                )
            if price is None:
                subject, detail = f"{row['purpose']}:{row['ref_id']}", "not mined at the highest fee allowed"
                await raise_alert(book.connection, "stuck_withdrawal", subject, detail)
                return TransactionSigned(
                    transaction_id=transaction_id, tx_hash=last["tx_hash"], attempt=last["attempt"]
                )
            intent = Intent(
                wallet=row["wallet"],
                to_address=row["to_address"],
                value_wei=row["value_wei"],
                data=bytes(row["data"]),
                derivation_index=derivation,
            )
            draft = Draft(
                chain_id=row["chain_id"], nonce=row["nonce"], intent=intent, gas_limit=row["gas_limit"], price=price
            )
            attempt = sign(draft)
            await self._store(book, transaction_id, last["attempt"] + 1, attempt, price)
        return TransactionSigned(transaction_id=transaction_id, tx_hash=attempt.tx_hash, attempt=last["attempt"] + 1)

    async def _store(self, book: Book, transaction_id: str, number: int, attempt: Attempt, price: GasPrice) -> None:
        await book.connection.execute(
            """INSERT INTO exchange.signed_transactions
                 (tx_hash, transaction_id, attempt, raw, max_fee_wei, priority_fee_wei)
               VALUES (%s, %s, %s, %s, %s, %s)""",
            [attempt.tx_hash, transaction_id, number, attempt.raw, price.max_fee, price.priority],
        )

    async def mark_broadcast(self, sent: SentTransaction, explorer: str = "") -> None:
        """The node has taken the newest attempt. A withdrawal becomes `broadcast`."""
        newest = sent.attempts[0].tx_hash
        async with self.books.begin() as book:
            await book.connection.execute(
                "UPDATE exchange.signed_transactions SET broadcast_at = clock_timestamp() WHERE tx_hash = %s", [newest]
            )
            operation = await self._withdrawal_step(book, sent, "broadcast", newest)
            await mark_step(book.connection, operation, "broadcast", "done", newest, _links(newest, explorer))

    async def mark_mined(self, sent: SentTransaction, tx_hash: str, block_number: int | None) -> None:
        """Seen in a block, or (None) taken out of it again. A withdrawal becomes `confirming`."""
        async with self.books.begin() as book:
            await book.connection.execute(
                "UPDATE exchange.transactions SET mined_hash = %s, mined_block = %s WHERE id = %s",
                [tx_hash if block_number is not None else None, block_number, sent.id],
            )
            operation = await self._withdrawal_step(book, sent, "confirming", tx_hash)
            where = f"in block {block_number}" if block_number is not None else "left the chain in a reorganisation"
            await mark_step(book.connection, operation, "confirm", "running", where)

    async def _withdrawal_step(self, book: Book, sent: SentTransaction, status: str, tx_hash: str) -> str | None:
        if sent.purpose is not Purpose.WITHDRAWAL:
            return None
        cursor = await book.connection.execute(
            """UPDATE exchange.withdrawals SET status = %s::exchange.withdrawal_status, tx_hash = %s,
                 updated_at = clock_timestamp()
               WHERE id = %s AND status IN ('signed', 'broadcast', 'confirming') RETURNING operation_id""",
            [status, tx_hash, sent.ref_id],
        )
        row = await cursor.fetchone()
        return row["operation_id"] if row is not None else None

    async def unfinalized(self, chain_id: int, finalized: int) -> list[SentTransaction]:
        """Finished transactions whose block is not finalized yet: a deep reorganisation could still drop them."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT id FROM exchange.transactions WHERE chain_id = %s AND finished_at IS NOT NULL
                   AND mined_block > %s ORDER BY id LIMIT 500""",
                [chain_id, finalized],
            )
            found = [await self._find(book, "id = %s", [row["id"]]) for row in await cursor.fetchall()]
        return [sent for sent in found if sent is not None]


def _links(tx_hash: str, explorer: str) -> list[dict[str, str]]:
    return [{"rel": "explorer", "href": f"{explorer}/tx/{tx_hash}"}] if explorer else []
