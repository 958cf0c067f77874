"""Ways in which the venue goes wrong, by name, as the control route takes them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localnet.evm_faults import Drop, Fault, HttpAnswer, Stall, html, server_error

CLOUDFLARE = "<!DOCTYPE html><html><head><title>Access denied | polymarket.com used Cloudflare</title></head></html>"
NO_BOOK = "No orderbook exists for the requested token id"


@dataclass(frozen=True)
class Delay(Fault):
    """The right answer, later."""

    seconds: float


@dataclass(frozen=True)
class Stale(Fault):
    """The last answer to the same question once more, with its trace id."""


@dataclass(frozen=True)
class Twist(Fault):
    """The right answer, changed."""

    change: Callable[[Any], Any]


def _limited(asked: dict[str, Any]) -> HttpAnswer:
    """The API's own 429, with the seconds to wait."""
    body = {"error": "too many requests", "code": "rate_limited", "retryable": True, "trace_id": "f" * 32}
    headers = {"Retry-After": f"{asked.get('seconds', 1):g}"}
    return HttpAnswer(429, json.dumps(body), "application/json", headers)


def _error(status: int, code: str) -> HttpAnswer:
    body = {"error": code.replace("_", " "), "code": code, "retryable": True, "trace_id": "e" * 32}
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    return HttpAnswer(status, json.dumps(body), "application/json", headers)


def _rows(change: Callable[[list[Any]], list[Any]]) -> Twist:
    """Changes the rows of a page, or of a bare array."""

    def apply(answer: Any) -> Any:
        if isinstance(answer, list):
            return change(answer)
        if isinstance(answer, dict) and isinstance(answer.get("data"), list):
            return {**answer, "data": change(answer["data"])}
        return answer

    return Twist(apply)


def _shuffled(rows: list[Any]) -> list[Any]:
    mixed = list(rows)
    random.Random(7).shuffle(mixed)
    return mixed if mixed != rows else mixed[::-1]


def _each(change: Callable[[dict[str, Any]], Any]) -> Twist:
    return _rows(lambda rows: [change(dict(row)) if isinstance(row, dict) else row for row in rows])


def _without(name: str) -> Twist:
    return _each(lambda row: {key: value for key, value in row.items() if key != name})


def _as(name: str, value: Any) -> Twist:
    return _each(lambda row: {**row, name: value} if name in row else row)


def _books(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Twist:
    """Changes a book, or each of several."""

    def apply(answer: Any) -> Any:
        if isinstance(answer, list):
            return [change(dict(one)) if isinstance(one, dict) else one for one in answer]
        return change(dict(answer)) if isinstance(answer, dict) and "bids" in answer else answer

    return Twist(apply)


def _unsorted(book: dict[str, Any]) -> dict[str, Any]:
    return {**book, "bids": _shuffled(book["bids"]), "asks": _shuffled(book["asks"])}


def _crossed(book: dict[str, Any]) -> dict[str, Any]:
    return {**book, "bids": [{"price": "0.6", "size": "100"}], "asks": [{"price": "0.55", "size": "100"}]}


def _placeholder(book: dict[str, Any]) -> dict[str, Any]:
    return {**book, "bids": [{"price": "0.01", "size": "5000"}], "asks": [{"price": "0.99", "size": "5000"}]}


FAULTS: dict[str, Callable[[dict[str, Any]], Fault]] = {
    # any route
    "http_429": _limited,
    "http_429_bare": lambda asked: HttpAnswer(429, "error code: 1015"),
    "http_429_html": lambda asked: HttpAnswer(429, CLOUDFLARE, "text/html"),
    "http_403": lambda asked: HttpAnswer(403, "error code: 1010"),
    "http_500": lambda asked: _error(500, "internal"),
    "http_503": lambda asked: _error(503, "dependency_unavailable"),
    "http_502_html": lambda asked: HttpAnswer(502, html().body, "text/html"),
    "plain_5xx": lambda asked: server_error(int(asked.get("status", 503))),
    "html": lambda asked: html(),
    "half_json": lambda asked: HttpAnswer(200, '{"data":[{"proxy_wallet":"0x', "application/json"),
    "empty": lambda asked: HttpAnswer(200, "", "application/json"),
    "drop": lambda asked: Drop(),
    "stall": lambda asked: Stall(float(asked.get("seconds", 600))),
    "delay": lambda asked: Delay(float(asked.get("seconds", 1))),
    "stale": lambda asked: Stale(),
    "says": lambda asked: HttpAnswer(int(asked.get("status", 200)), str(asked.get("text", "")), "application/json"),
    # pages of rows
    "half_page": lambda asked: _rows(lambda rows: rows[: len(rows) // 2]),
    "empty_page": lambda asked: _rows(lambda rows: []),
    "reordered": lambda asked: _rows(_shuffled),
    "duplicated": lambda asked: _rows(lambda rows: [row for row in rows for _ in (0, 1)]),
    "without": lambda asked: _without(str(asked.get("field", "size"))),
    "as": lambda asked: _as(str(asked.get("field", "size")), asked.get("value")),
    "string_numbers": lambda asked: _each(
        lambda row: {key: str(value) if isinstance(value, int | float) else value for key, value in row.items()}
    ),
    "mixed_case": lambda asked: _each(
        lambda row: {**row, **{k: "0x" + row[k][2:].upper() for k in ("proxy_wallet", "proxyWallet") if k in row}}
    ),
    "unlabelled": lambda asked: _as("outcome_index", 999),
    "unknown_type": lambda asked: _as("type", "TELEPORT"),
    "odd_shape": lambda asked: Twist(lambda answer: {"result": "somewhere else"}),
    "bare_list": lambda asked: Twist(lambda answer: answer.get("data", answer) if isinstance(answer, dict) else answer),
    "null_rows": lambda asked: Twist(lambda answer: {**answer, "data": None} if isinstance(answer, dict) else None),
    "no_cursor": lambda asked: Twist(
        lambda answer: {key: value for key, value in answer.items() if key != "pagination"}
    ),
    # books
    "no_book": lambda asked: HttpAnswer(404, json.dumps({"error": NO_BOOK}), "application/json"),
    "unsorted": lambda asked: _books(_unsorted),
    "best_first": lambda asked: _books(lambda one: {**one, "bids": one["bids"][::-1], "asks": one["asks"][::-1]}),
    "no_asks": lambda asked: _books(lambda one: {**one, "asks": []}),
    "no_bids": lambda asked: _books(lambda one: {**one, "bids": []}),
    "crossed": lambda asked: _books(_crossed),
    "placeholder": lambda asked: _books(_placeholder),
    "empty_book": lambda asked: _books(lambda one: {**one, "bids": [], "asks": []}),
    "wrong_hash": lambda asked: _books(lambda one: {**one, "hash": "0" * 40}),
    "odd_level": lambda asked: _books(lambda one: {**one, "asks": [{"price": "cheap", "size": "-1"}]}),
}
