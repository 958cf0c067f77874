"""Pinning on IPFS: Kubo's RPC, or Pinata, behind one protocol. Every call may be repeated.

A file's CID is computed here first, and a node that answers another one is not believed.
"""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

import httpx

from domain.launchpad.cids import CHUNK, cid_of
from domain.shared.errors import Broken
from gateways.upstream import Upstream

CODE: Final = "pinning_unavailable"
TIMEOUT_S: Final = 20.0
CALLS_PER_S: Final = 20.0
PINATA_URL: Final = "https://api.pinata.cloud"
_BINARY: Final = "application/octet-stream"
_IMPORT: Final = {
    "cid-version": "1",
    "raw-leaves": "true",
    "chunker": f"size-{CHUNK}",
    "hash": "sha2-256",
    "trickle": "false",
    "pin": "true",
    "progress": "false",
}
"""All that the CID depends on, whatever the node's own defaults are."""
_NOT_PINNED: Final = b"not pinned"
_NOT_PINNED_BY_US: Final = b"CURRENT_USER_HAS_NOT_PINNED_CID"


class Pinning(Protocol):
    """All raise Unavailable pinning_unavailable, Rejected upstream_refused, Quarantined."""

    provider: str

    async def pin(self, content: bytes, name: str) -> str:
        """Keep a file; its CID. Raises also Broken pin_mismatch."""
        ...

    async def unpin(self, cid: str) -> None:
        """Keep it no longer; not having kept it is success."""
        ...

    async def pinned(self, cid: str) -> bool:
        """Is it kept?"""
        ...

    async def aclose(self) -> None: ...


class Kubo:
    """POST {base}/api/v0/… as Kubo and most hosted nodes take it. Its refusals are a 500 with `Message`."""

    def __init__(
        self,
        base_url: str,
        api_key: str = "",
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        base = base_url.rstrip("/").removesuffix("/api/v0")
        self._upstream = _upstream("kubo", f"{base}/api/v0", api_key, timeout_s, transport)
        self.provider = f"kubo ({self._upstream.host})"

    async def aclose(self) -> None:
        await self._upstream.aclose()

    async def pin(self, content: bytes, name: str) -> str:
        answer = await self._upstream.call("POST", "/add", params=_IMPORT, files={"file": (name, content, _BINARY)})
        return _same(self._upstream, content, self._upstream.parsed(answer), "Hash")

    async def unpin(self, cid: str) -> None:
        answer = await self._upstream.call("POST", "/pin/rm", params={"arg": cid}, understood=(500,))
        if answer.status == 500 and _NOT_PINNED not in answer.body:
            raise self._upstream.away("HTTP 500 to pin/rm")

    async def pinned(self, cid: str) -> bool:
        asked = {"arg": cid, "type": "recursive"}
        answer = await self._upstream.call("POST", "/pin/ls", params=asked, understood=(500,))
        if answer.status == 500:
            if _NOT_PINNED in answer.body:
                return False
            raise self._upstream.away("HTTP 500 to pin/ls")
        found = self._upstream.parsed(answer)
        if not isinstance(found, dict) or not isinstance(found.get("Keys"), dict):
            raise self._upstream.odd("pin/ls", "no Keys", found)
        return cid in found["Keys"]


class Pinata:
    """api.pinata.cloud, or what speaks like it; the key is its JWT."""

    def __init__(
        self,
        api_key: str,
        base_url: str = PINATA_URL,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._upstream = _upstream("pinata", base_url.rstrip("/"), api_key, timeout_s, transport)
        self.provider = f"pinata ({self._upstream.host})"

    async def aclose(self) -> None:
        await self._upstream.aclose()

    async def pin(self, content: bytes, name: str) -> str:
        form = {"pinataOptions": json.dumps({"cidVersion": 1}), "pinataMetadata": json.dumps({"name": name})}
        files = {"file": (name, content, _BINARY)}
        answer = await self._upstream.call("POST", "/pinning/pinFileToIPFS", data=form, files=files)
        return _same(self._upstream, content, self._upstream.parsed(answer), "IpfsHash")

    async def unpin(self, cid: str) -> None:
        answer = await self._upstream.call("DELETE", f"/pinning/unpin/{cid}", understood=(400, 404))
        if answer.status != 200 and _NOT_PINNED_BY_US not in answer.body:
            raise self._upstream.odd("unpin", f"HTTP {answer.status}", answer.body.decode("utf-8", "replace"))

    async def pinned(self, cid: str) -> bool:
        asked = {"hashContains": cid, "status": "pinned"}
        found = self._upstream.parsed(await self._upstream.call("GET", "/data/pinList", params=asked))
        rows = found.get("rows") if isinstance(found, dict) else None
        if not isinstance(rows, list):
            raise self._upstream.odd("pinList", "no rows", found)
        return any(isinstance(row, dict) and row.get("ipfs_pin_hash") == cid for row in rows)


def _upstream(
    name: str, url: str, api_key: str, timeout_s: float, transport: httpx.AsyncBaseTransport | None
) -> Upstream:
    return Upstream(
        name,
        url,
        code=CODE,
        headers={"authorization": f"Bearer {api_key}"} if api_key else {},
        timeout_s=timeout_s,
        calls_per_s=CALLS_PER_S,
        transport=transport,
    )


def _same(upstream: Upstream, content: bytes, answer: Any, key: str) -> str:
    """The CID that was answered, if it is the content's."""
    said = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(said, str):
        raise upstream.odd("add", f"no {key}", answer)
    if said != (expected := cid_of(content)):
        raise Broken("pin_mismatch", f"{upstream.name} at {upstream.host} calls it {said[:80]}, it is {expected}")
    return said
