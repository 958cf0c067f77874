"""What must not be written, how long things may be, what docstrings promise."""

from __future__ import annotations

import ast
import re
import subprocess

from tests.pages import PAGES, ROOT, relative, sources

MODULE_LINES = 300
FUNCTION_LINES = 50
LONG_MODULES: dict[str, int] = {"storage/exchange/withdrawals.py": 305}
LONG_FUNCTIONS: dict[str, int] = {}
"""Today's exceptions with the most they may have; they may shrink, not grow."""


def test_no_machine_path_and_no_registry_stands_in_the_tree() -> None:
    registries = ("py" + "pi.org", "pythonhosted" + ".org", "registry.npm" + "js.org")
    machine = re.compile(r"(?<![\w.])/(?:work|root|home|Users)/[a-zA-Z]")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout.decode()
    tracked = [ROOT / name for name in listed.split("\0") if name and "/static/vendor/" not in name]
    for path in {*PAGES, *(path for path in tracked if path.is_file())}:
        text = path.read_bytes().decode(errors="ignore")
        assert not any(name in text for name in registries), relative(path)
        assert not machine.search(text), relative(path)


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
