"""The curve in C against the curve in Python, to the unit, through the program's own view instruction."""

from __future__ import annotations

import struct
from random import Random

import pytest
from solders.instruction import Instruction

from domain.launchpad import curves
from domain.launchpad.curves import PRICE_LEAST, PRICE_MOST, RATIO_MOST, U64, Curve, Shape
from tests.programs.interface import LAUNCHPAD
from tests.programs.lab import PLAIN, curve_of
from tests.programs.ledger import PROGRAM, Ledger, Refused

CASES_PER_CALL = 24
C_LIMIT, TRADE_LIMIT = 40_000, 120_000


def any_case(random: Random) -> tuple[Curve, int]:
    """A curve of any allowed size, and a point of it: often an edge."""
    start = min(int(10 ** random.uniform(3, 19)), PRICE_MOST - 1)
    start = max(PRICE_LEAST, start)
    target = random.choice([start + 1, min(PRICE_MOST, start * RATIO_MOST), start + random.randint(1, start)])
    target = random.choice([target, random.randint(start + 1, min(PRICE_MOST, start * RATIO_MOST))])
    target = min(PRICE_MOST, target)
    supply = random.choice([1, U64, random.randint(1, U64), int(10 ** random.uniform(0, 19))])
    near = random.randint(0, min(supply, 1_000))
    sold = random.choice([0, supply, near, supply - near, random.randint(0, supply), random.randint(0, supply)])
    return Curve(random.choice(list(Shape)), start, target, supply, random.randint(0, 9)), sold


def view(ledger: Ledger, cases: list[tuple[Curve, int]]) -> tuple[list[tuple[int, int]], int]:
    """[(C, price)] as the program answers, and the compute it took."""
    rows = [
        {
            "startPrice": curve.start,
            "targetPrice": curve.target,
            "supply": curve.supply,
            "sold": sold,
            "shape": int(curve.shape),
            "decimals": curve.decimals,
        }
        for curve, sold in cases
    ]
    done = ledger.send(Instruction(PROGRAM, LAUNCHPAD.call_data("viewCurve", rows), []))
    answer = bytes(done.return_data().data).ljust(16 * len(cases), b"\0")
    return list(struct.iter_unpack("<QQ", answer)), done.compute_units_consumed()


def compare(seed: int, count: int) -> None:
    ledger, random = Ledger(), Random(seed)
    for _ in range(0, count, CASES_PER_CALL):
        cases = [any_case(random) for _ in range(CASES_PER_CALL)]
        expected = [(min(curves.reserve(*case), U64), curves.spot(*case)) for case in cases]
        assert view(ledger, cases)[0] == expected, cases


@pytest.mark.parametrize("part", range(4))
def test_program_and_python_agree_to_the_unit(part: int) -> None:
    """10^4 cases."""
    compare(part, 2_500)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_program_and_python_agree_to_the_unit_on_a_hundred_thousand() -> None:
    compare(99, 100_000)


@pytest.mark.parametrize("shape", Shape)
def test_one_evaluation_stays_within_its_budget(shape: Shape) -> None:
    """C and the price together cost less than twice the limit of C; each is at least a third of it."""
    curve = curve_of({**PLAIN, "shape": shape, "targetPrice": PLAIN["startPrice"] * 10_000})
    _, units = view(Ledger(), [(curve, curve.supply * 2 // 3)])
    assert units < C_LIMIT * 5 // 4


def test_a_case_outside_of_the_proof_is_refused() -> None:
    curve, ledger = curve_of(PLAIN), Ledger()
    for wrong, sold in ((curve._replace(start=999), 0), (curve._replace(decimals=10), 0), (curve, curve.supply + 1)):
        with pytest.raises(Refused, match="badCurve"):
            view(ledger, [(wrong, sold)])
    with pytest.raises(Refused, match="badData"):
        view(ledger, [(curve, 0)] * 33)
