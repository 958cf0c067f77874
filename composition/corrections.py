"""Corrections of the ledger: part of the queue `operations`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.operations.corrections import CorrectionActivities
from activities.operations.parking import ParkingActivities
from composition.parts import Parts
from storage.corrections import CorrectionStore


def corrections(opened: Parts) -> list[Callable[..., Any]]:
    """Every activity of corrections."""
    made = CorrectionActivities(CorrectionStore(opened.books))
    return [
        *(made.read_correction, made.decide_correction, made.expire_correction, made.book_correction),
        ParkingActivities(opened.jobs).park_operation,
    ]
