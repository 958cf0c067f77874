"""What we read of Solana: accounts, heights, fees, the history of an address. Contract: gateways/protocols.py."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from domain.launchpad.judging import host_of_name
from domain.launchpad.nonces import value_in
from domain.launchpad.solana import (
    Account,
    AccountFilter,
    Blockhash,
    ChainTransaction,
    Clock,
    Commitment,
    NonceState,
    SignatureRow,
)
from domain.shared.errors import Unavailable
from gateways.evm.envelopes import Call
from gateways.protocols import Quarantined
from gateways.solana.failover import Failover
from gateways.solana.rpc import CODE
from gateways.solana.shapes import (
    AccountShape,
    Answered,
    BlockhashShape,
    FeeShape,
    ProgramAccountShape,
    SignatureShape,
    TransactionShape,
    Unsigned,
    parse,
)

BLOCKHASH_LIFE: Final = 150
"""Blocks in which a transaction may land after the one whose hash it has."""
CLOCK: Final = "SysvarC1ock11111111111111111111111111111111"

_ANSWERED: Final = TypeAdapter(Answered)
_ACCOUNT: Final[TypeAdapter[AccountShape | None]] = TypeAdapter(AccountShape | None)
_ACCOUNTS: Final = TypeAdapter(list[AccountShape | None])
_PROGRAM_ACCOUNTS: Final = TypeAdapter(list[ProgramAccountShape])
_NUMBER: Final = TypeAdapter(Unsigned)
_BLOCKHASH: Final = TypeAdapter(BlockhashShape)
_FEES: Final = TypeAdapter(list[FeeShape])
_SIGNATURES: Final = TypeAdapter(list[SignatureShape])
_TRANSACTION: Final = TypeAdapter(TransactionShape)
_LOOSE: Final[dict[str, Any]] = {"block_time": None}


class Reading(Failover):
    """One answer is enough; absence is believed of two nodes."""

    async def account(
        self, address: str, *, commitment: Commitment = "confirmed", min_slot: int | None = None
    ) -> Account | None:
        return (await self.accounts([address], commitment=commitment, min_slot=min_slot))[0]

    async def accounts(
        self, addresses: Sequence[str], *, commitment: Commitment = "confirmed", min_slot: int | None = None
    ) -> list[Account | None]:
        options: dict[str, Any] = {"commitment": commitment, "encoding": "base64"}
        if min_slot is not None:
            options["minContextSlot"] = min_slot
        call = Call("getMultipleAccounts", (list(addresses), options))

        def read(source: str, answers: list[Any]) -> list[Account | None]:
            answered = parse(_ANSWERED, answers[0], source, "accounts")
            shapes = parse(_ACCOUNTS, answered.value, source, "accounts")
            if len(shapes) != len(addresses):
                raise Quarantined(source, "accounts", f"not {len(addresses)} accounts", answers[0])
            return [
                None if shape is None else _account(address, shape, answered.context.slot)
                for address, shape in zip(addresses, shapes, strict=True)
            ]

        found = await self.first(call, read=read)
        if None not in found or len(self.nodes) == 1:
            return found
        # what one node does not see another may: absence is believed of two
        for other in await self.every(call, read=read):
            found = [mine if mine is not None else theirs for mine, theirs in zip(found, other, strict=True)]
        return found

    async def nonces(self, address: str) -> list[NonceState]:
        def read(source: str, answers: list[Any]) -> NonceState:
            answered = parse(_ANSWERED, answers[0], source, "nonce")
            shape = parse(_ACCOUNT, answered.value, source, "nonce")
            value = None if shape is None else value_in(shape.owner, shape.data)
            return NonceState(node=source, slot=answered.context.slot, value=value)

        options = {"commitment": "finalized", "encoding": "base64"}
        return await self.every(Call("getAccountInfo", (address, options)), read=read)

    async def program_accounts(
        self, program: str, *, filters: Sequence[AccountFilter] = (), commitment: Commitment = "confirmed"
    ) -> list[Account]:
        wanted = [{"memcmp": {"offset": one.offset, "bytes": one.base58}} for one in filters]
        options = {"commitment": commitment, "encoding": "base64", "withContext": True, "filters": wanted}

        def read(source: str, answers: list[Any]) -> list[Account]:
            answered = parse(_ANSWERED, answers[0], source, "program accounts")
            shapes = parse(_PROGRAM_ACCOUNTS, answered.value, source, "program accounts")
            return [_account(shape.pubkey, shape.account, answered.context.slot) for shape in shapes]

        return await self.first(Call("getProgramAccounts", (program, options)), read=read)

    async def balance(self, address: str, *, commitment: Commitment = "confirmed") -> int:
        def read(source: str, answers: list[Any]) -> int:
            return parse(_NUMBER, parse(_ANSWERED, answers[0], source, "balance").value, source, "balance")

        return await self.first(Call("getBalance", (address, {"commitment": commitment})), read=read)

    async def rent(self, size: int) -> int:
        return await self.first(Call("getMinimumBalanceForRentExemption", (size,)), read=_number("rent"))

    async def blockhash(self) -> Blockhash:
        options = {"commitment": "confirmed"}

        def read(source: str, answers: list[Any]) -> tuple[str, Blockhash]:
            answered = parse(_ANSWERED, answers[0], source, "blockhash")
            shape = parse(_BLOCKHASH, answered.value, source, "blockhash")
            height, last = parse(_NUMBER, answers[1], source, "height"), shape.lastValidBlockHeight
            if abs(height + BLOCKHASH_LIFE - last) > BLOCKHASH_LIFE:
                raise Unavailable(CODE, f"{source} is at {height} and calls a blockhash good until {last}")
            return source, Blockhash(blockhash=shape.blockhash, last_valid_height=last, height=height)

        calls = Call("getLatestBlockhash", (options,)), Call("getBlockHeight", (options,))
        told = dict(await self.every(*calls, read=read))
        chosen = next(told[node.name] for node in self.ranked() if node.name in told)
        height = max(one.height for one in told.values())
        bound = height + BLOCKHASH_LIFE
        if bound - chosen.last_valid_height > BLOCKHASH_LIFE:
            raise Unavailable(
                CODE, f"a blockhash is good until {chosen.last_valid_height}, other nodes are at {height}"
            )
        return Blockhash(blockhash=chosen.blockhash, last_valid_height=bound, height=height)

    async def height(self, *, commitment: Commitment = "finalized") -> int:
        return await self.first(Call("getBlockHeight", ({"commitment": commitment},)), read=_number("height"))

    async def clock(self, *, commitment: Commitment = "confirmed") -> Clock:
        account = await self.account(CLOCK, commitment=commitment)
        if account is None or len(account.data) < 40:
            raise Unavailable(CODE, "the chain's clock cannot be read")
        slot, _, _, _, at = struct.unpack_from("<QqQQq", account.data)
        return Clock(slot=slot, unix_timestamp=at)

    async def recent_fees(self, addresses: Sequence[str]) -> list[int]:
        def read(source: str, answers: list[Any]) -> list[int]:
            return [shape.prioritizationFee for shape in parse(_FEES, answers[0], source, "fees")]

        return await self.first(Call("getRecentPrioritizationFees", (list(addresses)[:128],)), read=read)

    async def signatures_for(
        self,
        address: str,
        *,
        until: str | None = None,
        before: str | None = None,
        limit: int = 1_000,
        commitment: Commitment = "finalized",
    ) -> list[SignatureRow]:
        options = {"commitment": commitment, "limit": limit, "until": until, "before": before}
        given = {name: value for name, value in options.items() if value is not None}

        def read(source: str, answers: list[Any]) -> list[SignatureRow]:
            return [
                SignatureRow(signature=row.signature, slot=row.slot, err=row.err, block_time=row.blockTime)
                for row in parse(_SIGNATURES, answers[0], source, "signatures")
            ]

        return await self.first(Call("getSignaturesForAddress", (address, given)), read=read)

    async def transaction(
        self, signature: str, *, commitment: Commitment = "finalized", agreed: bool = False
    ) -> ChainTransaction | None:
        options = {"commitment": commitment, "encoding": "json", "maxSupportedTransactionVersion": 0}
        call = Call("getTransaction", (signature, options))

        def read(source: str, answers: list[Any]) -> ChainTransaction | None:
            return None if answers[0] is None else _transaction(signature, answers[0], source)

        if agreed:
            return _agreed(await self.every(call, read=lambda source, answers: (source, read(source, answers))))
        found = await self.first(call, read=read)
        if found is not None or len(self.nodes) == 1:
            return found
        return next((one for one in await self.every(call, read=read) if one is not None), None)


def _number(kind: str) -> Callable[[str, list[Any]], int]:
    return lambda source, answers: parse(_NUMBER, answers[0], source, kind)


def _account(address: str, shape: AccountShape, slot: int) -> Account:
    return Account(address=address, owner=shape.owner, lamports=shape.lamports, data=shape.data, slot=slot)


def _agreed(told: Sequence[tuple[str, ChainTransaction | None]]) -> ChainTransaction | None:
    """What two hosts tell alike, or the only one that answers. Times, which nodes may lack, are not compared."""
    known = [(host_of_name(source), one.model_copy(update=_LOOSE), one) for source, one in told if one is not None]
    wanted = min(2, len({host_of_name(source) for source, _ in told}))
    for _, facts, one in known:
        if len({host for host, other, _ in known if other == facts}) >= wanted:
            return one
    return None


def _transaction(signature: str, raw: Any, source: str) -> ChainTransaction:
    shape = parse(_TRANSACTION, raw, source, "transaction")
    accounts, meta = shape.names(), shape.meta
    if shape.transaction.signatures[:1] != [signature] or len(accounts) != len(meta.preBalances):
        raise Quarantined(source, "transaction", f"is not {signature}, or has not a balance for each account", raw)
    try:
        instructions, inner = shape.instructions(), shape.inner()
    except (IndexError, ValueError) as failure:
        raise Quarantined(source, "transaction", f"an instruction cannot be read: {failure}", raw) from failure
    return ChainTransaction(
        signature=signature,
        slot=shape.slot,
        block_time=shape.blockTime,
        err=meta.err,
        fee_lamports=meta.fee,
        accounts=tuple(accounts),
        pre_lamports=tuple(meta.preBalances),
        post_lamports=tuple(meta.postBalances),
        instructions=instructions,
        inner=inner,
    )
