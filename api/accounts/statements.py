"""Statements: opening balance, every line of a period, closing balance; they add up to the last unit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter
from pydantic import BaseModel

from api.accounts.accounts import must_exist
from api.accounts.views import Amount, LedgerLine
from api.deps import Deps
from api.http import bodies, paging
from api.http.asked import From, To, moment_of
from api.http.documented import guarded
from api.http.inputs import UUID_PATTERN
from api.http.scopes import Principal
from domain.shared.errors import Rejected
from domain.shared.money import USDC
from storage.reads import statements as reads

TAG: Final = "Accounts"
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
EXAMPLE: Final = {
    "account_id": _ID,
    "asset": "USDC",
    "from": "2026-11-01T00:00:00.000000Z",
    "to": "2026-12-01T00:00:00.000000Z",
    "opening": {"available": "100", "held": "0", "total": "100"},
    "lines": [
        {
            "id": "17",
            "transfer": f"deposit:421614:0x{'ab' * 32}:0",
            "kind": "deposit",
            "ref": "",
            "phase": "single",
            "asset": "USDC",
            "bucket": "available",
            "amount": "25.5",
            "created_at": "2026-11-21T04:00:00.000000Z",
        }
    ],
    "closing": {"available": "125.5", "held": "0", "total": "125.5"},
}
Asset = Annotated[
    str, QueryParameter(required=False, pattern=f"^USDC$|{UUID_PATTERN}", description="`USDC`, or an asset's id.")
]


class StatementSums(BaseModel):
    """`total` is what belongs to the account: available, and set aside for processes that have not ended."""

    available: Amount
    held: Amount
    total: Amount


class StatementView(BaseModel):
    """For each bucket: opening + its lines = closing, exactly. Lines are in the order of time."""

    account_id: str
    asset: str
    from_: datetime | None
    to: datetime | None
    opening: StatementSums
    lines: list[LedgerLine]
    closing: StatementSums

    model_config = {"alias_generator": lambda name: name.rstrip("_")}


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


@get("/api/accounts/{account_id:uuid}/statement",
     **guarded("Read a statement", "not_acceptable", tag=TAG, scopes=("exchange:read",), csv=True,
               response_example=EXAMPLE))  # fmt: skip
async def statement(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: FromPath[UUID],
    asset: Asset = USDC,
    start: From = None,
    ends: To = None,
) -> Response[StatementView]:
    """What the account had, what was booked in the period, what it has afterwards, of one asset. At most 10,000 lines:
    ask for a shorter period then. `Accept: text/csv` gives the lines of the ledger between two lines `opening` and two
    lines `closing`, one per bucket.
    """
    name = await must_exist(deps, principal, account_id)
    begin, end = moment_of(start, "from"), moment_of(ends, "to")
    if begin is not None and end is not None and begin >= end:
        raise Rejected("validation_failed", "`from` is before `to`", pointer="query:from")
    found = await reads.statement(deps.reads, name, asset, begin, end)
    if found.lines > reads.LINES_MAX:
        detail = f"{found.lines} lines are in that period: ask for a shorter one"
        raise Rejected("validation_failed", detail, pointer="query:from")
    ends_shown, start_shown = _shown(end), _shown(begin)
    opening = _as_lines("opening", asset, found.opening, start_shown)
    table = paging.table(request, [*opening, *found.bodies, *_as_lines("closing", asset, found.closing, ends_shown)])
    if table is not None:
        return table
    head = {"account_id": name, "asset": asset, "from": start_shown, "to": ends_shown}
    ends_of = {"opening": found.opening._asdict(), "closing": found.closing._asdict()}
    return bodies.json_response(bodies.splice('{"lines":[' + ",".join(found.bodies) + "]}", **head, **ends_of))


def _as_lines(kind: str, asset: str, sums: reads.Sums, moment: str | None) -> list[str]:
    """A balance as lines of the table, one per bucket."""
    return [
        msgspec.json.encode(
            {
                "id": "",
                "transfer": "",
                "kind": kind,
                "ref": "",
                "phase": "",
                "asset": asset,
                "bucket": bucket,
                "amount": amount,
                "created_at": moment,
            }
        ).decode()
        for bucket, amount in (("available", sums.available), ("held", sums.held))
    ]
