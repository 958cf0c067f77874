"""Calls between programs as the local Solana tells of them: in the order they ran, with the height of each."""

from __future__ import annotations

from pathlib import Path

from solders.instruction import Instruction
from solders.keypair import Keypair

from domain.shared import base58
from tests.caller_lab import CALLER, MEMO, built_caller, calling
from tests.svm_lab import SOL, blockhash, call, pays, send, signed
from tests.world.svm import running_svm


async def test_inner_instructions_have_their_height_and_order(tmp_path: Path) -> None:
    payer, to = Keypair(), Keypair()
    memo = Instruction(MEMO, b"hi", [])
    async with running_svm(programs={CALLER: built_caller(tmp_path)}) as svm:
        svm.fund(payer.pubkey(), 10 * SOL)
        url = svm.urls[0]
        steps = [memo, calling(pays(payer, to.pubkey(), SOL), memo, deeper=2), memo, calling(memo)]
        signature = await send(url, signed(payer, steps, await blockhash(url)))
        assert svm.landed(signature) is None
        svm.confirm()
        options = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
        told = await call(url, "getTransaction", signature, {**options, "encoding": "json"})
        keys = told["transaction"]["message"]["accountKeys"]
        first, second = told["meta"]["innerInstructions"]
        assert (first["index"], second["index"]) == (1, 3)
        found = [(one["stackHeight"], keys[one["programIdIndex"]]) for one in first["instructions"]]
        assert found == [(2, str(CALLER)), (3, str(CALLER)), (4, "1" * 32), (4, str(MEMO))]
        paid = first["instructions"][2]
        assert [keys[index] for index in paid["accounts"]] == [str(payer.pubkey()), str(to.pubkey())]
        assert base58.decode(paid["data"]) == bytes(pays(payer, to.pubkey(), SOL).data)
        assert second["instructions"] == [
            {"programIdIndex": keys.index(str(MEMO)), "accounts": [], "data": base58.encode(b"hi"), "stackHeight": 2}
        ]
        parsed = await call(url, "getTransaction", signature, {**options, "encoding": "jsonParsed"})
        assert parsed["meta"]["innerInstructions"][0]["instructions"][2] == {
            "programId": "1" * 32, "accounts": [str(payer.pubkey()), str(to.pubkey())], "data": paid["data"],
            "stackHeight": 4,
        }  # fmt: skip


async def test_calls_of_a_transaction_that_failed_are_told_as_far_as_they_came(tmp_path: Path) -> None:
    payer, to = Keypair(), Keypair()
    async with running_svm(programs={CALLER: built_caller(tmp_path)}) as svm:
        svm.fund(payer.pubkey(), SOL)
        dear = calling(Instruction(MEMO, b"hi", []), pays(payer, to.pubkey(), 5 * SOL))
        signature = await send(svm.urls[0], signed(payer, [dear], await blockhash(svm.urls[0])))
        assert svm.landed(signature) == {"InstructionError": [0, {"Custom": 1}]}
        svm.confirm()
        told = await call(
            svm.urls[0], "getTransaction", signature, {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
        )
        [group] = told["meta"]["innerInstructions"]
        assert [one["stackHeight"] for one in group["instructions"]] == [2, 2]
