"""`holdfast migrate`: bring the database to the newest revision."""

from __future__ import annotations

from cli import context
from cli.context import DataDir
from cli.output import Json, Yes, agreed, out, print_json


def migrate(yes: Yes = False, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Apply pending database revisions; without --yes list them."""
    from storage import migrate as revisions

    dsn = context.database_url(data_dir)
    context.run(lambda: context.check_database(dsn))
    pending = revisions.pending(dsn)
    if pending and not agreed(yes, [f"apply revision {name}" for name in pending], as_json=as_json):
        return
    applied = revisions.upgrade(dsn) if pending else []
    if as_json:
        print_json({"applied": applied, "pending": []})
    else:
        out.print(f"applied {', '.join(applied)}" if applied else "the database is at its newest revision")
