"""What must hold of liquidity, for every asset and provider: rules of storage/reads/invariants.py."""

from __future__ import annotations

from typing import Final

LIQUIDITY_RULES: Final = (
    (
        "lp_principal_equals_shares",
        "the LP principal of an asset is the sum of its providers' shares and what the asset's row says",
        """WITH held AS (
             SELECT split_part(account, ':', 2) AS id, balance FROM platform.balances
             WHERE account LIKE 'assets:%:lp_principal' AND unit = 'USDC'
           ), owned AS (SELECT asset_id::text AS id, sum(shares_micros) AS shares FROM exchange.lp_positions GROUP BY 1)
           SELECT coalesce(sum(a.lp_shares_micros), 0)::text AS expected, coalesce(sum(h.balance), 0)::text AS actual,
             count(*) FILTER (WHERE coalesce(h.balance, 0) <> coalesce(a.lp_shares_micros, -1)
               OR coalesce(o.shares, 0) <> coalesce(a.lp_shares_micros, -1)) AS violations
           FROM exchange.assets a FULL JOIN held h ON h.id = a.id::text FULL JOIN owned o ON o.id = a.id::text""",
    ),
    (
        "contributions_match_positions_and_ledger",
        "a position is its accepted contributions; a contribution is refunded exactly if its refund is booked",
        """WITH given AS (
             SELECT asset_id, account_id, sum(amount_micros) AS micros FROM exchange.contributions
             WHERE status = 'accepted' GROUP BY 1, 2
           ), wrong AS (
             SELECT 1 FROM given g FULL JOIN exchange.lp_positions p USING (asset_id, account_id)
             WHERE coalesce(g.micros, 0) <> coalesce(p.contributed_micros, 0)
           ), booked AS (
             SELECT split_part(t.key, ':', 2) AS id, t.kind, p.amount FROM platform.transfers t
             JOIN platform.postings p ON p.transfer_id = t.id AND p.amount > 0
             WHERE t.kind IN ('contribution', 'contribution_refund')
           ), strange AS (
             SELECT 1 FROM booked b LEFT JOIN exchange.contributions c ON c.id::text = b.id
             WHERE c.id IS NULL OR c.amount_micros <> b.amount
               OR (c.status = 'refunded') < (b.kind = 'contribution_refund')
               OR c.status NOT IN ('accepted', 'refunded')
           ), refunds AS (SELECT count(*) AS n FROM booked WHERE kind = 'contribution_refund'),
           refunded AS (SELECT count(*) AS n FROM exchange.contributions WHERE status = 'refunded')
           SELECT d.n::text AS expected, r.n::text AS actual, (SELECT count(*) FROM wrong)
             + (SELECT count(*) FROM strange) + abs(d.n - r.n) AS violations FROM refunds r, refunded d""",
    ),
    (
        "lp_payouts_match_ledger",
        "every payment of principal is booked once, and positions and requests count exactly these",
        """WITH booked AS (
             SELECT t.key, p.amount FROM platform.transfers t
             JOIN platform.postings p ON p.transfer_id = t.id AND p.amount > 0 WHERE t.kind = 'lp_payout'
           ), paid AS (
             SELECT 'lp_payout:' || withdrawal_id || ':' || part AS key, amount_micros FROM exchange.lp_payouts
           ), by_request AS (
             SELECT withdrawal_id AS id, sum(amount_micros) AS micros FROM exchange.lp_payouts GROUP BY 1
           ), by_owner AS (
             SELECT asset_id, account_id, sum(amount_micros) AS micros,
               coalesce(sum(amount_micros) FILTER (WHERE instant), 0) AS instant FROM exchange.lp_payouts GROUP BY 1, 2
           )
           SELECT (SELECT count(*) FROM paid)::text AS expected, (SELECT count(*) FROM booked)::text AS actual,
             (SELECT count(*) FROM paid p FULL JOIN booked b USING (key)
               WHERE coalesce(p.amount_micros, 0) <> coalesce(b.amount, 0))
             + (SELECT count(*) FROM exchange.lp_withdrawals w LEFT JOIN by_request r USING (id)
               WHERE w.paid_micros <> coalesce(r.micros, 0))
             + (SELECT count(*) FROM exchange.lp_positions p LEFT JOIN by_owner o USING (asset_id, account_id)
               WHERE p.withdrawn_micros <> coalesce(o.micros, 0) OR p.instant_micros <> coalesce(o.instant, 0))
             AS violations""",
    ),
    (
        "lp_fee_claims_match_ledger",
        "every paid claim is booked once with its amount, and positions count exactly these",
        """WITH claims AS (
             SELECT 'lp_fee_claim:' || id AS key, amount_micros FROM exchange.lp_fee_claims WHERE status = 'paid'
           ), booked AS (
             SELECT t.key, p.amount FROM platform.transfers t
             JOIN platform.postings p ON p.transfer_id = t.id AND p.amount > 0 WHERE t.kind = 'lp_fee_claim'
           ), paid AS (
             SELECT asset_id, account_id, sum(amount_micros) AS micros FROM exchange.lp_fee_claims
             WHERE status = 'paid' GROUP BY 1, 2
           )
           SELECT (SELECT count(*) FROM claims)::text AS expected, (SELECT count(*) FROM booked)::text AS actual,
             (SELECT count(*) FROM claims c FULL JOIN booked b USING (key)
               WHERE coalesce(c.amount_micros, 0) <> coalesce(b.amount, 0))
             + (SELECT count(*) FROM exchange.lp_positions p LEFT JOIN paid USING (asset_id, account_id)
               WHERE p.fees_claimed_micros <> coalesce(paid.micros, 0)) AS violations""",
    ),
)
