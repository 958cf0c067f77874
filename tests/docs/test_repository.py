"""CI, the image's context, the licence."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import yaml

from tests.deployment import (
    ROOT,
    run,
)


def test_ci_runs_the_make_targets() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    assert triggers["push"]["branches"] == triggers["pull_request"]["branches"] == ["main", "develop"]
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step.get("run", "") for step in workflow["jobs"]["test"]["steps"]]
    called = {target for step in steps if step.startswith("make ") for target in step.split()[1:]}
    assert called == {"setup", "lint", "types", "contracts", "test"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        for step in job["steps"]:
            assert "@main" not in step.get("uses", "")
            assert "@master" not in step.get("uses", "")


def test_yaml_is_clean() -> None:
    paths = ["docker-compose.yml", "deploy", "docs/reference/alerts.yml", ".github"]
    outcome = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", *paths], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stdout


def test_image_context_is_an_allow_list() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    for needed in ("alembic.ini", "requirements.lock", "deploy/probe.py"):
        assert needed in allowed
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    modules = {f"{name}.py" for name in setuptools["py-modules"]}
    packages = {name.removesuffix("*") for name in setuptools["packages"]["find"]["include"]} - {"localnet"}
    assert modules | packages <= allowed, "what the processes import is in the image"
    assert not allowed & {".env", "tests", "localnet", "benchmarks", ".git", "deploy"}


def test_production_entry_points_do_not_need_the_local_stack() -> None:
    """The image leaves localnet out; the CLI may reach for it only inside the commands that start it."""
    entries = [name for name in ("server", "worker", "cli.main") if (ROOT / f"{name.replace('.', '/')}.py").exists()]
    assert len(entries) == 3, entries
    program = f"import sys; sys.modules['localnet'] = None; import {', '.join(entries)}"
    outcome = run([sys.executable, "-c", program], PYTHONPATH=str(ROOT))
    assert outcome.returncode == 0, outcome.stderr


def test_license_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text) > 11_000
