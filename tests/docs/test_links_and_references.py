"""Links resolve, generated references are fresh, lists are complete."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from domain.shared.processes import PROCESSES
from tests.pages import PAGES, ROOT, relative


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_resolve(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target.split("#")[0]).exists(), f"{relative(page)} → {target}"


def test_every_page_is_reachable() -> None:
    linked: set[Path] = set()
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s:]+)\)", page.read_text()):
            linked.add((page.parent / target.split("#")[0]).resolve())
    lost = [relative(page) for page in PAGES if page.resolve() not in linked and page.parent != ROOT]
    assert not lost


def test_generated_references_are_fresh() -> None:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.stale() == [], "run `make docs`"


def test_operations_page_names_every_kind_and_step() -> None:
    from domain.exchange.withdrawals import STEPS
    from storage.exchange.custody import SWEEP_STEPS
    from storage.exchange.observations import DEPOSIT_STEPS

    text = (ROOT / "docs/reference/operations.md").read_text()
    assert all(f"`{kind}`" in text for kind in PROCESSES)
    for steps in (STEPS, DEPOSIT_STEPS, SWEEP_STEPS):
        assert " ".join(f"`{step}`" for step in steps) in text


def test_metrics_page_names_every_gauge() -> None:
    from storage.reads.gauges import HELP

    text = (ROOT / "docs/reference/metrics.md").read_text()
    assert [name for name in HELP if name not in text] == []


def test_processes_page_names_every_workflow() -> None:
    from workflows.registry import WORKFLOWS

    text = (ROOT / "docs/concepts/processes.md").read_text()
    names = [cls.__name__.removesuffix("Workflow") for listed in WORKFLOWS.values() for cls in listed]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_decisions_are_numbered_listed_and_shaped() -> None:
    folder = ROOT / "docs/decisions"
    pages = sorted(page for page in folder.glob("[0-9]*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    index = (folder / "README.md").read_text()
    for page in pages:
        text = page.read_text()
        assert f"({page.name})" in index
        assert text.startswith(f"# {page.name[:4]} — ")
        for part in ("**Decided.**", "## Context", "## Consequences"):
            assert part in text, f"{page.name}: {part}"
