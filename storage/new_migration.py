"""Write a new migration from what the tables say and DATABASE_URL has not: `make migration m="what changes"`."""

from __future__ import annotations

import os
import sys

from alembic import command

from storage.migrate import config, engine


def main() -> None:
    """Autogenerate below storage/migrations/versions; read what it wrote before you commit it."""
    if len(sys.argv) != 2 or not sys.argv[1].strip() or "DATABASE_URL" not in os.environ:
        raise SystemExit('usage: DATABASE_URL=… make migration m="what changes"')
    source = engine(os.environ["DATABASE_URL"])
    with source.connect() as connection:
        command.revision(config(connection), message=sys.argv[1], autogenerate=True)
    source.dispose()


if __name__ == "__main__":
    main()
