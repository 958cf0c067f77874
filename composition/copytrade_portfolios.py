"""The wiring of paper portfolios: marks, snapshots, rebuilds, Test config."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.copytrade.closes import CloseActivities
from activities.copytrade.config_tests import ConfigTestActivities
from activities.copytrade.marks import MarkActivities
from activities.copytrade.rebuild import RebuildActivities
from activities.copytrade.snapshots import SnapshotActivities
from composition.parts import Parts
from settings import WorkerSettings
from storage.copytrade.closes import CloseStore
from storage.copytrade.config_tests import ConfigTestStore
from storage.copytrade.marks import MarkStore
from storage.copytrade.rebuild import RebuildStore
from storage.copytrade.snapshots import SnapshotStore


def portfolios(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Every activity of paper portfolios."""
    closes = CloseActivities(CloseStore(opened.books), opened.polymarket.clob)
    return [
        MarkActivities(MarkStore(opened.books), opened.polymarket.clob).read_marks,
        SnapshotActivities(SnapshotStore(opened.books)).take_snapshots,
        RebuildActivities(RebuildStore(opened.books)).rebuild_snapshots,
        ConfigTestActivities(ConfigTestStore(opened.books)).test_config,
        *(closes.read_close_book, closes.book_close, closes.reject_close),
    ]
