"""A file in a multipart form: one field, one file, bounded. Everywhere else bodies are JSON (see edge)."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request
from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from domain.shared.errors import Rejected

FORM: Final = "multipart/form-data"
PATHS: Final = frozenset({"/api/launchpad/assets"})
"""POST there takes a form."""
OVERHEAD: Final = 65_536
"""Boundaries and headers of a form, beside its file."""


async def uploaded(request: Request[Any, Any, Any], field: str, *, too_large: str) -> bytes:
    """The content of the form's one file; its name and its declared type mean nothing.

    Raises: Rejected validation_failed, malformed_request, and `too_large` for a body beyond the route's limit.
    """
    try:
        form = await request.form()
    except RequestEntityTooLarge as error:
        raise Rejected(too_large) from error
    except (ClientException, UnicodeError, LookupError) as error:
        raise Rejected("malformed_request", "the body is not a form that can be read") from error
    try:
        found = list(form.multi_items())
        if len(found) != 1 or found[0][0] != field or not isinstance(found[0][1], UploadFile):
            detail = f"the form has one field, `{field}`, and it is one file with a name"
            raise Rejected("validation_failed", detail, pointer=f"/{field}")
        return await found[0][1].read()
    finally:
        for _, value in form.multi_items():
            if isinstance(value, UploadFile):
                await value.close()


def form_schema(field: str) -> dict[str, Any]:
    """The request body in the OpenAPI document."""
    file = {"type": "string", "format": "binary", "description": "The file; its content decides what it is."}
    schema = {"type": "object", "properties": {field: file}, "required": [field], "additionalProperties": False}
    return {"required": True, "content": {FORM: {"schema": schema}}}
