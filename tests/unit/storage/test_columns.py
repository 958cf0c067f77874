"""Array literals: what Postgres reads back is what was put in, or nothing is written."""

from __future__ import annotations

import pytest

from storage.columns import numbers, texts, words


def test_columns_are_array_literals() -> None:
    assert texts(["trade:1", "", "users:a:available"]) == '{"trade:1","","users:a:available"}'
    assert texts([]) == "{}"
    assert texts([""]) == '{""}'
    assert numbers([1, None, -(10**37)]) == "{1,NULL,-" + "1" + "0" * 37 + "}"
    assert words(["filled", None]) == "{filled,NULL}"
    assert words([]) == "{}"


@pytest.mark.parametrize("value", ['a"b', "a\\b", '","', '"'])
def test_quotes_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="quote"):
        texts(["x", value, "y"])
