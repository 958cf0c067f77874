"""Today's workflow code replays yesterday's histories, schedules the same inputs, and ends with the same result."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

import workflows
from domain.shared.processes import Start
from workflows.client import data_converter
from workflows.registry import WORKFLOW_FAILURES, WORKFLOWS

REPLAY = Path(__file__).parent / "replay"
GOLDENS = sorted((REPLAY / "histories").rglob("*.json"))
ALL = [kind for kinds in WORKFLOWS.values() for kind in kinds]


def _name(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


def _history(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(file.stem, file.read_text())


def _replayer(kinds: list[type[Any]]) -> Replayer:
    """Also what runs outside the sandbox in production is replayed inside it."""
    sandbox = SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules("domain", "activities")
    )
    return Replayer(
        workflows=kinds,
        data_converter=data_converter(),
        workflow_failure_exception_types=WORKFLOW_FAILURES,
        workflow_runner=sandbox,
        unsandboxed_workflow_runner=sandbox,
    )


@pytest.mark.parametrize("file", GOLDENS, ids=_name)
async def test_golden_history_replays(file: Path) -> None:
    await _replayer(ALL).replay_workflow(_history(file))


def test_every_workflow_has_a_golden() -> None:
    have = {file.parent.name for file in GOLDENS}
    assert {workflow._Definition.must_from_class(kind).name for kind in ALL} - have == set()


@workflow.defn(name="Deposit")
class ReorderedDeposit:
    """The same name, other commands: what a careless edit would do."""

    @workflow.run
    async def run(self, start: Start) -> None:
        await workflow.sleep(timedelta(seconds=1))

    @workflow.signal
    def news(self, news: dict[str, str]) -> None:
        return None


async def test_changed_commands_do_not_replay() -> None:
    """The negative control: the replayer does notice."""
    file = REPLAY / "histories" / "Deposit" / "credited.json"
    with pytest.raises(workflow.NondeterminismError):
        await _replayer([ReorderedDeposit]).replay_workflow(_history(file))


def _payload(value: dict[str, Any] | None) -> Any:
    return [json.loads(base64.b64decode(p["data"])) for p in (value or {}).get("payloads", []) if p.get("data")]


def test_goldens_show_the_inputs_and_results_that_matter() -> None:
    """Replay alone would let an amount change: what was scheduled and returned is compared as well."""
    events = json.loads((REPLAY / "histories" / "Withdrawal" / "approved_and_settled.json").read_text())["events"]
    scheduled = [
        e["activityTaskScheduledEventAttributes"] for e in events if "activityTaskScheduledEventAttributes" in e
    ]
    signing = [_payload(a["input"])[0] for a in scheduled if a["activityType"]["name"] == "sign_transaction"]
    assert [(s["purpose"], s["replace"]) for s in signing] == [("withdrawal", False)]
    assert {a["taskQueue"]["name"] for a in scheduled if a["activityType"]["name"] == "sign_transaction"} == {
        "evm-signer"
    }
    ended = next(e for e in events if "workflowExecutionCompletedEventAttributes" in e)
    result = _payload(ended["workflowExecutionCompletedEventAttributes"]["result"])
    assert result == [{"status": "settled", "failure_code": None}]


@pytest.mark.parametrize(
    ("golden", "status"),
    [
        ("FundingRound/activated", "active"),
        ("FundingRound/refunded_after_its_deadline", "cancelled"),
        ("FundingRound/cancelled_by_an_operator", "cancelled"),
        ("LpWithdrawal/paid_at_once", "paid"),
        ("LpWithdrawal/refused", "refused"),
        ("LpWithdrawal/queued_and_paid", "paid"),
        ("LpWithdrawal/paid_by_another", "paid"),
        ("LpWithdrawal/given_up", "cancelled"),
        ("LpFeeClaim/paid", "paid"),
        ("LpFeeClaim/nothing_owed", "refused"),
    ],
)
def test_goldens_of_liquidity_end_as_their_names_say(golden: str, status: str) -> None:
    events = json.loads((REPLAY / "histories" / f"{golden}.json").read_text())["events"]
    ended = events[-1]["workflowExecutionCompletedEventAttributes"]
    assert _payload(ended["result"])[0]["status"] == status


@pytest.mark.parametrize(
    ("golden", "status"),
    [("booked", "booked"), ("rejected", "rejected"), ("expired", "expired"), ("refused_by_the_books", "failed")],
)
def test_goldens_of_corrections_end_as_their_names_say(golden: str, status: str) -> None:
    events = json.loads((REPLAY / "histories" / "Correction" / f"{golden}.json").read_text())["events"]
    ended = events[-1]["workflowExecutionCompletedEventAttributes"]
    assert _payload(ended["result"])[0]["status"] == status


@pytest.mark.parametrize(
    ("golden", "counts"),
    [("nothing_is_due", (0, 0)), ("paid_and_burned", (2, 0)), ("somebody_else_paid_out", (2, 1))],
)
def test_goldens_of_tax_cycles_end_as_their_names_say(golden: str, counts: tuple[int, int]) -> None:
    events = json.loads((REPLAY / "histories" / "TaxDistribution" / f"{golden}.json").read_text())["events"]
    done = _payload(events[-1]["workflowExecutionCompletedEventAttributes"]["result"])[0]
    assert (done["landed"], done["failed"]) == counts
    assert ("nothing_due" in done["summary"]) == bool(done["failed"])


@pytest.mark.parametrize(
    ("golden", "counts"),
    [("nothing_is_due", (0, 0)), ("paid_and_closed", (2, 0)), ("refused_by_the_chain", (0, 1))],
)
def test_goldens_of_aftercare_end_as_their_names_say(golden: str, counts: tuple[int, int]) -> None:
    events = json.loads((REPLAY / "histories" / "SaleAftercare" / f"{golden}.json").read_text())["events"]
    done = _payload(events[-1]["workflowExecutionCompletedEventAttributes"]["result"])[0]
    assert (done["landed"], len(done["refused"])) == counts


@pytest.mark.parametrize(("golden", "count"), [("agrees", 0), ("differs", 1)])
def test_goldens_of_comparisons_end_as_their_names_say(golden: str, count: int) -> None:
    events = json.loads((REPLAY / "histories" / "LaunchpadReconcile" / f"{golden}.json").read_text())["events"]
    found = _payload(events[-1]["workflowExecutionCompletedEventAttributes"]["result"])[0]
    assert (found["sales"], len(found["differs"])) == (1, count)


@pytest.mark.parametrize(
    ("golden", "status", "signed"),
    [
        ("live", "live", ["mint", "create_sale"]),
        ("parked_after_the_mint_and_resumed", "live", ["mint", "create_sale", "create_sale"]),
        ("signed_by_its_creator", "live", ["nonce", "mint", "create_sale"]),
        ("held_by_the_kill_switch", "live", ["mint", "create_sale"]),
        ("undone_when_the_pinning_node_refused", "undone", []),
        ("cancelled_while_it_waited_for_a_payment", "undone", []),
        ("stuck_on_its_nonce_and_cancelled", "undone", ["mint", "void", "mint"]),
    ],
)
def test_goldens_of_launches_end_as_their_names_say(golden: str, status: str, signed: list[str]) -> None:
    """And sign what they say, in this order; after that both once more, until they are final."""
    events = json.loads((REPLAY / "histories" / "TokenLaunch" / f"{golden}.json").read_text())["events"]
    ended = events[-1]["workflowExecutionCompletedEventAttributes"]
    assert _payload(ended["result"])[0]["status"] == status
    scheduled = [
        e["activityTaskScheduledEventAttributes"] for e in events if "activityTaskScheduledEventAttributes" in e
    ]
    signing = [a for a in scheduled if a["activityType"]["name"] == "sign_solana"]
    assert {a["taskQueue"]["name"] for a in signing} <= {"solana-signer"}
    keys = [_payload(a["input"])[0]["key"].split(":") for a in signing]
    assert [key[2] if key[0] == "launch" else key[0] for key in keys] == (
        [*signed, "mint", "create_sale"] if status == "live" else signed
    )


# --- fingerprints: the commands each workflow can issue, in the order of its source ------------------------------

COMMANDS = {
    "execute_activity_method", "execute_local_activity_method", "execute_activity", "execute_local_activity",
    "execute_child_workflow", "start_child_workflow", "sleep", "wait_condition", "continue_as_new",
    "upsert_search_attributes", "signal", "patched", "deprecate_patch",
}  # fmt: skip


def _commands(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in COMMANDS:
            first = ast.unparse(node.args[0]) if node.args and node.func.attr.startswith("execute") else ""
            found.append((node.lineno, node.col_offset, f"{node.func.attr}({first})"))
    return [command for _, _, command in sorted(found)]


def _fingerprints() -> dict[str, str]:
    root = Path(workflows.__file__).parent
    files = [f for f in sorted(root.rglob("*.py")) if _commands(f.read_text())]
    return {
        str(f.relative_to(root)): hashlib.sha256("\n".join(_commands(f.read_text())).encode()).hexdigest()[:16]
        for f in files
    }


def test_commands_of_released_workflows_have_not_changed_unnoticed() -> None:
    """A changed fingerprint means that running processes may not survive the deploy.

    Gate the change by `workflow.patched`, add a golden for the new path, then write the new fingerprint into
    replay/fingerprints.json (docs/concepts/processes.md, "Changing a workflow").
    """
    stored = json.loads((REPLAY / "fingerprints.json").read_text())
    assert _fingerprints() == stored
