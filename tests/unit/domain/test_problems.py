"""Every code that can be raised is listed once, with a status that fits its kind, a title and advice."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.shared import problems
from domain.shared.errors import Broken, Failure, Rejected, Unavailable
from domain.shared.events import TOPICS, Event
from domain.shared.problems import PROBLEMS

ROOT = Path(__file__).parents[3]
PRODUCT = ("domain", "workflows", "activities", "storage", "gateways", "api", "cli")


def raised() -> Iterator[tuple[str, str, str]]:
    """(class, code, place) of every failure the product makes with a literal code."""
    for path in sorted(p for folder in PRODUCT for p in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("Rejected", "Unavailable", "Broken")
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                yield node.func.id, str(node.args[0].value), f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_code_that_is_raised_is_listed() -> None:
    unlisted = [f"{code} ({place})" for _, code, place in raised() if code not in PROBLEMS]
    assert unlisted == []


def test_a_caller_is_never_told_that_an_operator_must_act() -> None:
    wrong = [f"{code} ({place})" for kind, code, place in raised() if kind == "Rejected" and not _client_error(code)]
    assert wrong == []


def _client_error(code: str) -> bool:
    return code in PROBLEMS and 400 <= PROBLEMS[code].status < 500


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_has_a_status_a_title_and_advice(code: str) -> None:
    problem = PROBLEMS[code]
    assert code == code.lower()
    assert code.replace("_", "").isalnum()
    assert problem.status in {400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 429, 500, 503}
    assert problem.title.endswith(".")
    assert problem.advice.strip().endswith(".")
    assert len(problem.title) < 100


def test_no_code_is_listed_twice() -> None:
    tree = ast.parse(Path(problems.__file__).read_text())
    [table] = [node.value for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)
               and isinstance(node.target, ast.Name) and node.target.id == "PROBLEMS"]  # fmt: skip
    assert isinstance(table, ast.Dict)
    keys = [key.value for key in table.keys if isinstance(key, ast.Constant)]
    assert len(keys) == len(set(keys)) == len(PROBLEMS)


def test_failures_say_who_must_act() -> None:
    assert (Rejected.retryable, Unavailable.retryable, Broken.retryable) == (False, True, False)
    assert all(issubclass(kind, Failure) for kind in (Rejected, Unavailable, Broken))


def test_a_failure_carries_code_detail_and_data() -> None:
    failure = Unavailable("chain_unavailable", "no answer", retry_after_s=3, url_index=1)
    assert (failure.code, failure.detail, failure.retry_after_s) == ("chain_unavailable", "no answer", 3)
    assert failure.data == {"url_index": 1}
    assert str(failure) == "chain_unavailable: no answer"
    assert str(Rejected("not_found")) == "not_found"


def test_topics_are_distinct_and_events_start_at_version_one() -> None:
    assert len(set(TOPICS)) == len(TOPICS)
    event = Event(topic=TOPICS[0], type="t", payload={"amount_usdc": "1", "n": 1, "yes": True, "none": None})
    assert event.version == 1
