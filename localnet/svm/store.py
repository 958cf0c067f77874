"""What the ledger remembers: accounts, what they were before, transactions, in one SQLite file.

A transaction and all it changed are one commit, made before anybody is told of it. The file is in WAL mode without a
sync per commit: SIGKILL loses nothing, a power cut may lose the last commits but leaves a whole ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from solders.account import Account
from solders.pubkey import Pubkey

from localnet.svm.clock import Anchor
from localnet.svm.stored import pack, unpack

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS anchors (slot INTEGER PRIMARY KEY, unix_ms INTEGER, wall_ms INTEGER, running INTEGER);
CREATE TABLE IF NOT EXISTS forks (slot INTEGER, salt INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS accounts (key BLOB PRIMARY KEY, owner BLOB, holder BLOB, stored BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS accounts_owner ON accounts (owner);
CREATE INDEX IF NOT EXISTS accounts_holder ON accounts (holder) WHERE holder IS NOT NULL;
CREATE TABLE IF NOT EXISTS befores (key BLOB, seq INTEGER, slot INTEGER, owner BLOB, stored BLOB NOT NULL,
                                    PRIMARY KEY (key, seq));
CREATE INDEX IF NOT EXISTS befores_slot ON befores (slot);
CREATE TABLE IF NOT EXISTS transactions (seq INTEGER PRIMARY KEY, signature TEXT UNIQUE, slot INTEGER, err TEXT,
                                         raw BLOB, detail TEXT);
CREATE INDEX IF NOT EXISTS transactions_slot ON transactions (slot);
CREATE TABLE IF NOT EXISTS touched (key BLOB, seq INTEGER, PRIMARY KEY (key, seq)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Row:
    """A transaction of the ledger; `err` and `detail` are JSON, `err` None for a success."""

    seq: int
    signature: str
    slot: int
    err: str | None
    raw: bytes
    detail: str


Change = tuple[Pubkey, Account | None, Account | None]
"""Key, before, after."""


def holder(account: Account) -> bytes | None:
    """The owner of a token account of either token program, by the account's size."""
    data = account.data
    return bytes(data[32:64]) if len(data) >= 165 and str(account.owner).startswith("Token") else None


class Store:
    """``path`` None keeps everything in memory."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA cache_size = -4000")
        self._db.executescript(_SCHEMA)
        newest = self._db.execute(
            "SELECT max(coalesce((SELECT max(seq) FROM transactions), 0), coalesce((SELECT max(seq) FROM befores), 0))"
        ).fetchone()
        self.seq = int(newest[0])

    def close(self) -> None:
        self._db.close()

    # Small things.

    def meta(self, name: str) -> bytes | None:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def set_meta(self, name: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def anchors(self) -> list[Anchor]:
        rows = self._db.execute("SELECT slot, unix_ms, wall_ms, running FROM anchors ORDER BY slot")
        return [Anchor(slot, unix_ms, wall_ms, bool(running)) for slot, unix_ms, wall_ms, running in rows]

    def add_anchor(self, anchor: Anchor) -> None:
        told = (anchor.slot, anchor.unix_ms, anchor.wall_ms, anchor.running)
        self._db.execute("INSERT OR REPLACE INTO anchors VALUES (?, ?, ?, ?)", told)

    def forks(self) -> list[tuple[int, int]]:
        return [(slot, salt) for slot, salt in self._db.execute("SELECT slot, salt FROM forks ORDER BY salt")]

    # Writing.

    def land(self, row: Row | None, slot: int, changes: Iterable[Change], keys: Iterable[Pubkey] = ()) -> None:
        """One commit: a transaction (or a deed of the operator, None) and what it changed. `keys`: whom it names."""
        self.seq += 1
        with self._transaction():
            for key, before, after in changes:
                self._change(bytes(key), slot, before, after)
            if row is None:
                return
            self._db.execute(
                "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?)",
                (self.seq, row.signature, row.slot, row.err, row.raw, row.detail),
            )
            self._db.executemany("INSERT INTO touched VALUES (?, ?)", [(bytes(key), self.seq) for key in set(keys)])

    def _change(self, key: bytes, slot: int, before: Account | None, after: Account | None) -> None:
        owner = None if before is None else bytes(before.owner)
        self._db.execute("INSERT INTO befores VALUES (?, ?, ?, ?, ?)", (key, self.seq, slot, owner, pack(before)))
        self._put(key, after)

    def _put(self, key: bytes, account: Account | None) -> None:
        if account is None:
            self._db.execute("DELETE FROM accounts WHERE key = ?", (key,))
            return
        told = (key, bytes(account.owner), holder(account), pack(account))
        self._db.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)", told)

    def forget_before(self, slot: int) -> None:
        """What accounts were before `slot` cannot be asked any more."""
        self._db.execute("DELETE FROM befores WHERE slot < ?", (slot,))

    def roll_back(self, slot: int, salt: int) -> list[Row]:
        """Undoes everything of `slot` and later, in one commit; returns the transactions, oldest first."""
        undone = [Row(*row) for row in self._db.execute(f"{_ROWS} WHERE slot >= ? ORDER BY seq", (slot,))]
        with self._transaction():
            firsts = self._db.execute(
                "SELECT key, stored, min(seq) FROM befores WHERE slot >= ? GROUP BY key", (slot,)
            ).fetchall()
            for key, stored, _ in firsts:
                self._put(key, unpack(stored))
            self._db.execute("DELETE FROM befores WHERE slot >= ?", (slot,))
            self._db.execute("DELETE FROM touched WHERE seq IN (SELECT seq FROM transactions WHERE slot >= ?)", (slot,))
            self._db.execute("DELETE FROM transactions WHERE slot >= ?", (slot,))
            self._db.execute("INSERT INTO forks VALUES (?, ?)", (slot, salt))
        return undone

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)

    # Reading.

    def accounts(self) -> Iterator[tuple[Pubkey, Account]]:
        for key, stored in self._db.execute("SELECT key, stored FROM accounts"):
            account = unpack(stored)
            if account is not None:
                yield Pubkey.from_bytes(key), account

    def before(self, key: Pubkey, slot: int) -> tuple[Account | None] | None:
        """What the account was at the end of `slot`, when it changed since; None when it did not."""
        row = self._db.execute(
            "SELECT stored FROM befores WHERE key = ? AND slot > ? ORDER BY seq LIMIT 1", (bytes(key), slot)
        ).fetchone()
        return None if row is None else (unpack(row[0]),)

    def owned(self, owner: Pubkey, slot: int) -> list[Pubkey]:
        """Keys that belong to a program now or did at some time after `slot`."""
        asked = (bytes(owner), slot, bytes(owner))
        rows = self._db.execute(
            "SELECT key FROM accounts WHERE owner = ? UNION SELECT key FROM befores WHERE slot > ? AND owner = ?", asked
        )
        return [Pubkey.from_bytes(row[0]) for row in rows]

    def held(self, wallet: Pubkey, slot: int) -> list[Pubkey]:
        """Token accounts that belong to a wallet now, and accounts that changed after `slot`."""
        rows = self._db.execute(
            "SELECT key FROM accounts WHERE holder = ? UNION SELECT key FROM befores WHERE slot > ?",
            (bytes(wallet), slot),
        )
        return [Pubkey.from_bytes(row[0]) for row in rows]

    def transaction(self, signature: str) -> Row | None:
        row = self._db.execute(f"{_ROWS} WHERE signature = ?", (signature,)).fetchone()
        return None if row is None else Row(*row)

    def of(self, key: Pubkey, below: int, above: int, newest_slot: int, limit: int) -> list[Row]:
        """Transactions that name the key, newest first, with above < seq < below."""
        rows = self._db.execute(
            f"{_ROWS} WHERE seq IN (SELECT seq FROM touched WHERE key = ? AND seq < ? AND seq > ?) AND slot <= ? "
            "ORDER BY seq DESC LIMIT ?",
            (bytes(key), below, above, newest_slot, limit),
        )
        return [Row(*row) for row in rows]

    def newest(self) -> list[Row]:
        """The last transaction, if there is one."""
        return [Row(*row) for row in self._db.execute(f"{_ROWS} ORDER BY seq DESC LIMIT 1")]

    def since(self, slot: int) -> list[Row]:
        """Transactions after `slot`, oldest first."""
        return [Row(*row) for row in self._db.execute(f"{_ROWS} WHERE slot > ? ORDER BY seq", (slot,))]

    def counts(self) -> dict[str, int]:
        found = {}
        for table in ("accounts", "transactions"):
            found[table] = int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        return found


_ROWS = "SELECT seq, signature, slot, err, raw, detail FROM transactions"


class _Transaction:
    """BEGIN … COMMIT, or ROLLBACK when the block fails."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
