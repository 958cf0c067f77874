"""Every defect of the seeds' exchange that can occur in ours is replayed by a test that bears its number."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from tests.pages import ROOT

REPLAYED = {
    4: "pending requests were not counted: 15 × 100 queued of 100 vested",
    5: "150 instant withdrawals, each of a quarter of what was left",
    6: "one old cent made a fresh fortune vest",
    7: "eight parallel fee claims were paid twice",
    8: "eight parallel instant withdrawals passed the limit",
    9: "a missed deadline refunded more than was contributed",
    10: "traders' money activated an asset, and the hard cap did not hold",
    11: "oracle signals moved the curve, and holders redeemed more than was there",
    12: "dust bought shares for nothing",
    14: "deposits missed, doubled, or credited without being on the chain",
    17: "the root in doubles gave too many shares",
    19: "nine of ten concurrent buyers failed",
    21: "one of two oracle events was lost",
}
"""What was seen there, by its number in the acceptance list. Shorts, stops, limits (1 to 3, 18, 20) are not built."""


def test_each_defect_has_a_test_of_its_number() -> None:
    named: dict[int, set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for number in re.findall(r"_d(\d+)(?=_|$)", node.name):
                    named[int(number)].add(node.name)
    assert {number: what for number, what in REPLAYED.items() if not named[number]} == {}
