"""The books for an operator: what differs when a rule is broken, one account's lines, one money movement whole."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from domain.shared import ledger
from domain.shared.errors import Rejected
from storage.database import Pool
from storage.reads.base import Row, fetch_all, fetch_one, moment, on_accounts
from storage.reads.invariants import Rule

MORE_RULES: Final = (
    Rule(
        "user_balances_not_negative",
        "no user owes us money",
        """SELECT '0' AS expected, count(*)::text AS actual, count(*) AS violations
           FROM platform.balances WHERE account LIKE 'users:%' AND balance < 0""",
    ),
    Rule(
        "deposit_amounts_equal_ledger",
        "each credited deposit was booked with its own amount",
        """WITH differing AS (
             SELECT d.id FROM exchange.deposits d
             JOIN platform.transfers t ON t.key = 'deposit:' || d.chain_id || ':' || d.tx_hash || ':' || d.log_ordinal
             JOIN platform.postings p ON p.transfer_id = t.id AND p.account NOT LIKE 'custody:%'
             WHERE d.status = 'credited' GROUP BY d.id, d.amount HAVING sum(p.amount) <> d.amount)
           SELECT '0' AS expected, count(*)::text AS actual, count(*) AS violations FROM differing""",
    ),
    Rule(
        "withdrawal_amounts_equal_ledger",
        "each settled withdrawal took its amount out of custody and its fee to the platform",
        """WITH differing AS (
             SELECT w.id FROM exchange.withdrawals w
             JOIN platform.transfers t ON t.key = 'withdrawal:' || w.id || ':post'
             JOIN platform.postings p ON p.transfer_id = t.id
             WHERE w.status = 'settled' GROUP BY w.id
             HAVING coalesce(sum(p.amount) FILTER (WHERE p.account LIKE 'custody:%'), 0) <> w.amount_micros
                 OR coalesce(sum(p.amount) FILTER (WHERE p.account = 'platform:fees'), 0) <> w.fee_micros)
           SELECT '0' AS expected, count(*)::text AS actual, count(*) AS violations FROM differing""",
    ),
)

DIFFERENCES: Final[dict[str, str]] = {
    "ledger_transfers_sum_to_zero": """
        SELECT t.key AS subject, '0 in two lines or more' AS expected,
          coalesce(sum(p.amount), 0) || ' ' || coalesce(p.unit, '') || ' in ' || count(p.id) || ' lines' AS actual
        FROM platform.transfers t LEFT JOIN platform.postings p ON p.transfer_id = t.id
        GROUP BY t.id, p.unit HAVING count(p.id) < 2 OR sum(p.amount) <> 0 ORDER BY t.id LIMIT 20""",
    "balances_equal_postings": """
        SELECT account || ' ' || unit AS subject, coalesce(p.total, 0)::text AS expected,
          coalesce(b.balance, 0)::text AS actual
        FROM (SELECT account, unit, sum(amount) AS total FROM platform.postings GROUP BY account, unit) p
        FULL JOIN platform.balances b USING (account, unit)
        WHERE coalesce(p.total, 0) <> coalesce(b.balance, 0) ORDER BY account LIMIT 20""",
    "holds_resolved_at_most_once": """
        SELECT h.key AS subject, '1' AS expected, string_agg(r.key, ', ') AS actual FROM platform.transfers h
        JOIN platform.transfers r ON r.resolves = h.id GROUP BY h.id HAVING count(*) > 1 LIMIT 20""",
    "open_holds_equal_held_balances": """
        WITH opened AS (
          SELECT p.account, p.unit, sum(p.amount) AS total FROM platform.transfers t
          JOIN platform.postings p ON p.transfer_id = t.id AND p.account LIKE 'users:%:held'
          WHERE t.phase = 'pending' AND NOT EXISTS (SELECT 1 FROM platform.transfers r WHERE r.resolves = t.id)
          GROUP BY p.account, p.unit)
        SELECT account || ' ' || unit AS subject, coalesce(o.total, 0)::text AS expected,
          coalesce(h.balance, 0)::text AS actual
        FROM opened o FULL JOIN (SELECT * FROM platform.balances WHERE account LIKE 'users:%:held') h
          USING (account, unit)
        WHERE coalesce(o.total, 0) <> coalesce(h.balance, 0) ORDER BY account LIMIT 20""",
    "settled_withdrawals_match_ledger": """
        SELECT 'withdrawal ' || coalesce(w.id::text, split_part(t.key, ':', 2)) AS subject,
          CASE WHEN w.id IS NULL THEN 'settled' ELSE 'a spent hold' END AS expected,
          CASE WHEN w.id IS NULL THEN coalesce((SELECT x.status::text FROM exchange.withdrawals x
            WHERE x.id::text = split_part(t.key, ':', 2)), 'no such withdrawal') ELSE 'none' END AS actual
        FROM (SELECT * FROM exchange.withdrawals WHERE status = 'settled') w
        FULL JOIN (SELECT * FROM platform.transfers WHERE phase = 'post' AND kind = 'withdrawal') t
          ON t.key = 'withdrawal:' || w.id || ':post'
        WHERE w.id IS NULL OR t.id IS NULL LIMIT 20""",
    "credited_deposits_match_ledger": """
        SELECT 'deposit ' || coalesce(d.id::text, t.key) AS subject,
          CASE WHEN d.id IS NULL THEN 'credited' ELSE 'a transfer' END AS expected,
          CASE WHEN d.id IS NULL THEN coalesce((SELECT x.status::text FROM exchange.deposits x WHERE t.key =
            'deposit:' || x.chain_id || ':' || x.tx_hash || ':' || x.log_ordinal), 'no such deposit')
            ELSE 'none' END AS actual
        FROM (SELECT * FROM exchange.deposits WHERE status = 'credited') d
        FULL JOIN (SELECT * FROM platform.transfers WHERE kind IN ('deposit', 'custody_move')) t
          ON t.key = 'deposit:' || d.chain_id || ':' || d.tx_hash || ':' || d.log_ordinal
        WHERE d.id IS NULL OR t.id IS NULL LIMIT 20""",
    "user_balances_not_negative": """
        SELECT account || ' ' || unit AS subject, '0 or more' AS expected, balance::text AS actual
        FROM platform.balances WHERE account LIKE 'users:%' AND balance < 0 ORDER BY account LIMIT 20""",
    "deposit_amounts_equal_ledger": """
        SELECT 'deposit ' || d.id AS subject, d.amount::text AS expected, sum(p.amount)::text AS actual
        FROM exchange.deposits d
        JOIN platform.transfers t ON t.key = 'deposit:' || d.chain_id || ':' || d.tx_hash || ':' || d.log_ordinal
        JOIN platform.postings p ON p.transfer_id = t.id AND p.account NOT LIKE 'custody:%'
        WHERE d.status = 'credited' GROUP BY d.id, d.amount HAVING sum(p.amount) <> d.amount LIMIT 20""",
    "withdrawal_amounts_equal_ledger": """
        SELECT 'withdrawal ' || w.id AS subject, w.amount_micros || ' + fee ' || w.fee_micros AS expected,
          string_agg(p.account || ' ' || p.amount, ', ') AS actual
        FROM exchange.withdrawals w JOIN platform.transfers t ON t.key = 'withdrawal:' || w.id || ':post'
        JOIN platform.postings p ON p.transfer_id = t.id
        WHERE w.status = 'settled' GROUP BY w.id
        HAVING coalesce(sum(p.amount) FILTER (WHERE p.account LIKE 'custody:%'), 0) <> w.amount_micros
            OR coalesce(sum(p.amount) FILTER (WHERE p.account = 'platform:fees'), 0) <> w.fee_micros LIMIT 20""",
}
"""By rule: up to twenty things that break it, as subject, expected, actual (minor units)."""

_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")
_HASH: Final = re.compile(r"0x[0-9a-f]{64}\Z")


async def differences(pool: Pool, rule: str) -> list[Row]:
    """What breaks the rule; empty for a rule that only counts."""
    return await fetch_all(pool, DIFFERENCES[rule]) if rule in DIFFERENCES else []


async def account(pool: Pool, path: str, limit: int) -> dict[str, Any]:
    """Balances of an account path, or of both sides of a user named by id, and the newest lines.

    Raises: Rejected not_found.
    """
    paths = [ledger.available(path), ledger.held(path)] if _UUID.match(path) else [path]
    balances = await fetch_all(
        pool, "SELECT account, unit, balance FROM platform.balances WHERE account = ANY(%s) ORDER BY 1, 2", [paths]
    )
    lines = await fetch_all(
        pool,
        f"""SELECT p.id, {moment("t.created_at")} AS created_at, p.account, p.unit, p.amount, t.key, t.kind,
              t.phase::text AS phase, t.ref
            FROM platform.postings p JOIN platform.transfers t ON t.id = p.transfer_id
            WHERE p.account = ANY(%s) AND {on_accounts("%s")} ORDER BY p.id DESC LIMIT %s""",
        [paths, paths, limit],
    )
    if not balances and not lines:
        raise Rejected("not_found", f"nothing was ever booked on {path}")
    return {"balances": balances, "postings": lines}


class Subject(NamedTuple):
    kind: str
    id: str


class _Wanted(NamedTuple):
    """What a trace was asked for: an id, a transaction (and which of its logs), or a transfer's key."""

    id: str | None = None
    tx_hash: str | None = None
    ordinal: int | None = None


def _wanted(text: str) -> _Wanted:
    plain = text.strip().lower()
    if _UUID.match(plain):
        return _Wanted(id=plain)
    if _HASH.match(plain):
        return _Wanted(tx_hash=plain)
    kind, *parts = plain.split(":")
    if kind == "deposit" and len(parts) >= 3 and parts[2].isdigit():
        return _Wanted(tx_hash=parts[1], ordinal=int(parts[2]))
    if kind in ("withdrawal", "sweep") and parts and _UUID.match(parts[0]):
        return _Wanted(id=parts[0])
    return _Wanted()


_SUBJECTS: Final = """
WITH sent AS (
  SELECT t.id, t.purpose, t.ref_id FROM exchange.transactions t WHERE t.id = %(id)s::uuid
  UNION SELECT t.id, t.purpose, t.ref_id FROM exchange.signed_transactions s
    JOIN exchange.transactions t ON t.id = s.transaction_id WHERE s.tx_hash = %(hash)s)
SELECT 'deposit' AS kind, id::text FROM exchange.deposits
  WHERE id = %(id)s::uuid OR operation_id = %(id)s::uuid OR (chain_id IN (SELECT chain_id FROM exchange.chain_cursors)
    AND tx_hash = %(hash)s AND (%(ordinal)s::int IS NULL OR log_ordinal = %(ordinal)s))
UNION SELECT 'withdrawal', id::text FROM exchange.withdrawals WHERE id = %(id)s::uuid OR operation_id = %(id)s::uuid
  OR id IN (SELECT ref_id FROM sent WHERE purpose = 'withdrawal')
UNION SELECT 'sweep', id::text FROM exchange.sweeps WHERE id = %(id)s::uuid OR operation_id = %(id)s::uuid
  OR id IN (SELECT ref_id FROM sent WHERE purpose IN ('sweep', 'gas_top_up'))
ORDER BY 1, 2
"""
_ROWS: Final = {
    "deposit": "SELECT to_jsonb(x) AS body FROM exchange.deposits x WHERE id = %s",
    "withdrawal": "SELECT to_jsonb(x) AS body FROM exchange.withdrawals x WHERE id = %s",
    "sweep": "SELECT to_jsonb(x) AS body FROM exchange.sweeps x WHERE id = %s",
}
_TRANSFERS: Final = f"""
SELECT t.key, t.kind, t.phase::text AS phase, t.ref, {moment("t.created_at")} AS created_at,
  (SELECT jsonb_agg(jsonb_build_object('account', p.account, 'unit', p.unit, 'amount', p.amount::text) ORDER BY p.id)
   FROM platform.postings p WHERE p.transfer_id = t.id) AS postings
FROM platform.transfers t WHERE t.key = ANY(%s) ORDER BY t.id
"""
_TRANSACTIONS: Final = f"""
SELECT t.id, t.wallet, t.nonce, t.purpose::text AS purpose, t.mined_hash, t.mined_block,
  {moment("t.finished_at")} AS finished_at,
  (SELECT jsonb_agg(jsonb_build_object('tx_hash', s.tx_hash, 'attempt', s.attempt, 'max_fee_wei', s.max_fee_wei::text,
     'signed_at', {moment("s.created_at")}, 'broadcast_at', {moment("s.broadcast_at")}) ORDER BY s.attempt)
   FROM exchange.signed_transactions s WHERE s.transaction_id = t.id) AS signed
FROM exchange.transactions t WHERE t.ref_id = %s ORDER BY t.id
"""
_OPERATION: Final = f"""
SELECT o.id, o.kind, o.status::text AS status, o.summary, o.workflow_id, o.failure_code,
  {moment("o.started_at")} AS started_at, {moment("o.finished_at")} AS finished_at,
  (SELECT jsonb_agg(jsonb_build_object('name', s.name, 'status', s.status, 'attempts', s.attempts, 'detail', s.detail,
     'started_at', {moment("s.started_at")}, 'finished_at', {moment("s.finished_at")}) ORDER BY s.position)
   FROM platform.operation_steps s WHERE s.operation_id = o.id) AS steps
FROM platform.operations o WHERE o.subject_id = %s ORDER BY o.id
"""
_AUDIT: Final = f"""
SELECT {moment("created_at")} AS created_at, principal, action, detail FROM platform.audit_log
WHERE subject = ANY(%s) ORDER BY id
"""
_ALERTS: Final = f"""
SELECT {moment("created_at")} AS created_at, code, severity, detail, {moment("resolved_at")} AS resolved_at
FROM platform.alerts WHERE subject = ANY(%s) ORDER BY id
"""


async def trace(pool: Pool, text: str) -> list[dict[str, Any]]:
    """Every money movement that a key, transaction hash or id names, each with all that is known about it.

    Raises: Rejected not_found.
    """
    wanted = _wanted(text)
    names = {"id": wanted.id, "hash": wanted.tx_hash, "ordinal": wanted.ordinal}
    subjects = [Subject(row["kind"], row["id"]) for row in await fetch_all(pool, _SUBJECTS, names)]
    if subjects:
        return [await _movement(pool, subject) for subject in subjects]
    transfers = await fetch_all(pool, _TRANSFERS, [[text]])
    if not transfers:
        raise Rejected("not_found", f"nothing moved under {text}")
    return [{"kind": "transfer", "id": text, "row": {}, "transfers": transfers}]


async def _movement(pool: Pool, subject: Subject) -> dict[str, Any]:
    row = await fetch_one(pool, _ROWS[subject.kind], [subject.id])
    body: dict[str, Any] = row["body"] if row is not None else {}
    base = f"{subject.kind}:{subject.id}"
    if subject.kind == "deposit":
        base = f"deposit:{body['chain_id']}:{body['tx_hash']}:{body['log_ordinal']}"
    operations = await fetch_all(pool, _OPERATION, [subject.id])
    about = [subject.id, f"{subject.kind}:{subject.id}", *(str(o["id"]) for o in operations)]
    return {
        "kind": subject.kind,
        "id": subject.id,
        "row": body,
        "transfers": await fetch_all(pool, _TRANSFERS, [[base, f"{base}:post", f"{base}:void"]]),
        "transactions": await fetch_all(pool, _TRANSACTIONS, [subject.id]),
        "operations": operations,
        "audit": await fetch_all(pool, _AUDIT, [about]),
        "alerts": await fetch_all(pool, _ALERTS, [about]),
    }
