"""A pinning node: Kubo's RPC, Pinata's API and a gateway over one store of files, which survives a restart.

`POST /api/v0/add|pin/add|pin/rm|pin/ls|cat`, `POST /pinning/pinFileToIPFS`, `DELETE /pinning/unpin/{cid}`,
`GET /data/pinList`, `GET /ipfs/{cid}`. CIDs are those of CIDv1 with raw leaves and 256 KiB chunks, whatever is asked.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web

from domain.launchpad.cids import cid_of
from localnet.evm_faults import Fault, ForwardThen
from localnet.upstreams.faults import Forgets, Renames

FILE_LIMIT = 2**24
Met = Callable[[str, str, web.Request], Awaitable[web.Response | Fault | None]]


class Files:
    """Files by CID and which of them are pinned: in memory, and in a directory if there is one."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self.content: dict[str, bytes] = {}
        self.pins: set[str] = set()
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            self.content = {path.stem: path.read_bytes() for path in directory.glob("*.file")}
            self.pins = {path.stem for path in directory.glob("*.pin")}

    def add(self, content: bytes) -> str:
        cid = cid_of(content)
        self.content[cid] = content
        if self._directory is not None:
            half = self._directory / f"{cid}.half"
            half.write_bytes(content)
            half.rename(self._directory / f"{cid}.file")
        return cid

    def pin(self, cid: str) -> None:
        self.pins.add(cid)
        if self._directory is not None:
            (self._directory / f"{cid}.pin").touch()

    def unpin(self, cid: str) -> None:
        self.pins.discard(cid)
        if self._directory is not None:
            (self._directory / f"{cid}.pin").unlink(missing_ok=True)


class Ipfs:
    """The routes. ``met`` counts a call and says which fault it meets."""

    def __init__(self, met: Met, directory: Path | None) -> None:
        self.files = Files(directory)
        self._met = met

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v0/add", self._add),
            web.post("/api/v0/pin/add", self._pin_add),
            web.post("/api/v0/pin/rm", self._pin_rm),
            web.post("/api/v0/pin/ls", self._pin_ls),
            web.post("/api/v0/cat", self._cat),
            web.post("/pinning/pinFileToIPFS", self._pinata_add),
            web.delete("/pinning/unpin/{cid}", self._pinata_unpin),
            web.get("/data/pinList", self._pinata_list),
            web.get("/ipfs/{cid}", self._gateway),
        ]

    # Kubo: arguments in the query, refusals as 500 with a message.

    async def _add(self, request: web.Request) -> web.StreamResponse:
        name, content = await _file(request)
        if content is None:
            return _refusal("file argument 'path' is required")
        cid, answer = await self._keep(name, content, request, pin=request.query.get("pin", "true") == "true")
        return answer or web.json_response({"Name": name or cid, "Hash": cid, "Size": str(len(content))})

    async def _pin_add(self, request: web.Request) -> web.StreamResponse:
        cid = request.query.get("arg", "")
        fault = await self._met("ipfs", f"pin/add {cid}", request)
        if isinstance(fault, web.Response):
            return fault
        if cid not in self.files.content:
            return _refusal(f"pin: could not fetch {cid}")
        self.files.pin(cid)
        return web.json_response({"Pins": [cid]})

    async def _pin_rm(self, request: web.Request) -> web.StreamResponse:
        cid = request.query.get("arg", "")
        fault = await self._met("ipfs", f"pin/rm {cid}", request)
        if isinstance(fault, web.Response):
            return fault
        if cid not in self.files.pins:
            return _refusal("not pinned or pinned indirectly")
        self.files.unpin(cid)
        return after(fault, request) or web.json_response({"Pins": [cid]})

    async def _pin_ls(self, request: web.Request) -> web.StreamResponse:
        cid = request.query.get("arg", "")
        fault = await self._met("ipfs", f"pin/ls {cid}", request)
        if isinstance(fault, web.Response):
            return fault
        if cid and cid not in self.files.pins:
            return _refusal(f"path '{cid}' is not pinned")
        found = [cid] if cid else sorted(self.files.pins)
        return web.json_response({"Keys": {cid: {"Type": "recursive", "Name": ""} for cid in found}})

    async def _cat(self, request: web.Request) -> web.StreamResponse:
        cid = request.query.get("arg", "").removeprefix("/ipfs/")
        fault = await self._met("ipfs", f"cat {cid}", request)
        if isinstance(fault, web.Response):
            return fault
        content = self.files.content.get(cid)
        return _refusal(f"block was not found locally: {cid}") if content is None else web.Response(body=content)

    # Pinata: a bearer token, refusals as 4xx with a reason.

    async def _pinata_add(self, request: web.Request) -> web.StreamResponse:
        if (refusal := _unauthorized(request)) is not None:
            return refusal
        name, content = await _file(request)
        if content is None:
            return web.json_response({"error": {"reason": "INVALID_FILE", "details": "no file"}}, status=400)
        known = cid_of(content) in self.files.pins
        cid, answer = await self._keep(name, content, request, pin=True)
        said: dict[str, Any] = {"IpfsHash": cid, "PinSize": len(content), "Timestamp": "2026-11-21T00:00:00.000Z"}
        return answer or web.json_response(said | ({"isDuplicate": True} if known else {}))

    async def _pinata_unpin(self, request: web.Request) -> web.StreamResponse:
        if (refusal := _unauthorized(request)) is not None:
            return refusal
        cid = request.match_info["cid"]
        fault = await self._met("ipfs", f"unpin {cid}", request)
        if isinstance(fault, web.Response):
            return fault
        if cid not in self.files.pins:
            reason = {"reason": "CURRENT_USER_HAS_NOT_PINNED_CID", "details": "The current user has not pinned it."}
            return web.json_response({"error": reason}, status=404)
        self.files.unpin(cid)
        return after(fault, request) or web.Response(text="OK")

    async def _pinata_list(self, request: web.Request) -> web.StreamResponse:
        if (refusal := _unauthorized(request)) is not None:
            return refusal
        part = request.query.get("hashContains", "")
        fault = await self._met("ipfs", f"pinList {part}", request)
        if isinstance(fault, web.Response):
            return fault
        rows = [{"ipfs_pin_hash": cid, "date_unpinned": None} for cid in sorted(self.files.pins) if part in cid]
        return web.json_response({"count": len(rows), "rows": rows})

    # The gateway: what anybody reads.

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        content = self.files.content.get(request.match_info["cid"])
        if content is None:
            return web.Response(status=404, text="ipfs: could not find the block")
        kind = "application/json" if content[:1] == b"{" else "application/octet-stream"
        headers = {"Etag": f'"{request.match_info["cid"]}"', "Cache-Control": "public, max-age=29030400, immutable"}
        return web.Response(body=content, content_type=kind, headers=headers)

    async def _keep(
        self, name: str, content: bytes, request: web.Request, *, pin: bool
    ) -> tuple[str, web.Response | None]:
        """Add a file as its fault allows: the CID to tell, and what to answer instead."""
        fault = await self._met("ipfs", f"add {name}", request)
        if isinstance(fault, web.Response):
            return "", fault
        cid = self.files.add(content)
        if pin and not isinstance(fault, Forgets):
            self.files.pin(cid)
        return cid_of(content + b"!") if isinstance(fault, Renames) else cid, after(fault, request)


def after(fault: Fault | None, request: web.Request) -> web.Response | None:
    """The effect is done and nobody hears of it."""
    if not isinstance(fault, ForwardThen):
        return None
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _refusal(message: str) -> web.Response:
    return web.json_response({"Message": message, "Code": 0, "Type": "error"}, status=500)


def _unauthorized(request: web.Request) -> web.Response | None:
    if request.headers.get("Authorization", "").startswith("Bearer "):
        return None
    error = {"reason": "INVALID_CREDENTIALS", "details": "Invalid/expired credentials"}
    return web.json_response({"error": error}, status=401)


async def _file(request: web.Request) -> tuple[str, bytes | None]:
    """Name and content of the form's file."""
    if not request.content_type.startswith("multipart/"):
        return "", None
    name, content = "", None
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        if part.name == "file":
            name, content = part.filename or "", bytes(await part.read())
        elif part.name == "pinataOptions" and json.loads(await part.text()).get("cidVersion") != 1:
            return "", None
    return name, content if content is None or len(content) <= FILE_LIMIT else None
