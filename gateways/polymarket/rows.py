"""Rows of the Data API, both generations, to values: activity, trades, positions, resolutions. Pure: no I/O.

A row that does not fit raises `Odd`; the caller keeps it in quarantine and goes on with the next. Nothing is derived
here: SPLIT, MERGE and REDEEM rows stay without a token, and outcome indexes are not read (999 occurs on trades).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from domain.copytrade.venue import ONE, ActivityRow, Kind, Resolution, Side, VenuePosition, VenueStatus
from gateways.polymarket import wire
from gateways.polymarket.wire import Odd

POSITION_KINDS: Final = (Kind.TRADE, Kind.SPLIT, Kind.MERGE, Kind.REDEEM, Kind.CONVERSION)
"""Types that move positions: what the feed is asked for unless told otherwise."""

STATUSES: Final = frozenset(
    ("initialized", "posed", "proposed", "challenged", "reproposed", "disputed", "active", "arbitration", "resolved")
)


class Names(NamedTuple):
    """What one generation of the API calls its fields."""

    wallet: str
    condition: str
    token: str
    tx: str
    usdc: str
    combo: str


V2: Final = Names("proxy_wallet", "condition_id", "token_id", "transaction_hash", "usdc_size", "is_combo")
V1: Final = Names("proxyWallet", "conditionId", "asset", "transactionHash", "usdcSize", "isCombo")


class Row(NamedTuple):
    """An activity row and the wallet asked for, checked against each other."""

    names: Names
    wallet: str

    def activity(self, raw: Any) -> ActivityRow:
        """A row of the activity feed. Raises: Odd."""
        row = wire.fields(raw, "row")
        kind_text = wire.text(row, "type")
        if kind_text not in Kind.__members__:
            raise Odd(f"unknown type {kind_text[:40]!r}")
        return self._row(row, Kind(kind_text))

    def trade(self, raw: Any) -> ActivityRow:
        """A row of the trades feed: an activity row without type and cash. Raises: Odd."""
        return self._row(wire.fields(raw, "row"), Kind.TRADE)

    def _row(self, row: Mapping[str, Any], kind: Kind) -> ActivityRow:
        n, moves = self.names, kind in POSITION_KINDS
        combo = _combo(row, n)
        made = ActivityRow(
            wallet=self._owner(row),
            kind=kind,
            condition_id=wire.condition_id(row.get(n.condition), n.condition),
            token_id=wire.token_id(row.get(n.token), n.token),
            side=wire.text(row, "side").upper(),
            size=_not_negative(wire.number(row, "size"), "size"),
            usdc_size=_cash(row, n.usdc),
            price=wire.optional_number(row, "price") or Decimal(0),
            tx_hash=wire.tx_hash(row.get(n.tx)) if moves or row.get(n.tx) else "",
            timestamp=wire.seconds(row, "timestamp"),
            is_combo=combo,
            title=wire.text(row, "title"),
            slug=wire.text(row, "slug"),
            outcome=wire.text(row, "outcome"),
            raw=wire.dump(row),
        )
        if moves and not made.condition_id:
            raise Odd(f"{kind} without a condition")
        if kind is Kind.TRADE:
            _check_trade(made)
        return made

    def _owner(self, row: Mapping[str, Any]) -> str:
        owner = wire.wallet(row.get(self.names.wallet), self.names.wallet)
        if owner != self.wallet:
            raise Odd(f"row of {owner}, asked for {self.wallet}")
        return owner

    def position(self, raw: Any) -> VenuePosition:
        """A row of positions. Averages and prices are rounded to micros, holdings are exact. Raises: Odd."""
        row = wire.fields(raw, "row")
        v2 = self.names is V2
        token = wire.token_id(row.get(self.names.token), self.names.token)
        if not token:
            raise Odd("position without a token")
        moved = row.get("last_event_at")
        return VenuePosition(
            wallet=self._owner(row),
            token_id=token,
            condition_id=wire.condition_id(row.get(self.names.condition), self.names.condition),
            shares=wire.micros(_not_negative(wire.number(row, "current_size" if v2 else "size"), "size"), "size"),
            avg_price=_rounded(row, "avg_price" if v2 else "avgPrice"),
            current_price=_rounded(row, "current_price" if v2 else "curPrice"),
            outcome=wire.text(row, "outcome"),
            event_id=_event_id(row.get("event_id" if v2 else "eventId")),
            last_event_at=wire.seconds(row, "last_event_at") if moved not in (None, 0, "", "0") else None,
        )


def status(raw: Any) -> VenueStatus:
    """The answer of `/v2/status`. Raises: Odd."""
    row = wire.fields(raw, "status")
    serving, ingestion = wire.fields(row.get("serving"), "serving"), wire.fields(row.get("ingestion"), "ingestion")
    slowest = wire.fields(ingestion.get("most_lagged") or {}, "most_lagged")
    newest = wire.optional_number(ingestion, "max_synced_block")
    return VenueStatus(
        computed_at=wire.moment(row, "computed_at"),
        age_s=int(wire.number(row, "age_seconds")),
        lag_s=int(wire.number(serving, "lag_seconds")),
        worst=wire.text(serving, "worst"),
        behind_blocks=int(wire.optional_number(slowest, "behind_max") or 0),
        newest_block=None if newest is None else int(newest),
    )


def resolution(raw: Any) -> Resolution:
    """A row of `/v2/resolutions`. Raises: Odd."""
    row = wire.fields(raw, "row")
    condition = wire.condition_id(row.get("condition_id"))
    status = wire.text(row, "status")
    if not condition:
        raise Odd("resolution without a condition")
    if status not in STATUSES:
        raise Odd(f"unknown status {status[:40]!r}")
    at = wire.moment(row, "resolved_at")
    payouts = _payouts(row.get("payouts"))
    if status == "resolved" and payouts is None:
        raise Odd("resolved without payouts")
    return Resolution(condition, status, payouts if status == "resolved" else None, int(at.timestamp()) if at else None)


def _payouts(value: Any) -> tuple[int, ...] | None:
    """Micros of USDC per share; a market always pays out 1 in total, at most rounded in the last micro per outcome."""
    if value is None or value == []:
        return None
    found = []
    for item in wire.items(value, "payouts"):
        amount = wire.decimal(item, "payout")
        if amount != amount.to_integral_value() or amount < 0:
            raise Odd(f"payout {amount} is not a number of micros")
        found.append(int(amount))
    if len(found) < 2 or abs(sum(found) - ONE) >= len(found):
        raise Odd(f"payouts {found} do not sum to 1000000")
    return tuple(found)


def _combo(row: Mapping[str, Any], names: Names) -> bool:
    """Combos are flagged, or known by their 31-byte 0x03 id (polymarket.md 1.1); padded ids alone prove nothing."""
    condition = row.get(names.condition)
    short = isinstance(condition, str) and len(condition) == 64 and condition.lower().startswith("0x03")
    return short or wire.flag(row, names.combo, default=False)


def _check_trade(row: ActivityRow) -> None:
    if row.side not in Side.__members__:
        raise Odd(f"trade with side {row.side[:20]!r}")
    if not row.token_id:
        raise Odd("trade without a token")
    if not 0 < row.price <= 1:
        raise Odd(f"trade at price {row.price}")


def _cash(row: Mapping[str, Any], name: str) -> Decimal | None:
    found = wire.optional_number(row, name)
    return None if found is None else _not_negative(found, name)


def _not_negative(value: Decimal, name: str) -> Decimal:
    if value < 0:
        raise Odd(f"{name} is {value}")
    return value


def _rounded(row: Mapping[str, Any], name: str) -> int | None:
    """Missing and null mean unknown, never zero."""
    found = wire.optional_number(row, name)
    return None if found is None else wire.rounded_micros(found)


def _event_id(value: Any) -> str:
    """Gamma's number as text; 0 and "" mean none."""
    if isinstance(value, bool) or not isinstance(value, int | str | None):
        raise Odd(f"event id is {value!r}")
    found = "" if value is None else str(value)
    return "" if found == "0" else found
