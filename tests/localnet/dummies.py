"""Stand-ins for the product's processes, for tests of ``holdfast up`` itself: each serves its health and environment.

``python dummies.py up DIR`` runs the real ``up`` with them, ``serve`` is a worker or the API, ``migrate`` and
``bootstrap`` are the two commands that run once.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


def serve() -> None:
    port = os.environ.get("API_PORT") or os.environ["METRICS_PORT"]
    HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


def migrate() -> None:
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO starts DEFAULT VALUES")


def bootstrap() -> None:
    print(json.dumps({"account_id": "1", "api_key": os.environ["HOLDFAST_BOOTSTRAP_ADMIN_KEY"]}))


def up(directory: str) -> None:
    sys.path.insert(0, str(ROOT))
    from rich.console import Console

    from cli.stack import Programs
    from cli.up import run_stack

    me = str(Path(__file__))
    served = (me, "serve")
    programs = Programs(served, served, served, (me, "migrate"), (me, "bootstrap"))
    run_stack(Console(force_terminal=False), Path(directory), programs=programs)


def environment_of(url: str) -> dict[str, str]:
    """What a stand-in at ``url`` was started with."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return dict(json.load(answer))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
