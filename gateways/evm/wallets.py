"""What wallets need of the chain: balances, nonces, gas, simulation and broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.exchange.tokens import encode_transfer
from domain.shared.errors import Rejected
from gateways.evm.addresses import keccak
from gateways.evm.envelopes import Call, NodeError
from gateways.evm.refusals import is_execution_failure, is_known_already, revert_reason, send_failure
from gateways.evm.rpc import RpcClient
from gateways.evm.shapes import Hash, Shape, data, parse, quantity
from gateways.evm.tokens import balance_of_data, read_uint, transfer_refusal
from gateways.protocols import Quarantined

SIMULATION_GAS: Final = 5_000_000
"""Gas a token may burn in a simulation: bounds what a hostile one can make the node compute and return."""


class _Known(Shape):
    """A transaction or its answer to a broadcast, as far as we look: whatever its type, it has a hash."""

    hash: Hash


class Wallets:
    """The half of EvmChain that concerns our own wallets. Contract: gateways/evm/protocols.py."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc

    # --- balances ----------------------------------------------------------------------------------------------------

    async def token_balances(self, token: str, addresses: Sequence[str], block_number: int | None) -> list[int]:
        at = "latest" if block_number is None else hex(block_number)
        calls = [Call("eth_call", ({"to": token, "data": balance_of_data(each)}, at)) for each in addresses]
        answers = await self._rpc.batch(calls)
        return [self._uint(answer) for answer in answers]

    def _uint(self, raw: Any) -> int:
        try:
            return read_uint(data(raw, self._rpc.source, "balance"))
        except ValueError as failure:
            raise Quarantined(self._rpc.source, "balance", str(failure), raw) from failure

    async def eth_balances(self, addresses: Sequence[str]) -> list[int]:
        answers = await self._rpc.batch([Call("eth_getBalance", (each, "latest")) for each in addresses])
        return [quantity(answer, self._rpc.source, "balance") for answer in answers]

    # --- sending -----------------------------------------------------------------------------------------------------

    async def transaction_count(self, address: str, *, pending: bool = False, block_number: int | None = None) -> int:
        at = hex(block_number) if block_number is not None else "pending" if pending else "latest"
        answer = await self._rpc.call("eth_getTransactionCount", address, at)
        return quantity(answer, self._rpc.source, "transaction_count")

    async def knows(self, tx_hash: str) -> bool:
        raw = await self._rpc.call("eth_getTransactionByHash", tx_hash)
        if raw is None:
            return False
        if parse(_Known, raw, self._rpc.source, "transaction").hash != tx_hash:
            raise Quarantined(self._rpc.source, "transaction", f"is not {tx_hash}", raw)
        return True

    async def simulate_transfer(self, token: str, sender: str, to: str, amount: int) -> str | None:
        call = {
            "from": sender,
            "to": token,
            "data": "0x" + encode_transfer(to, amount).hex(),
            "gas": hex(SIMULATION_GAS),
        }
        said, code = await self._rpc.answers(
            [Call("eth_call", (call, "latest")), Call("eth_getCode", (token, "latest"))]
        )
        for answer in (said, code):
            if isinstance(answer, NodeError) and not is_execution_failure(answer):
                raise answer
        if isinstance(said, NodeError):
            return revert_reason(said)
        if not data(code, self._rpc.source, "code"):
            return "no contract at the token's address"
        return transfer_refusal(data(said, self._rpc.source, "call"))

    async def estimate_gas(self, sender: str, to: str, data: bytes, value_wei: int) -> int:
        call = {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value_wei)}
        try:
            answer = await self._rpc.call("eth_estimateGas", call)
        except NodeError as failure:
            if is_execution_failure(failure):
                raise Rejected("send_refused", revert_reason(failure), reason="reverts") from failure
            refusal = send_failure(failure)
            known = refusal.data.get("reason") == "insufficient_gas_funds"
            raise (refusal if known else failure) from failure
        return quantity(answer, self._rpc.source, "gas")

    async def send_raw(self, raw: bytes) -> None:
        expected = "0x" + keccak(raw).hex()
        try:
            answer = await self._rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
        except NodeError as failure:
            if is_known_already(failure):
                return
            raise send_failure(failure) from failure
        if parse(_Known, {"hash": answer}, self._rpc.source, "sent").hash != expected:
            raise Quarantined(self._rpc.source, "sent", f"another hash than {expected}", answer)
