"""Trying out, sending, and asking every node what became of it. Contract: gateways/protocols.py."""

from __future__ import annotations

import base64
from typing import Any, Final

from pydantic import TypeAdapter

from domain.launchpad.solana import Commitment, Epoch, Simulated, View
from domain.shared.errors import Unavailable
from gateways.evm.envelopes import Call
from gateways.protocols import Quarantined
from gateways.solana.failover import Failover
from gateways.solana.rpc import CODE, Node
from gateways.solana.shapes import Answered, EpochShape, SimulatedShape, Unsigned, parse

_ANSWERED: Final = TypeAdapter(Answered)
_EPOCH: Final = TypeAdapter(EpochShape)
_NUMBER: Final = TypeAdapter(Unsigned)
_SIMULATED: Final = TypeAdapter(SimulatedShape)
_LOOKS: Final = 4
"""Times a simulation is repeated because the wallet's balance moved beside it."""


class Sending(Failover):
    """Every node is told and every node is asked."""

    async def simulate(self, transaction: bytes, *, watched: str) -> Simulated:
        """The wallet's balance is read before and after in the same request, of the same newest state: when both agree,
        what it loses is the transaction's doing alone."""
        told = base64.b64encode(transaction).decode()
        options = {
            "encoding": "base64",
            "commitment": "processed",
            "sigVerify": False,
            "accounts": {"encoding": "base64", "addresses": [watched]},
        }
        balance = Call("getBalance", (watched, {"commitment": "processed"}))
        for _ in range(_LOOKS):
            found = await self.first(balance, Call("simulateTransaction", (told, options)), balance, read=_simulated)
            if found is not None:
                return found
        raise Unavailable(CODE, f"the balance of {watched} moves too fast to be compared")

    async def send(self, raw: bytes) -> list[str]:
        told = base64.b64encode(raw).decode()
        call = Call("sendTransaction", (told, {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}))

        async def tell(node: Node) -> str:
            try:
                await node.ask(call)
            except Unavailable as failure:
                return failure.detail
            return ""

        return [said for said in await self.each(tell) if said]

    async def statuses(self, signature: str, *, search: bool = False) -> list[View]:
        desks = self._history if search else self._recent
        return await self.each(lambda node: desks[node.name].ask(signature))

    async def epochs(self, *, commitment: Commitment = "finalized") -> list[Epoch]:
        def read(source: str, answers: list[Any]) -> Epoch:
            shape = parse(_EPOCH, answers[0], source, "epoch")
            return Epoch(node=source, slot=shape.absoluteSlot, height=shape.blockHeight)

        return await self.every(Call("getEpochInfo", ({"commitment": commitment},)), read=read)


def _simulated(source: str, answers: list[Any]) -> Simulated | None:
    """None: the balance moved meanwhile, so that the difference says nothing."""
    before, after = (
        parse(_NUMBER, parse(_ANSWERED, answers[place], source, "balance").value, source, "balance") for place in (0, 2)
    )
    shape = parse(_SIMULATED, parse(_ANSWERED, answers[1], source, "simulation").value, source, "simulation")
    if shape.err is None and before != after:
        return None
    left = before
    if shape.err is None:
        if shape.accounts is None or len(shape.accounts) != 1:
            raise Quarantined(source, "simulation", "the watched account is not in it", answers[1])
        left = shape.accounts[0].lamports if shape.accounts[0] is not None else 0
    return Simulated(
        err=shape.err, logs=tuple(shape.logs or ()), units=shape.unitsConsumed or 0, lost_lamports=before - left
    )
