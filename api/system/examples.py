"""What the system's routes answer, by example, for the document."""

from __future__ import annotations

from typing import Any, Final

_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
_AT: Final = "2026-11-21T04:00:00.000000Z"


def page(item: dict[str, Any]) -> dict[str, Any]:
    """A list of one."""
    return {"items": [item], "next_cursor": None}


STATUS: Final = {
    "temporal": {
        "failed_workflows": 0,
        "running_workflows": 12,
        "queues": [
            {
                "name": "exchange",
                "workflow_backlog": 0,
                "workflow_pollers": 2,
                "activity_backlog": 0,
                "activity_pollers": 2,
            }
        ],
        "schedules": [{"id": "solvency", "paused": False, "next_run_at": "2026-11-21T04:01:00Z"}],
    },
    "http": {"requests": 1200, "errors": 3, "error_rate_bps": 25},
    "operations": {"completed": 40, "running": 2},
    "undispatched": 0,
    "dead_letters": 0,
    "open_alerts": 0,
    "webhook_deliveries": {"delivered": 17},
    "last_event_at": _AT,
    "last_backfill_at": None,
    "copytrade": {
        "following": 3,
        "last_canonical_event_at": None,
        "last_read_at": None,
        "venue_lag_s": 4,
        "chain_socket": "up",
        "q_group_events": 0,
        "q_copy_attempt_user": 0,
        "q_ingest_waiting": 0,
        "last_mark_at": None,
        "last_snapshot_at": None,
        "last_backfill_at": None,
        "drifting_tokens": 0,
    },
    "chains": [
        {
            "chain_id": 421614,
            "head_block": 120,
            "next_block": 121,
            "safe_block": 104,
            "finalized_block": 88,
            "halted_reason": None,
            "updated_at": _AT,
        }
    ],
    "jobs": [{"job": "solvency", "ok": True, "detail": {}, "created_at": _AT}],
    "database_bytes": 12_000_000,
}
AUDIT: Final = {
    "id": "17",
    "principal": _ID,
    "action": "control_off",
    "subject": "exchange.withdrawals",
    "detail": {"reason": "node under maintenance"},
    "created_at": _AT,
}
PROBLEM: Final = {
    "code": "amount_precision",
    "status": 400,
    "title": "More decimals than the unit has.",
    "advice": "USDC has 6 decimals; amounts are never rounded for you.",
}
NEW_CONTROL: Final = {"name": "exchange.withdrawals", "enabled": False, "reason": "node under maintenance"}
CONTROL: Final = NEW_CONTROL | {"changed_by": _ID, "changed_at": _AT}
ALERT: Final = {
    "id": _ID,
    "code": "nonce_drift",
    "subject": f"withdrawal:{_ID}",
    "severity": "critical",
    "detail": "a nonce of the hot wallet was used elsewhere",
    "data": {},
    "times": 2,
    "created_at": _AT,
    "last_seen_at": _AT,
    "resolved_at": None,
    "resolved_by": None,
}
QUARANTINED: Final = {
    "id": _ID,
    "source": "https://node.example",
    "kind": "transfer_log",
    "reason": "data of 1 bytes instead of 32",
    "payload": {"token": "0x" + "12" * 20, "count": 1, "first_block": 120, "last_block": 120},
    "state": "held",
    "decided_by": None,
    "decided_at": None,
    "taken_up_at": None,
    "created_at": _AT,
}
DECIDED: Final = {"decided_by": _ID, "decided_at": _AT}
