"""What must hold of the market, for every asset, in exact integers: rules of storage/reads/invariants.py."""

from __future__ import annotations

from typing import Final

MARKET_RULES: Final = (
    (
        "curve_reserve_equals_integral",
        "the reserve is the integral of the curve: never below it, above it by less than a micro for each fill",
        """WITH pools AS (
             SELECT a.fills, a.supply_atto * (2e30 * a.p0_micros + a.k_atto * a.supply_atto) AS area,
               coalesce((SELECT b.balance FROM platform.balances b
                         WHERE b.account = 'assets:' || a.id || ':reserve' AND b.unit = 'USDC'), 0) AS reserve
             FROM exchange.assets a)
           SELECT coalesce(sum(div(area + 2e48 - 1, 2e48)), 0)::text AS expected,
             coalesce(sum(reserve), 0)::text AS actual,
             count(*) FILTER (WHERE reserve * 2e48 < area OR reserve * 2e48 > area + fills * 2e48) AS violations
           FROM pools""",
    ),
    (
        "shares_equal_supply",
        "the supply of an asset is what the world gave out, what users own, and the sum of positions",
        """WITH booked AS (
             SELECT unit, -coalesce(sum(balance) FILTER (WHERE account = 'world'), 0) AS issued,
               coalesce(sum(balance) FILTER (WHERE account LIKE 'users:%'), 0) AS owned
             FROM platform.balances WHERE unit <> 'USDC' GROUP BY unit
           ), held AS (SELECT asset_id, sum(shares_atto) AS shares FROM exchange.positions GROUP BY asset_id)
           SELECT coalesce(sum(a.supply_atto), 0)::text AS expected, coalesce(sum(b.owned), 0)::text AS actual,
             count(*) FILTER (WHERE a.supply_atto <> coalesce(b.issued, 0) OR a.supply_atto <> coalesce(b.owned, 0)
               OR a.supply_atto <> coalesce(h.shares, 0)) AS violations
           FROM exchange.assets a LEFT JOIN booked b ON b.unit = a.id::text LEFT JOIN held h ON h.asset_id = a.id""",
    ),
    (
        "lp_fees_cover_what_is_owed",
        "the fees in an asset's bucket are enough for what its providers have earned and not claimed",
        """WITH owed AS (
             SELECT p.asset_id, sum(p.fees_owed_micros
               + div(p.shares_micros * (a.fee_index - p.fee_index_paid), 1000000000000000000)) AS micros
             FROM exchange.lp_positions p JOIN exchange.assets a ON a.id = p.asset_id GROUP BY p.asset_id
           ), kept AS (
             SELECT o.asset_id, o.micros, coalesce((SELECT b.balance FROM platform.balances b
               WHERE b.account = 'assets:' || o.asset_id || ':lp_fees' AND b.unit = 'USDC'), 0) AS bucket FROM owed o)
           SELECT coalesce(sum(micros), 0)::text AS expected, coalesce(sum(bucket), 0)::text AS actual,
             count(*) FILTER (WHERE bucket < micros) AS violations FROM kept""",
    ),
    (
        "fills_equal_ledger",
        "every fill has its transfer, every transfer of a trade its fill, and they say the same",
        """WITH fills AS (
             SELECT 'trade:' || t.id AS key, 'users:' || t.account_id || ':available' AS trader,
               t.asset_id::text AS asset, CASE t.side WHEN 'buy' THEN 1 ELSE -1 END AS sign,
               t.shares_atto, t.amount_micros, t.pool_micros,
               t.lp_fee_micros, t.fee_micros - t.lp_fee_micros AS platform_fee
             FROM exchange.trades t WHERE t.status = 'filled'
           ), meant AS (
             SELECT f.key, l.account, l.unit, l.amount FROM fills f CROSS JOIN LATERAL (VALUES
               (f.trader, 'USDC', -f.sign * f.amount_micros::numeric),
               ('assets:' || f.asset || ':reserve', 'USDC', f.sign * f.pool_micros),
               ('assets:' || f.asset || ':lp_fees', 'USDC', f.lp_fee_micros), ('platform:fees', 'USDC', f.platform_fee),
               (f.trader, f.asset, f.sign * f.shares_atto), ('world', f.asset, -f.sign * f.shares_atto))
               AS l(account, unit, amount) WHERE l.amount <> 0
           ), booked AS (
             SELECT t.key, p.account, p.unit, p.amount FROM platform.transfers t
             JOIN platform.postings p ON p.transfer_id = t.id WHERE t.kind = 'trade')
           SELECT (SELECT count(*) FROM meant)::text AS expected, (SELECT count(*) FROM booked)::text AS actual,
             (SELECT count(*) FROM (TABLE meant EXCEPT ALL TABLE booked) x)
             + (SELECT count(*) FROM (TABLE booked EXCEPT ALL TABLE meant) x) AS violations""",
    ),
    (
        "positions_equal_fills",
        "a position is what its fills make of it: shares, average cost, realised profit of every sale",
        """WITH fills AS (
             SELECT account_id, asset_id, verdict, side, shares_atto AS shares, amount_micros::numeric AS amount,
               realised_micros::numeric AS realised,
               CASE side WHEN 'buy' THEN shares_atto ELSE -shares_atto END AS moved,
               CASE side WHEN 'buy' THEN amount_micros ELSE realised_micros - amount_micros END::numeric AS cost
             FROM exchange.trades WHERE status = 'filled'
           ), run AS (
             SELECT f.*, coalesce(sum(moved) OVER before, 0) AS had, coalesce(sum(cost) OVER before, 0) AS had_cost
             FROM fills f WINDOW before AS (PARTITION BY account_id, asset_id ORDER BY verdict
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
           ), totals AS (
             SELECT account_id, asset_id, sum(moved) AS shares, sum(cost) AS cost, sum(realised) AS realised,
               count(*) FILTER (WHERE side = 'sell' AND (had < shares
                 OR realised <> amount - div(had_cost * shares, nullif(had, 0)))) AS wrong_sales
             FROM run GROUP BY account_id, asset_id)
           SELECT coalesce(sum(t.cost), 0)::text AS expected, coalesce(sum(p.cost_micros), 0)::text AS actual,
             count(*) FILTER (WHERE t.account_id IS NULL OR p.account_id IS NULL OR t.wrong_sales > 0
               OR t.shares <> p.shares_atto OR t.cost <> p.cost_micros OR t.realised <> p.realised_micros) AS violations
           FROM totals t FULL JOIN exchange.positions p USING (account_id, asset_id)""",
    ),
    (
        "verdicts_are_complete",
        "the verdicts of an asset are numbered from one without a gap, in the order of time",
        """WITH given AS (
             SELECT asset_id, count(*) AS verdicts, max(verdict) AS newest,
               count(*) FILTER (WHERE status = 'filled') AS fills
             FROM exchange.trades WHERE verdict IS NOT NULL GROUP BY asset_id
           ), backwards AS (
             SELECT asset_id FROM (SELECT asset_id, executed_at - lag(executed_at) OVER (PARTITION BY asset_id
               ORDER BY verdict) AS step FROM exchange.trades WHERE verdict IS NOT NULL) s WHERE step < interval '0')
           SELECT coalesce(sum(a.verdicts), 0)::text AS expected, coalesce(sum(g.verdicts), 0)::text AS actual,
             count(*) FILTER (WHERE a.verdicts <> coalesce(g.verdicts, 0) OR a.verdicts <> coalesce(g.newest, 0)
               OR a.fills <> coalesce(g.fills, 0)) + (SELECT count(*) FROM backwards) AS violations
           FROM exchange.assets a LEFT JOIN given g ON g.asset_id = a.id""",
    ),
)
"""Name, meaning, SQL."""
