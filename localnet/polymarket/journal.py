"""What the venue remembers over a restart: one fact a line, replayed at the start.

Books, faults and settings are not kept. A line that was cut off by a crash is dropped; it was told to nobody.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any

from localnet.polymarket.facts import Action, apply
from localnet.polymarket.venue import Venue


class Journal:
    """`born`: the second in which the world began, from which its end dates count."""

    def __init__(self, path: Path, now_s: int) -> None:
        self.path = path
        self.facts: list[Action] = []
        self.born = now_s
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._read()
        self._file: IO[str] = path.open("a", encoding="utf-8")
        os.truncate(path, whole)
        if whole == 0:
            self._write({"born": now_s})

    def _read(self) -> int:
        """Reads all whole lines; returns how many bytes they take."""
        if not self.path.exists():
            return 0
        whole = 0
        for line in self.path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            told = json.loads(line)
            whole += len(line)
            if "born" in told:
                self.born = int(told["born"])
            else:
                self.facts.append(Action(told["verb"], told["asked"]))
        return whole

    def replay(self, venue: Venue) -> int:
        """Makes the world what it was; returns the number of facts."""
        for fact in self.facts:
            apply(venue, fact)
        count = len(self.facts)
        venue.skip_transactions(count * 2)
        self.facts = []
        return count

    def append(self, fact: Action) -> None:
        self._write({"verb": fact.verb, "asked": fact.asked})

    def _write(self, told: dict[str, Any]) -> None:
        self._file.write(json.dumps(told, separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
