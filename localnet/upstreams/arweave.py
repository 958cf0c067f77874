"""A bundler as Turbo's upload service speaks, and a gateway, over one store of data items that survives a restart.

`POST /v1/tx` takes a signed ANS-104 item: 200 with its id, 202 when it is there already, 400 for a wrong signature, 402
without credit (fault `unpaid`). `GET /raw/{id}` gives the file with its own content type.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from domain.launchpad.data_items import ED25519, OWNER, SIGNATURE, DataItem, Tags, encoded_tags, item_id
from localnet.upstreams.faults import Forgets, Renames
from localnet.upstreams.ipfs import Met, after


class NoItem(ValueError):
    """These bytes are no signed data item."""


class Kept(NamedTuple):
    item: DataItem
    name: str


def read_item(raw: bytes) -> Kept:
    """The item of these bytes, its signature verified. Raises: NoItem."""
    if int.from_bytes(raw[:2], "little") != ED25519:
        raise NoItem("only signatures of type 2 are known here")
    signature, raw = raw[2 : 2 + SIGNATURE], raw[2 + SIGNATURE :]
    owner, present, raw = raw[:OWNER], raw[OWNER : OWNER + 2], raw[OWNER + 2 :]
    if present != bytes(2) or len(raw) < 16:
        raise NoItem("no target and no anchor are expected, then the tags")
    count, size = int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:16], "little")
    tags = _tags(raw[16 : 16 + size])
    item = DataItem(owner, tags, raw[16 + size :])
    if len(tags) != count or encoded_tags(tags) != raw[16 : 16 + size]:
        raise NoItem("its tags are not what it says")
    try:
        Ed25519PublicKey.from_public_bytes(owner).verify(signature, item.to_sign())
    except (InvalidSignature, ValueError) as wrong:
        raise NoItem("its signature is wrong") from wrong
    return Kept(item, item_id(signature))


def _tags(raw: bytes) -> Tags:
    if not raw:
        return ()
    texts, place = [], 0
    count, place = _long(raw, place)
    for _ in range(2 * count):
        size, place = _long(raw, place)
        texts.append(raw[place : place + size].decode("utf-8", "replace"))
        place += size
    return tuple(zip(texts[::2], texts[1::2], strict=True))


def _long(raw: bytes, place: int) -> tuple[int, int]:
    value, shift = 0, 0
    while place < len(raw):
        value |= (raw[place] & 0x7F) << shift
        shift, place = shift + 7, place + 1
        if not raw[place - 1] & 0x80:
            return value >> 1, place
    raise NoItem("its tags end in the middle")


class Items:
    """Items by name: in memory, and as files if there is a directory."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self.kept: dict[str, DataItem] = {}
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            for path in directory.glob("*.item"):
                item, name = read_item(path.read_bytes())
                self.kept[name] = item

    def keep(self, raw: bytes, found: Kept) -> None:
        self.kept[found.name] = found.item
        if self._directory is not None:
            half = self._directory / f"{found.name}.half"
            half.write_bytes(raw)
            half.rename(self._directory / f"{found.name}.item")


class Bundler:
    """The routes. ``met`` counts a call and says which fault it meets."""

    def __init__(self, met: Met, directory: Path | None) -> None:
        self.items = Items(directory)
        self._met = met

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/tx", self._take), web.get("/raw/{name}", self._give)]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            found = read_item(raw)
        except NoItem as wrong:
            return web.Response(status=400, text=f"Data item is not valid: {wrong}")
        fault = await self._met("arweave", f"tx {dict(found.item.tags).get('IPFS-CID', '')}", request)
        if isinstance(fault, web.Response):
            return fault
        if found.name in self.items.kept:
            return web.Response(status=202, text=f"Data item with ID {found.name} has already been uploaded")
        if not isinstance(fault, Forgets):
            self.items.keep(raw, found)
        said: dict[str, Any] = {
            "id": item_id(b"another") if isinstance(fault, Renames) else found.name,
            "owner": item_id(found.item.owner),
            "dataCaches": ["localhost"],
            "fastFinalityIndexes": ["localhost"],
            "winc": "0",
        }
        return after(fault, request) or web.Response(text=json.dumps(said), content_type="application/json")

    async def _give(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        fault = await self._met("arweave", f"raw {name}", request)
        if isinstance(fault, web.Response):
            return fault
        item = self.items.kept.get(name)
        if item is None:
            return web.Response(status=404, text="Not Found")
        content = item.content + b"!" if isinstance(fault, Renames) else item.content
        kind = dict(item.tags).get("Content-Type", "application/octet-stream")
        return web.Response(body=content, content_type=kind)
