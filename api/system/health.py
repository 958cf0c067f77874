"""Is the process up, is it ready, and what Prometheus wants to know."""

from __future__ import annotations

from typing import Any, Final

import structlog
from litestar import Response, get
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pydantic import BaseModel

from api.deps import Deps
from api.http import bodies
from api.http.documented import public
from api.system.temporal import reachable
from domain.shared.errors import Unavailable
from storage.reads import gauges
from storage.reads import system as reads

TAG: Final = "System"
_PLAIN: Final = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")
"""The framework names the character set itself."""
_log = structlog.get_logger("api.health")


class HealthView(BaseModel):
    """`commit` is empty when the build does not know it."""

    status: str
    version: str
    commit: str
    profile: str


class ReadyView(BaseModel):
    ready: bool
    database: str
    migrations: str
    temporal: str


@get("/api/health",
     **public("Health", tag=TAG, response_example={"status": "ok", "version": "0.1.0", "commit": "",
                                                   "profile": "local"}))  # fmt: skip
async def health(deps: Deps) -> Response[HealthView]:
    """The process answers. Says nothing about its neighbours: see /api/ready."""
    config = deps.config
    answer = {"status": "ok", "version": config.version, "commit": config.commit, "profile": config.profile}
    return bodies.encoded(answer)


@get("/api/ready",
     **public("Readiness", "unavailable", "temporal_unavailable", tag=TAG,
              response_example={"ready": True, "database": "ok", "migrations": "0001", "temporal": "ok"}))  # fmt: skip
async def ready(deps: Deps) -> Response[ReadyView]:
    """Postgres answers, no migration is pending, and Temporal is reachable; otherwise 503 with what is missing.

    A database that a newer release has migrated is ready: that is how a release is rolled back.
    """
    at, shipped = await reads.revision(deps.reads), reads.shipped_revisions()
    if shipped.pending(at):
        raise Unavailable("unavailable", f"the database is at migration {at}, this code needs {shipped.newest}")
    if not await reachable(deps.processes):
        raise Unavailable("temporal_unavailable", "the workflow service does not answer")
    return bodies.encoded({"ready": True, "database": "ok", "migrations": at, "temporal": "ok"})


class _Samples(Collector):
    """The books' gauges as read for this scrape."""

    def __init__(self, samples: list[gauges.Sample]) -> None:
        self._samples = samples

    def collect(self) -> list[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for sample in self._samples:
            labels = [sample.label] if sample.label else []
            family = families.setdefault(
                sample.name, GaugeMetricFamily(sample.name, gauges.HELP[sample.name], labels=labels)
            )
            family.add_metric([sample.value_of] if labels else [], float(sample.value))
        return list(families.values())


@get("/metrics", media_type="text/plain", **public("Prometheus metrics", tag=TAG))
async def metrics(deps: Deps, registry: CollectorRegistry) -> Response[Any]:
    """Request metrics of this process and gauges read from the books now. Public on this port; the proxy hides it.

    Without Postgres the process's own metrics are still answered, with `holdfast_books_readable 0`.
    """
    text = generate_latest(registry)
    books = CollectorRegistry()
    readable = GaugeMetricFamily("holdfast_books_readable", "1: Postgres answered this scrape.")
    try:
        books.register(_Samples(await gauges.samples(deps.reads)))
        readable.add_metric([], 1)
    except Unavailable as error:
        _log.warning("scrape_without_books", code=error.code)
        readable.add_metric([], 0)
    books.register(_Fixed(readable))
    return Response(text + generate_latest(books), media_type=_PLAIN)


class _Fixed(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> list[Metric]:
        return [self._family]
