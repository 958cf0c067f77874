"""What must hold of paper portfolios and decisions: rules of storage/reads/invariants.py. Names begin `copytrade_`."""

from __future__ import annotations

from typing import Final

COPYTRADE_RULES: Final = (
    (
        "copytrade_positions_equal_ledger",
        "every paper position is the sum of its ledger lines since the last reset: shares, cost, realised profit",
        """WITH booked AS (
             SELECT e.portfolio_id, e.token_id, sum(e.share_delta_micros) AS shares, sum(e.cost_delta_micros) AS cost,
               sum(e.realized_micros) AS realized
             FROM copytrade.ledger_entries e JOIN copytrade.portfolios f ON f.id = e.portfolio_id AND f.epoch = e.epoch
             WHERE e.token_id <> '' GROUP BY e.portfolio_id, e.token_id)
           SELECT coalesce(sum(b.cost), 0)::text AS expected, coalesce(sum(p.cost_micros), 0)::text AS actual,
             count(*) FILTER (WHERE coalesce(b.shares, 0) <> coalesce(p.share_micros, 0)
               OR coalesce(b.cost, 0) <> coalesce(p.cost_micros, 0)
               OR coalesce(b.realized, 0) <> coalesce(p.realized_micros, 0)) AS violations
           FROM booked b FULL JOIN copytrade.positions p USING (portfolio_id, token_id)""",
    ),
    (
        "copytrade_portfolios_equal_ledger",
        "cash, contributions, profit and fees of every paper portfolio are the sums of its ledger lines",
        """WITH booked AS (
             SELECT e.portfolio_id, e.epoch, sum(e.cash_delta_micros) AS cash, sum(e.realized_micros) AS realized,
               sum(e.cash_delta_micros + e.cost_delta_micros - e.realized_micros) AS contributed,
               -sum(e.cash_delta_micros) FILTER (WHERE e.entry_type = 'FEE') AS fees
             FROM copytrade.ledger_entries e GROUP BY e.portfolio_id, e.epoch)
           SELECT coalesce(sum(b.cash), 0)::text AS expected, coalesce(sum(f.cash_micros), 0)::text AS actual,
             count(*) FILTER (WHERE coalesce(b.cash, 0) <> f.cash_micros OR coalesce(b.realized, 0) <> f.realized_micros
               OR coalesce(b.contributed, 0) <> f.contributed_micros OR coalesce(b.fees, 0) <> f.fees_micros)
             AS violations
           FROM copytrade.portfolios f LEFT JOIN booked b ON b.portfolio_id = f.id AND b.epoch = f.epoch""",
    ),
    (
        "copytrade_only_deposits_contribute",
        "what a line moves in cash and cost is what it realises, unless it is a deposit: no micro is made or lost",
        """SELECT '0' AS expected, count(*)::text AS actual, count(*) AS violations FROM copytrade.ledger_entries
           WHERE entry_type <> 'DEPOSIT' AND cash_delta_micros + cost_delta_micros <> realized_micros""",
    ),
    (
        "copytrade_cash_never_negative",
        "no executable portfolio has ever spent more paper cash than it had, nor sold shares it did not hold",
        """WITH run AS (
             SELECT f.id, e.id AS line, e.token_id, e.cash_delta_micros, e.share_delta_micros,
               sum(e.cash_delta_micros) OVER (PARTITION BY f.id, e.epoch ORDER BY e.id) AS cash,
               sum(e.share_delta_micros) OVER (PARTITION BY f.id, e.epoch, e.token_id ORDER BY e.id) AS shares
             FROM copytrade.portfolios f JOIN copytrade.ledger_entries e ON e.portfolio_id = f.id
             WHERE f.portfolio_scope <> 'SHADOW_USER')
           SELECT '0' AS expected, coalesce(least(min(cash), 0), 0)::text AS actual,
             count(*) FILTER (WHERE cash < 0 AND cash_delta_micros < 0 OR shares < 0 AND token_id <> '') AS violations
           FROM run""",
    ),
    (
        "copytrade_skips_have_reasons",
        "whatever was not copied says why, and what was copied has no reason against it",
        """SELECT '0' AS expected, count(*)::text AS actual, count(*) AS violations FROM copytrade.copy_attempts
           WHERE (decision = 'SKIP') <> (cardinality(reason_codes) > 0)""",
    ),
    (
        "copytrade_one_book_per_group",
        "every decision has its kept inputs, both portfolios decided from the same, and no group was decided twice",
        """WITH decided AS (
             SELECT group_key, count(*) AS attempts, count(DISTINCT portfolio_scope) AS scopes,
               count(DISTINCT mid_price_micros_at_decision) AS mids
             FROM copytrade.copy_attempts GROUP BY group_key)
           SELECT count(*)::text AS expected, count(i.group_key)::text AS actual,
             count(*) FILTER (WHERE i.group_key IS NULL OR d.attempts <> d.scopes OR d.mids > 1) AS violations
           FROM decided d LEFT JOIN copytrade.group_inputs i USING (group_key)""",
    ),
    (
        "copytrade_fills_equal_attempts",
        "the levels of an attempt add up to it, and to its ledger lines; a skip has neither",
        """WITH levels AS (
             SELECT copy_attempt_id AS id, sum(filled_share_micros) AS shares, sum(fill_notional_micros) AS notional,
               sum(fee_micros) AS fee FROM copytrade.executable_fills GROUP BY 1
           ), tried AS (
             SELECT a.id, a.decision, a.filled_share_micros AS shares, a.filled_notional_micros AS notional,
               a.fee_micros AS fee, coalesce(l.shares, 0) AS level_shares, coalesce(l.notional, 0) AS level_notional,
               coalesce(l.fee, 0) AS level_fee, l.id IS NOT NULL AS levels, b.lines, b.trades
             FROM copytrade.copy_attempts a LEFT JOIN levels l ON l.id = a.id
             CROSS JOIN LATERAL (
               SELECT count(*) AS lines, count(*) FILTER (WHERE e.entry_type = 'TRADE_FILL') AS trades
               FROM copytrade.portfolios f JOIN copytrade.ledger_entries e
                 ON e.portfolio_id = f.id AND e.ref_id = a.group_key
               WHERE f.portfolio_scope = a.portfolio_scope
                 AND (a.portfolio_scope = 'EXEC_GLOBAL' OR f.followed_user_id = a.followed_user_id)) b)
           SELECT coalesce(sum(notional) FILTER (WHERE levels), 0)::text AS expected,
             coalesce(sum(level_notional), 0)::text AS actual,
             count(*) FILTER (WHERE levels AND (shares, notional, fee) <> (level_shares, level_notional, level_fee)
               OR (decision = 'EXECUTE') <> (lines > 0) OR levels <> (trades > 0)) AS violations
           FROM tried""",
    ),
)
"""Name, meaning, SQL."""
