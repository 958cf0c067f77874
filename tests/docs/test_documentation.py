"""The pages against the code: runbooks, commands, links, generated references, docstrings, sizes."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from domain.shared.problems import PROBLEMS
from domain.shared.processes import PROCESSES

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("domain", "workflows", "activities", "storage", "gateways", "api", "cli", "localnet", "contracts")
MODULES = ("worker.py", "server.py", "settings.py", "composition.py", "telemetry.py")
HEADINGS = ["Seen as", "Means", "Check", "Act", "Verify", "After"]
RUNBOOKS = sorted(page for page in (ROOT / "runbooks").glob("*.md") if page.stem != "README")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "runbooks").glob("*.md")])

MODULE_LINES = 300
FUNCTION_LINES = 50
LONG_MODULES: dict[str, int] = {"composition.py": 345, "storage/exchange/withdrawals.py": 305}
LONG_FUNCTIONS: dict[str, int] = {"composition.py:exchange": 60}  # one list of what the queue serves
"""Today's exceptions with the most they may have; they may shrink, not grow."""


def sources() -> list[Path]:
    found = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    return [p for p in found if "migrations/versions" not in p.as_posix()] + [ROOT / name for name in MODULES]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


NOT_SETTINGS = {
    "NAME_FILE",
    "TYPE_CHECKING",
    "ALLOW_DUPLICATE",
    "REJECT_DUPLICATE",
    "USE_EXISTING",
    "HTTP_PROXY",
    "NUM_HISTORY_SHARDS",
}


# --- runbooks ---------------------------------------------------------------------------------------------------------


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


# --- commands ---------------------------------------------------------------------------------------------------------


def fenced(text: str) -> Iterator[str]:
    """Lines of fenced blocks, and commands in backticks."""
    for block in re.findall(r"^[ ]*```[a-z]*\n(.*?)^[ ]*```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", text)


def commands() -> Iterator[tuple[str, list[str]]]:
    """(page, words) of every `holdfast …` a page asks somebody to type."""
    for page in PAGES:
        for line in fenced(page.read_text()):
            match = re.search(r"(?:^|\s|/)holdfast ((?:[a-z]).*)$", line.strip())
            if match:
                yield relative(page), match[1].split("#")[0].split("|")[0].split()


def test_every_holdfast_command_exists_with_its_options() -> None:
    from cli.main import app

    root = typer.main.get_command(app)
    seen = 0
    for page, words in commands():
        command, rest = root, list(words)
        while rest and hasattr(command, "commands"):
            name = rest.pop(0)
            assert name in command.commands, f"{page}: holdfast {' '.join(words)}: no command {name}"
            command = command.commands[name]
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for word in rest:
            if word.startswith("--"):
                assert word.split("=")[0] in options | {"--help"}, f"{page}: holdfast {' '.join(words)}: {word}"
        seen += 1
    assert seen > 40


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for line in fenced(page.read_text()):
            match = re.match(r"\s*make ((?:[a-z-]+(?![=a-z-]) ?)+)", line)
            for target in match[1].split() if match else ():
                assert target in targets, f"{relative(page)}: make {target}"


def test_every_route_that_is_called_exists() -> None:
    from cli.openapi import document

    templates = [re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + r"\Z") for path in document()["paths"]]
    seen = 0
    for page in PAGES:
        for path in re.findall(r"\$API(/[A-Za-z_/-]+)", page.read_text()):
            seen += 1
            known = any(template.match(path) for template in templates)
            assert known or path == "/metrics", f"{relative(page)}: {path}"
    assert seen > 30


def test_every_setting_that_is_named_exists() -> None:
    import settings

    fields = {name.upper() for name in settings.SignerSettings.model_fields | settings.ApiSettings.model_fields}
    deploy = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    for page in PAGES:
        for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", page.read_text()):
            known = name in fields | deploy | NOT_SETTINGS or name.startswith("HOLDFAST_")
            assert known, f"{relative(page)} names {name}"


def test_readme_is_one_screen_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 90
    assert "```\nmake demo\nmake test\n```" in text


# --- links, references ------------------------------------------------------------------------------------------------


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
    from storage.exchange.chain import DEPOSIT_STEPS
    from storage.exchange.custody import SWEEP_STEPS

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


# --- what must not be written -----------------------------------------------------------------------------------------


def test_no_machine_path_and_no_registry_stands_in_the_tree() -> None:
    registries = ("py" + "pi.org", "pythonhosted" + ".org", "registry.npm" + "js.org")
    machine = re.compile(r"(?<![\w.])/(?:work|root|home|Users)/[a-zA-Z]")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout.decode()
    tracked = [ROOT / name for name in listed.split("\0") if name and "/static/vendor/" not in name]
    for path in {*PAGES, *(path for path in tracked if path.is_file())}:
        text = path.read_bytes().decode(errors="ignore")
        assert not any(name in text for name in registries), relative(path)
        assert not machine.search(text), relative(path)


# --- style of the code ------------------------------------------------------------------------------------------------


def test_modules_and_functions_are_short() -> None:
    long: dict[str, int] = {}
    large: dict[str, int] = {}
    for path in sources():
        text = path.read_text()
        lines = len(text.splitlines())
        if lines > LONG_MODULES.get(relative(path), MODULE_LINES):
            large[relative(path)] = lines
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > FUNCTION_LINES:
                    long[f"{relative(path)}:{node.name}"] = length
    assert not large
    assert not {name: n for name, n in long.items() if n > LONG_FUNCTIONS.get(name, FUNCTION_LINES)}


def decorated(node: ast.AST, name: str) -> bool:
    return any(ast.unparse(d).startswith(name) for d in getattr(node, "decorator_list", ()))


def test_activities_and_workflows_say_what_they_promise() -> None:
    wrong: list[str] = []
    counted = 0
    for folder, mark, words in (
        ("activities", "activity.defn", ("Effect:", "Again:")),
        ("workflows", "workflow.defn", ("Waits for:", "Ends when:", "Undo:")),
    ):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not decorated(node, mark):
                    continue
                assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                counted += 1
                doc = ast.get_docstring(node) or ""
                wrong += [f"{relative(path)}:{node.name} lacks {word}" for word in words if word not in doc]
    assert counted > 25
    assert not wrong
