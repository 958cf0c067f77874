"""What the tests of deployments share: a small program, and acts of the loader sent."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from domain.launchpad import deployment
from domain.launchpad.transactions import Instruction as Planned
from gateways.solana.loader import Act
from tests.svm_lab import blockhash, send, signed, status
from tests.world.svm import RunningSvm

_SAYS: Final = (
    "eNqtUr1Ow0AM9qVJW+hA+Bk6oYyZItgisbDAxMAbVCkXCFLKoeaGZoKFR+BZ+ho8Rt+AEe5aG+4sUhj4pMsX+/zFju2ni6vLQAgg"
    "9OAdrJWg6xz9i+ArxPhyCM1zCIN1bOTEcz4BnyHekL0OzbnGOM5j8JnrKozj/AY+k86W39+iewafSTcW3zVZWpoPHRl+MfcfBksM"
    "f0WW5WOt2lIm0zapVC1vi0Zb/zHeh8j7yCn29cBPC4fM7iOvsJYR609EtjOnv0A4OTw0qp7U6m6CZo55d1EDmS4XGrK5koUuIJPt"
    "QzG7v1m/NO1sw3puAsravkPWVMbWxRT+BQIP9aVr7whDZg9QT+3q2r8u/R7m7sH2fYqYPnbmNnLy01xXrH6up7oSzB2wuRPHv9Sf"
    "mrPj6GkPU6YPO+o/df7dRY76sx/m5eITXKU6Zg=="
)
"""`void sol_log_(...); entrypoint(input) { sol_log_("deployed by holdfast", 20); return 0; }`, by programs/build.py."""
GREETING: Final = "deployed by holdfast"


def small_elf(pieces: int) -> bytes:
    """A program that runs, followed by bytes that nobody reads."""
    told = zlib.decompress(base64.b64decode("".join(_SAYS)))
    filling = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(256))
    return told + filling[: deployment.CHUNK * pieces - len(told) - 1]


def built(planned: Planned) -> Instruction:
    metas = [AccountMeta(Pubkey.from_string(m.address), m.signer, m.writable) for m in planned.accounts]
    return Instruction(Pubkey.from_string(planned.program), base64.b64decode(planned.data), metas)


def says(program: str) -> Instruction:
    return Instruction(Pubkey.from_string(program), b"", [])


async def act(svm: RunningSvm, payer: Keypair, *acts: Act | Instruction) -> object:
    """Sends them in one transaction; returns its error."""
    steps = [step for one in acts for step in ([one] if isinstance(one, Instruction) else map(built, one.instructions))]
    url = svm.urls[0]
    signature = await send(url, signed(payer, steps, await blockhash(url)))
    svm.warp(slots=1)
    found = await status(url, signature)
    return found["err"]
