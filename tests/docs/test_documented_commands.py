"""Commands, routes and settings that pages name exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer

from tests.pages import PAGES, ROOT, fenced, relative

NOT_SETTINGS = {
    "RECOVERY_KILLS",
    "LAUNCH_LAUNCHES",
    "NAME_FILE",
    "TYPE_CHECKING",
    "ALLOW_DUPLICATE",
    "REJECT_DUPLICATE",
    "USE_EXISTING",
    "HTTP_PROXY",
    "NUM_HISTORY_SHARDS",
}


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
    from domain.copytrade.entries import Scope
    from domain.copytrade.reasons import Reason

    fields = {name.upper() for name in settings.SignerSettings.model_fields | settings.ApiSettings.model_fields}
    deploy = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    not_settings = NOT_SETTINGS | {str(word) for words in (Reason, Scope) for word in words}
    for page in PAGES:
        for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", page.read_text()):
            known = name in fields | deploy | not_settings or name.startswith("HOLDFAST_")
            assert known, f"{relative(page)} names {name}"


def test_readme_is_one_screen_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 90
    assert "```\nmake demo\nmake test\n```" in text
