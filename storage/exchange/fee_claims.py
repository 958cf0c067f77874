"""Fees of liquidity providers, paid: all that is owed, once per claim, under the asset's lock."""

from __future__ import annotations

from domain.exchange import liquidity as rules
from domain.exchange.liquidity_messages import FeeClaimState
from domain.shared.money import format_usdc
from storage.books import Books
from storage.events import emit
from storage.exchange.pools import asset_of, lock_asset, read_positions, told, write_positions
from storage.operations import set_operation


class ClaimStore:
    """What the `LpFeeClaim` workflow asks of the books."""

    def __init__(self, books: Books) -> None:
        self.books = books

    async def pay(self, claim_id: str) -> FeeClaimState:
        """Pay all that is owed, or refuse when nothing is. Asked again it answers what it did."""
        async with self.books.begin() as book:
            asset_id = await asset_of(book, "exchange.lp_fee_claims", claim_id)
            asset = await lock_asset(book, asset_id)
            cursor = await book.connection.execute(
                """SELECT account_id, status::text AS status, refuse_code, operation_id, amount_micros
                   FROM exchange.lp_fee_claims WHERE id = %s""",
                [claim_id],
            )
            row = await cursor.fetchone()
            assert row is not None
            if row["status"] != "requested":
                return FeeClaimState(status=row["status"], code=row["refuse_code"])
            account_id, operation = row["account_id"], row["operation_id"]
            before = await read_positions(book, asset.id, [account_id])
            after, owed = rules.claimed(before[account_id], asset.fee_index)
            code = None if owed else "nothing_to_claim"
            if owed:
                await book.book(rules.fee_payment(asset.id, account_id, claim_id, owed))
                await write_positions(book, asset, before, {account_id: after})
            await book.connection.execute(
                """UPDATE exchange.lp_fee_claims SET status = %s, refuse_code = %s, amount_micros = %s,
                     finished_at = clock_timestamp() WHERE id = %s""",
                ["paid" if owed else "refused", code, owed or None, claim_id],
            )
            summary = f"{format_usdc(owed)} USDC of fees in {asset.symbol}" if owed else "Nothing to claim"
            await set_operation(book.connection, operation, "completed" if owed else "failed", summary, code)
            if owed:
                payload = {"id": claim_id, "amount_usdc": format_usdc(owed)}
                await emit(book.connection, told("lp_fees_claimed", account_id, asset, **payload))
            return FeeClaimState(status="paid" if owed else "refused", code=code, summary=summary)
