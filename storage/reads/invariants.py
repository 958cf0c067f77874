"""Whether the books hold together, computed now, each rule as one statement that counts its violations."""

from __future__ import annotations

from typing import Final, NamedTuple

from storage.database import Pool
from storage.reads.base import fetch_one
from storage.reads.copytrade_rules import COPYTRADE_RULES
from storage.reads.liquidity_rules import LIQUIDITY_RULES
from storage.reads.market_rules import MARKET_RULES


class Rule(NamedTuple):
    """`sql` returns expected, actual and violations; the rule holds when there are none."""

    name: str
    meaning: str
    sql: str

    @property
    def paper(self) -> bool:
        """Of paper trading: no money is concerned."""
        return self.name.startswith("copytrade_")


class Verdict(NamedTuple):
    name: str
    ok: bool
    expected: str
    actual: str
    detail: str


RULES: Final = (
    Rule(
        "ledger_transfers_sum_to_zero",
        "every transfer has two lines or more and sums to zero per unit",
        """SELECT '0' AS expected, count(*)::text AS actual, count(*) AS violations FROM (
             SELECT t.id FROM platform.transfers t LEFT JOIN platform.postings p ON p.transfer_id = t.id
             GROUP BY t.id HAVING count(p.id) < 2
             UNION SELECT p.transfer_id FROM platform.postings p
             WHERE NOT EXISTS (SELECT 1 FROM platform.transfers t WHERE t.id = p.transfer_id)
             UNION SELECT transfer_id FROM platform.postings GROUP BY transfer_id, unit HAVING sum(amount) <> 0) x""",
    ),
    Rule(
        "balances_equal_postings",
        "each running balance is the sum of its postings",
        """SELECT '0' AS expected, count(*)::text AS actual, count(*) AS violations
           FROM (SELECT account, unit, sum(amount) AS total FROM platform.postings GROUP BY account, unit) p
           FULL JOIN platform.balances b USING (account, unit) WHERE coalesce(p.total, 0) <> coalesce(b.balance, 0)""",
    ),
    Rule(
        "holds_resolved_at_most_once",
        "no hold was both spent and given back, or twice",
        """SELECT '0' AS expected, count(*)::text AS actual, count(*) AS violations FROM (
             SELECT resolves FROM platform.transfers WHERE resolves IS NOT NULL GROUP BY resolves
             HAVING count(*) > 1) x""",
    ),
    Rule(
        "open_holds_equal_held_balances",
        "what is held per user is exactly the holds not yet resolved",
        """WITH opened AS (
             SELECT p.account, p.unit, sum(p.amount) AS total FROM platform.transfers t
             JOIN platform.postings p ON p.transfer_id = t.id AND p.account LIKE 'users:%:held'
             WHERE t.phase = 'pending' AND NOT EXISTS (SELECT 1 FROM platform.transfers r WHERE r.resolves = t.id)
             GROUP BY p.account, p.unit
           ), held AS (
             SELECT account, unit, balance FROM platform.balances WHERE account LIKE 'users:%:held' AND balance <> 0
           )
           SELECT coalesce(sum(o.total), 0)::text AS expected, coalesce(sum(h.balance), 0)::text AS actual,
             count(*) FILTER (WHERE coalesce(o.total, 0) <> coalesce(h.balance, 0)) AS violations
           FROM opened o FULL JOIN held h USING (account, unit)""",
    ),
    Rule(
        "settled_withdrawals_match_ledger",
        "a withdrawal is settled exactly if its hold was spent",
        """WITH posted AS (
             SELECT split_part(key, ':', 2) AS id FROM platform.transfers WHERE phase = 'post' AND kind = 'withdrawal'
           ), settled AS (SELECT id::text AS id FROM exchange.withdrawals WHERE status = 'settled')
           SELECT count(s.id)::text AS expected, count(p.id)::text AS actual,
             count(*) FILTER (WHERE s.id IS NULL OR p.id IS NULL) AS violations
           FROM settled s FULL JOIN posted p ON p.id = s.id""",
    ),
    Rule(
        "credited_deposits_match_ledger",
        "a deposit is credited exactly if its transfer is booked",
        """WITH booked AS (SELECT key FROM platform.transfers WHERE kind IN ('deposit', 'custody_move')),
           credited AS (
             SELECT 'deposit:' || chain_id || ':' || tx_hash || ':' || log_ordinal AS key
             FROM exchange.deposits WHERE status = 'credited')
           SELECT count(c.key)::text AS expected, count(b.key)::text AS actual,
             count(*) FILTER (WHERE c.key IS NULL OR b.key IS NULL) AS violations
           FROM credited c FULL JOIN booked b ON b.key = c.key""",
    ),
    *(Rule(*rule) for rule in MARKET_RULES),
    *(Rule(*rule) for rule in LIQUIDITY_RULES),
    *(Rule(*rule) for rule in COPYTRADE_RULES),
)


async def check(pool: Pool, rule: Rule) -> Verdict:
    """Count the rule's violations."""
    row = await fetch_one(pool, rule.sql)
    assert row is not None
    violations = int(row["violations"])
    detail = rule.meaning if violations == 0 else f"{violations} violations: {rule.meaning}"
    return Verdict(rule.name, violations == 0, row["expected"], row["actual"], detail)
