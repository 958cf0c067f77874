"""Tokens launched in the demo: pictures, the request, the creator's signatures, and what the chain says of it."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from typing import Final

import httpx
from solders.keypair import Keypair

from cli.demo.board import say
from cli.demo.client import Resource
from cli.demo.solana import Solana, signed
from cli.demo.world import Ended, Link, World

LAUNCHES: Final = "/api/launchpad/launches"
SOFT_SOL: Final = "2"
HARD_SOL: Final = "6"
_MINT_AUTHORITY: Final = slice(0, 4)
_FREEZE_AUTHORITY: Final = slice(46, 50)


class Launches:
    """`tag`: what makes the names of this demo its own."""

    def __init__(self, world: World, solana: Solana, tag: str) -> None:
        self.world, self.api, self.solana, self._tag = world, world.api, solana, tag

    async def launched(self, name: str, creator: Keypair, ends_at: int, signing: str) -> Resource:
        """Asked for, signed if the creator signs, and live; every transaction of it stands on the chain."""
        launch = await self.asked(name, str(creator.pubkey()), ends_at, signing)
        handed: set[str] = set()

        async def look() -> Resource | None:
            found = await self.api.get(f"{LAUNCHES}/{launch['id']}")
            awaited = found["to_sign"]
            if awaited is not None and awaited["step"] not in handed:
                handed.add(awaited["step"])
                body = {"transaction_base64": signed(awaited["transaction_base64"], creator)}
                await self.api.post(f"{LAUNCHES}/{launch['id']}/submit-signature", body)
                say(f"the creator's wallet signed: {awaited['step']}")
            assert found["status"] not in ("undone", "needs_operator", "failed"), found["failure_detail"]
            return found if found["status"] == "live" else None

        live = await self.solana.until(look, f"{name} to be live")
        for one in live["signatures"]:
            say(f"{one['step']}: {one['signature']} in slot {await self.solana.landed(one['signature'])}")
        return live

    async def asked(self, name: str, creator: str, ends_at: int, signing: str = "platform") -> Resource:
        logo = await self._picture(name, (32, 96, 160))
        banner = await self._picture(f"{name}-banner", (160, 96, 32))
        body = {
            "name": f"{name.title()} {self._tag}",
            "symbol": name[:8].upper(),
            "description": "A token of the demo.",
            "total_supply": "1000000000",
            "logo": logo["id"],
            "banner": banner["id"],
            "curve": {"type": "exponential", "initial_price_sol": "0.000000004", "target_price_sol": "0.00000004"},
            "soft_cap_sol": SOFT_SOL,
            "hard_cap_sol": HARD_SOL,
            "ends_at": datetime.fromtimestamp(ends_at, UTC).isoformat(),
            "transfer_fee_bps": 100,
            "creator_wallet": creator,
            "signing": signing,
        }
        preview = await self.api.post("/api/launchpad/preview", body)
        assert preview, "a preview"
        return await self.api.post("/api/launchpad/deploy-token", body)

    async def _picture(self, name: str, colour: tuple[int, int, int]) -> Resource:
        return await self.api.upload(
            "/api/launchpad/assets", f"{name}.png", png(256, 256, colour, f"{name} {self._tag}"), "image/png"
        )

    async def show_token(self, live: Resource) -> str:
        """The token on the chain: its supply, and that nobody can add to it or freeze it."""
        mint = await self.solana.data(live["token_address"])
        assert mint is not None, "the mint is on the chain"
        supply = struct.unpack_from("<Q", mint, 36)[0]
        assert supply == 10**18, supply
        for authority in (_MINT_AUTHORITY, _FREEZE_AUTHORITY):
            assert mint[authority] == b"\0\0\0\0", "nobody adds to the supply or freezes an account"
        assert await self.solana.data(live["sale_address"]) is not None, "the sale is on the chain"
        return f"{live['symbol']} at {live['token_address']}"

    async def undone(self, name: str, creator: Keypair, ends_at: int) -> Ended:
        """The pinning node refuses: the launch is given up before the mint, and what it had pinned is let go."""
        pins = str(self.world.endpoints["upstreams"]["ipfs_url"])
        async with httpx.AsyncClient(timeout=10) as node:
            kept = await _kept(node, pins)
            await _refuse(node, pins, f"{name[:8].upper()} metadata")
            try:
                launch = await self.asked(name, str(creator.pubkey()), ends_at)

                async def look() -> Resource | None:
                    found = await self.api.get(f"{LAUNCHES}/{launch['id']}")
                    assert found["status"] != "live", "the pinning node did not refuse"
                    return found if found["status"] == "undone" else None

                found = await self.solana.until(look, f"{name} to be undone")
            finally:
                await _heal(node, pins)
            left = await _kept(node, pins) - kept
            assert not left, f"still pinned: {left}"
        assert found["signatures"] == [], "nothing was signed"
        assert found["token_address"] is None or await self.solana.data(found["token_address"]) is None, "no token"
        steps = {step["name"]: step["status"] for step in found["steps"]}
        assert steps["pin_images"] == "undone", steps
        say(f"{found['failure_code']}: {found['failure_detail'][:100]}")
        links = (self.world.resource(f"{LAUNCHES}/{launch['id']}"), await self.world.process(found))
        return Ended(f"stopped at {found['step']}, nothing on the chain, nothing pinned any more", links)

    async def links(self, live: Resource) -> tuple[Link, ...]:
        return (
            self.world.resource(f"{LAUNCHES}/{live['id']}"),
            await self.world.process(live),
            Link(live["metadata_uri"], "metadata"),
        )


async def _kept(node: httpx.AsyncClient, url: str) -> set[str]:
    answer = await node.post(f"{url}/api/v0/pin/ls", params={"type": "recursive"})
    answer.raise_for_status()
    return set(answer.json()["Keys"])


async def _refuse(node: httpx.AsyncClient, url: str, file: str) -> None:
    """The pinning node takes no file of this name."""
    told = {"target": "ipfs", "fault": "unauthorized", "times": None, "match": f"add {file}"}
    (await node.post(f"{url}/control/faults", json=told)).raise_for_status()


async def _heal(node: httpx.AsyncClient, url: str) -> None:
    (await node.delete(f"{url}/control/faults")).raise_for_status()


def png(width: int, height: int, colour: tuple[int, int, int], words: str) -> bytes:
    """A picture of one colour. `words` make its bytes, and so its content id, its own."""
    rows = (b"\0" + bytes(colour) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"tEXt", b"Comment\0" + words.encode()), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
