"""Every code that calls an operator has a runbook, and every runbook its shape."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from domain.shared.problems import PROBLEMS
from tests.pages import ROOT, relative, sources

HEADINGS = ["Seen as", "Means", "Check", "Act", "Verify", "After"]
RUNBOOKS = sorted(page for page in (ROOT / "runbooks").glob("*.md") if page.stem != "README")


def codes_in_code() -> set[str]:
    """Codes that call an operator: Broken, alerts, and stops, as they stand in calls, with names of constants read."""
    found: set[str] = set()
    for path in sources():
        tree = ast.parse(path.read_text())
        constants = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            position = {"Broken": 0, "raise_alert": 1, "alert": 0, "report": 0, "stop_withdrawals": 0}.get(name)
            if position is None or len(node.args) <= position:
                continue
            argument = node.args[position]
            value = argument.value if isinstance(argument, ast.Constant) else constants.get(getattr(argument, "id", ""))
            if isinstance(value, str) and re.fullmatch(r"[a-z]+(_[a-z]+)*", value):
                found.add(value)
    return found


def levels_in_upkeep() -> set[str]:
    """The wallet levels are reported from a table of tuples."""
    tree = ast.parse((ROOT / "activities/exchange/custody.py").read_text())
    firsts = [n.elts[0] for n in ast.walk(tree) if isinstance(n, ast.Tuple) and len(n.elts) == 4]
    return {first.value for first in firsts if isinstance(first, ast.Constant) and isinstance(first.value, str)}


def test_every_code_that_calls_an_operator_has_a_runbook() -> None:
    broken = {code for code, problem in PROBLEMS.items() if problem.status == 500}
    codes = broken | codes_in_code() | levels_in_upkeep()
    assert codes >= {"deep_reorg", "insolvent", "quarantined", "hot_wallet_high", "webhook_failing", "wrong_chain"}
    missing = sorted(code for code in codes if not (ROOT / "runbooks" / f"{code}.md").exists())
    assert not missing, f"without a runbook: {missing}"


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_runbook_has_its_headings_and_is_listed(page: Path) -> None:
    text = page.read_text()
    assert text.startswith("# "), "the title is the symptom"
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    for heading in HEADINGS:
        body = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
        assert body.strip(), f"{heading} is empty"
    assert f"({page.name})" in (ROOT / "runbooks/README.md").read_text()


def test_runbooks_named_in_code_exist() -> None:
    for path in sources():
        for name in re.findall(r"runbooks/([a-z_]+)\.md", path.read_text()):
            assert (ROOT / "runbooks" / f"{name}.md").exists(), f"{relative(path)} names {name}"
