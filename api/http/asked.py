"""What several routes are asked with: whose items a list shows, of which time, and the note that comes with an act."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from litestar.params import QueryParameter
from pydantic import TypeAdapter

from api.http.inputs import Input, Note
from api.http.scopes import Principal
from domain.shared.errors import Rejected

AccountFilter = Annotated[UUID | None, QueryParameter(required=False, description="Only this account's.")]

From = Annotated[
    str | None,
    QueryParameter(name="from", required=False, format="date-time", max_length=40,
                   description="From then on; RFC 3339 with zone."),
]  # fmt: skip
To = Annotated[
    str | None,
    QueryParameter(name="to", required=False, format="date-time", max_length=40,
                   description="Before then; RFC 3339 with zone."),
]  # fmt: skip
_MOMENT: Final = TypeAdapter(datetime)
_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def moment_of(text: str | None, name: str) -> datetime | None:
    """The time that the query's parameter `name` gives, in UTC; one before or after all time is its first or last.

    Raises: Rejected validation_failed.
    """
    if text is None:
        return None
    detail = "an RFC 3339 time with zone is wanted, as 2026-11-21T04:00:00Z"
    try:
        moment = _MOMENT.validate_python(text)
    except ValueError as error:
        raise Rejected("validation_failed", detail, pointer=f"query:{name}") from error
    if moment.tzinfo is None or "T" not in text.upper():
        raise Rejected("validation_failed", detail, pointer=f"query:{name}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _FIRST if moment.year == 1 else _LAST


class DecisionNote(Input):
    """Why; kept in the audit log."""

    note: Note = ""


def note_of(body: DecisionNote | None) -> str:
    """The note of an act whose body may be left out."""
    return body.note if body is not None else ""


def own_or_asked(principal: Principal, account_id: UUID | None) -> str | None:
    """Whose items a list shows: staff choose or see all, others see their own. Raises Rejected not_found."""
    if account_id is not None:
        principal.must_see(str(account_id))
        return str(account_id)
    return None if principal.staff else principal.account_id
