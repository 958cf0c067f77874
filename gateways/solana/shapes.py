"""What we read of a Solana node's answers. Strict in every field we use, blind to all others."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from domain.launchpad.solana import InnerCall
from domain.launchpad.transactions import Instruction, Meta
from domain.shared import base58
from gateways.protocols import Quarantined

Unsigned = Annotated[int, Field(ge=0, lt=2**64)]


def _base64_pair(value: Any) -> bytes:
    """`[data, "base64"]`."""
    if not isinstance(value, list) or len(value) != 2 or value[1] != "base64" or not isinstance(value[0], str):
        raise ValueError("not [data, base64]")
    try:
        return base64.b64decode(value[0], validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _base58_of(size: int) -> BeforeValidator:
    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > 2 * size or len(base58.decode(value)) != size:
            raise ValueError(f"not {size} bytes in base58")
        return value

    return BeforeValidator(check)


Letters = Annotated[str, Field(pattern=f"^[{base58.ALPHABET}]*$")]
Address = Annotated[str, _base58_of(32)]
SignatureText = Annotated[str, _base58_of(64)]


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Context(Shape):
    slot: Unsigned


class Answered(Shape):
    """Any value with the slot it is from."""

    context: Context
    value: Any


class AccountShape(Shape):
    lamports: Unsigned
    owner: Address
    data: Annotated[bytes, BeforeValidator(_base64_pair)]


class ProgramAccountShape(Shape):
    pubkey: Address
    account: AccountShape


class BlockhashShape(Shape):
    blockhash: Address
    lastValidBlockHeight: Unsigned


class EpochShape(Shape):
    absoluteSlot: Unsigned
    blockHeight: Unsigned


class StatusShape(Shape):
    slot: Unsigned
    err: Any
    confirmationStatus: Literal["processed", "confirmed", "finalized"]


class FeeShape(Shape):
    prioritizationFee: Unsigned


class SimulatedShape(Shape):
    """`accounts`: of those asked for, in order; null when the transaction failed."""

    err: Any
    logs: list[str] | None
    unitsConsumed: Unsigned | None = None
    accounts: list[AccountShape | None] | None = None


class SignatureShape(Shape):
    signature: SignatureText
    slot: Unsigned
    err: Any
    blockTime: int | None = None


class LoadedShape(Shape):
    writable: list[Address] = []
    readonly: list[Address] = []


class StepShape(Shape):
    programIdIndex: Annotated[int, Field(ge=0, lt=256)]
    accounts: list[Annotated[int, Field(ge=0, lt=256)]]
    data: Letters


class InnerStepShape(StepShape):
    """`stackHeight` is null of transactions older than it, of which none is ours."""

    stackHeight: Annotated[int, Field(ge=2, lt=256)]


class InnerShape(Shape):
    """What one instruction of the message made programs call, in order."""

    index: Annotated[int, Field(ge=0, lt=256)]
    instructions: list[InnerStepShape]


class MetaShape(Shape):
    """`innerInstructions` is null of what failed before it ran, and where a node keeps none: of no use to us."""

    err: Any
    fee: Unsigned
    preBalances: list[Unsigned]
    postBalances: list[Unsigned]
    innerInstructions: list[InnerShape] | None
    loadedAddresses: LoadedShape = LoadedShape()


class HeaderShape(Shape):
    numRequiredSignatures: Unsigned
    numReadonlySignedAccounts: Unsigned
    numReadonlyUnsignedAccounts: Unsigned


class MessageShape(Shape):
    header: HeaderShape
    accountKeys: list[Address]
    instructions: list[StepShape]


class WireShape(Shape):
    signatures: list[SignatureText]
    message: MessageShape


class TransactionShape(Shape):
    """Of encoding `json`."""

    slot: Unsigned
    blockTime: int | None = None
    meta: MetaShape
    transaction: WireShape

    def names(self) -> list[str]:
        """All accounts: those of the message, then those from lookup tables."""
        loaded = self.meta.loadedAddresses
        return [*self.transaction.message.accountKeys, *loaded.writable, *loaded.readonly]

    def instructions(self) -> tuple[Instruction, ...]:
        """Of the message. Raises: IndexError, ValueError when they name what is not there."""
        names = self.names()
        return tuple(
            Instruction(
                program=names[step.programIdIndex],
                accounts=tuple(self._meta(names, index) for index in step.accounts),
                data=base64.b64encode(base58.decode(step.data)).decode(),
            )
            for step in self.transaction.message.instructions
        )

    def inner(self) -> tuple[InnerCall, ...]:
        """What programs called, as it ran; what failed may have called nothing.

        Raises: IndexError, ValueError when a call has no caller, or calls are not told.
        """
        if self.meta.innerInstructions is None:
            if self.meta.err is None:
                raise ValueError("it says nothing of what was called")
            return ()
        names, found, step = self.names(), list[InnerCall](), -1
        for group in self.meta.innerInstructions:
            if not step < group.index < len(self.transaction.message.instructions):
                raise ValueError("a call under an instruction that is not there, or not in order")
            step, height = group.index, 1
            for one in group.instructions:
                if one.stackHeight > height + 1:
                    raise ValueError("a call without a caller")
                height, program = one.stackHeight, names[one.programIdIndex]
                found.append(InnerCall(step=step, height=height, program=program, data=one.data))
        return tuple(found)

    def _meta(self, names: list[str], index: int) -> Meta:
        header, own = self.transaction.message.header, len(self.transaction.message.accountKeys)
        signer = index < header.numRequiredSignatures
        if index >= own:
            writable = index < own + len(self.meta.loadedAddresses.writable)
        elif signer:
            writable = index < header.numRequiredSignatures - header.numReadonlySignedAccounts
        else:
            writable = index < own - header.numReadonlyUnsignedAccounts
        return Meta(address=names[index], signer=signer, writable=writable)


T = TypeVar("T")


def parse(adapter: TypeAdapter[T], raw: Any, source: str, kind: str) -> T:
    """Read a raw answer.

    Raises: Quarantined, with the answer, when it is not of this shape.
    """
    try:
        return adapter.validate_python(raw)
    except ValidationError as failure:
        reasons = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in failure.errors(include_input=False)[:3]]
        text = repr(raw)
        raise Quarantined(source, kind, "; ".join(reasons), raw if len(text) < 2**16 else text[: 2**16]) from failure
