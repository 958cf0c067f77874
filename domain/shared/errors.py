"""The one error tree. Three roots answer the question "who must act?".

    Failure(code, detail, **data)
    ├── Rejected      the caller      HTTP 4xx            Temporal: non-retryable   log info
    ├── Unavailable   time            HTTP 503 + Retry-After        retryable       log warning
    └── Broken        an operator     HTTP 500, runbooks/<code>.md  non-retryable   log error, alert

`code` is snake_case and stable: it is the problem type at `/api/problems/{code}`, the Temporal failure type,
the metric label and (for Broken) the runbook's name. One interceptor (workflows' side) and one exception map
(HTTP side) translate; nobody else mentions Temporal or HTTP. Every code is listed in `problems.py`.
"""

from __future__ import annotations

from typing import ClassVar


class Failure(Exception):
    """A known failure. `data` holds JSON values that help whoever must act; never secrets."""

    retryable: ClassVar[bool] = False

    def __init__(self, code: str, detail: str = "", **data: object) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.data = data


class Rejected(Failure):
    """The request is at fault; asking again changes nothing."""


class Unavailable(Failure):
    """A part is away or busy; the same request may succeed later."""

    retryable = True

    def __init__(self, code: str, detail: str = "", *, retry_after_s: int = 1, **data: object) -> None:
        super().__init__(code, detail, **data)
        self.retry_after_s = retry_after_s


class Broken(Failure):
    """Something that must not happen did. Work stops here until an operator has followed the runbook."""
