"""The ledger's rules, run with time enough for a big ledger, and what follows when one is broken."""

from __future__ import annotations

from typing import Final

from domain.operations.messages import LedgerChecked
from storage.backup_runs import note_run
from storage.books import Books
from storage.database import Pool, make_pool
from storage.events import raise_alert, trip
from storage.reads.invariants import RULES, Verdict, check

CONTROL: Final = "exchange.withdrawals"
CODE: Final = "ledger_mismatch"
PAPER_CONTROL: Final = "copytrade.engine"
PAPER_CODE: Final = "paper_ledger_mismatch"
VERDICT_TIMEOUT_MS: Final = 300_000


async def ledger_verdicts(pool: Pool) -> list[Verdict]:
    """Every rule's verdict; each rule is one statement, so each sees one moment."""
    return [await check(pool, rule) for rule in RULES]


class LedgerCheckStore:
    """Reads with a connection of its own (these statements may take minutes), writes through the books."""

    def __init__(self, books: Books, dsn: str) -> None:
        self.books, self.dsn = books, dsn

    async def check(self) -> LedgerChecked:
        pool = make_pool(self.dsn, size=1, name="ledger-check", read_only=True, statement_timeout_ms=VERDICT_TIMEOUT_MS)
        async with pool:
            verdicts = await ledger_verdicts(pool)
        of_paper = {rule.name for rule in RULES if rule.paper}
        broken = [v for v in verdicts if not v.ok and v.name not in of_paper]
        paper = [v for v in verdicts if not v.ok and v.name in of_paper]
        summary = _listed(broken) or f"{len(verdicts) - len(paper)} rules hold"
        figures = {v.name: f"expected {v.expected}, found {v.actual}" for v in verdicts}
        return LedgerChecked(ok=not broken, summary=summary, figures=figures, paper=_listed(paper))

    async def record(self, found: LedgerChecked) -> None:
        """Note the run; on a breach stop withdrawals, or copying when it is of paper, and call an operator, all in one
        transaction.

        Switching on again and closing the alert are an operator's acts.
        """
        async with self.books.begin() as book:
            await note_run(
                book.connection, "ledger_check", ok=found.ok, detail={"summary": found.summary, **found.figures}
            )
            if found.paper:
                await trip(book.connection, PAPER_CONTROL, f"{PAPER_CODE}: {found.paper}", f"check:{PAPER_CODE}")
                await raise_alert(book.connection, PAPER_CODE, "", found.paper)
            if found.ok:
                return
            await book.connection.execute(
                """INSERT INTO platform.controls (name, enabled, changed_by) VALUES (%s, true, 'system')
                   ON CONFLICT DO NOTHING""",
                [CONTROL],
            )
            await trip(book.connection, CONTROL, f"{CODE}: {found.summary}", f"check:{CODE}")
            await raise_alert(book.connection, CODE, "", found.summary, critical=True, **found.figures)


def _listed(broken: list[Verdict]) -> str:
    return "; ".join(f"{v.name}: {v.detail}" for v in broken)
