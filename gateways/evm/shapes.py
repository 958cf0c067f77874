"""What we read of blocks, logs and receipts. Strict in every field we use, blind to all others.

So an unknown transaction type (Arbitrum's 0x64…0x6A), a field of a future fork or a provider's extra changes nothing,
while a number that is not hexadecimal or a hash of 31 bytes stops right here.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from domain.exchange.messages import BlockRef
from gateways.protocols import Quarantined

_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}\Z", re.ASCII)
_DATA: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*\Z", re.ASCII)


def to_quantity(value: Any) -> int:
    """0x-hexadecimal to an integer; leading zeros are tolerated, JSON numbers are not."""
    if not isinstance(value, str) or not _QUANTITY.match(value):
        raise ValueError("not a hexadecimal quantity")
    return int(value, 16)


def to_data(value: Any) -> bytes:
    """0x-hexadecimal to bytes, whole bytes only."""
    if not isinstance(value, str) or not _DATA.match(value):
        raise ValueError("not hexadecimal data")
    return bytes.fromhex(value[2:])


def _hex_of(size: int) -> Any:
    def check(value: Any) -> str:
        if len(to_data(value)) != size:
            raise ValueError(f"not {size} bytes")
        return str(value).lower()

    return BeforeValidator(check)


Quantity = Annotated[int, BeforeValidator(to_quantity)]
Data = Annotated[bytes, BeforeValidator(to_data)]
Hash = Annotated[str, _hex_of(32)]
Address = Annotated[str, _hex_of(20)]


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Block(Shape):
    """A header. Transactions in it are not looked at."""

    number: Quantity
    hash: Hash
    parentHash: Hash
    baseFeePerGas: Quantity | None = None

    def ref(self) -> BlockRef:
        return BlockRef(number=self.number, hash=self.hash, parent_hash=self.parentHash)


class Log(Shape):
    address: Address
    topics: tuple[Hash, ...]
    data: Data
    blockNumber: Quantity
    blockHash: Hash
    transactionHash: Hash
    logIndex: Quantity
    removed: bool = False

    @model_validator(mode="before")
    @classmethod
    def _arrays(cls, value: Any) -> Any:
        return _tuples(value, "topics")


class MinedTransaction(Shape):
    """A receipt. Logs belong to it and their indexes ascend, or it is refused."""

    transactionHash: Hash
    blockHash: Hash
    blockNumber: Quantity
    status: Quantity
    gasUsed: Quantity
    effectiveGasPrice: Quantity
    logs: tuple[Log, ...]

    @model_validator(mode="before")
    @classmethod
    def _arrays(cls, value: Any) -> Any:
        return _tuples(value, "logs")

    @model_validator(mode="after")
    def _coherent(self) -> MinedTransaction:
        if self.status not in (0, 1):
            raise ValueError("status is neither 0 nor 1")
        for log in self.logs:
            if (log.transactionHash, log.blockHash) != (self.transactionHash, self.blockHash):
                raise ValueError("a log belongs to another transaction or block")
        indexes = [log.logIndex for log in self.logs]
        if any(b <= a for a, b in pairwise(indexes)):
            raise ValueError("log indexes do not ascend")
        return self

    def ordinal(self, log: Log) -> int:
        """Place of a log in its receipt: stable when the block's other transactions move (exchange.md 1)."""
        return log.logIndex - self.logs[0].logIndex


def _tuples(value: Any, field: str) -> Any:
    """JSON arrays as the tuples that strict models want."""
    if isinstance(value, dict) and isinstance(value.get(field), list):
        return {**value, field: tuple(value[field])}
    return value


ShapeT = TypeVar("ShapeT", bound=Shape)


def parse(model: type[ShapeT], raw: Any, source: str, kind: str) -> ShapeT:
    """Read a raw answer.

    Raises: Quarantined, with the answer, when it is not of this shape.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as failure:
        reasons = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in failure.errors(include_input=False)[:3]]
        raise Quarantined(source, kind, "; ".join(reasons), raw) from failure


def quantity(raw: Any, source: str, kind: str) -> int:
    """Read a bare quantity. Raises: Quarantined."""
    try:
        return to_quantity(raw)
    except ValueError as failure:
        raise Quarantined(source, kind, str(failure), raw) from failure


def data(raw: Any, source: str, kind: str) -> bytes:
    """Read bare bytes. Raises: Quarantined."""
    try:
        return to_data(raw)
    except ValueError as failure:
        raise Quarantined(source, kind, str(failure), raw) from failure
