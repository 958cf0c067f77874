"""Files to Arweave through a bundler, and back from a gateway, to see that they are there.

What a bundler has taken is Arweave's for ever: nothing here can be undone. Source: ANS-104; upload service of Turbo.
"""

from __future__ import annotations

from typing import Any, Final

import httpx
from pydantic import SecretStr

from domain.launchpad.data_items import DataItem, Tags, item_id
from domain.shared.errors import Rejected
from gateways.solana.keypairs import read_keypair
from gateways.upstream import Upstream

CODE: Final = "mirror_unavailable"
TIMEOUT_S: Final = 30.0
CALLS_PER_S: Final = 5.0
FILE_MOST: Final = 6 * 2**20
_BINARY: Final = {"content-type": "application/octet-stream"}
_TAKEN_BEFORE: Final = 202
_UNPAID: Final = 402


class Arweave:
    """`bundler_url`: takes signed data items at `/v1/tx`. `gateway_url`: gives them back at `/raw/{id}`."""

    def __init__(
        self,
        bundler_url: str,
        gateway_url: str,
        keypair: SecretStr,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._key = read_keypair(keypair, "ARWEAVE_KEYPAIR")
        self._bundler = _upstream("bundler", bundler_url, timeout_s, transport)
        self._gateway = _upstream("arweave gateway", gateway_url, timeout_s, transport)

    def __repr__(self) -> str:
        return f"Arweave({self._bundler.host})"

    async def aclose(self) -> None:
        await self._bundler.aclose()
        await self._gateway.aclose()

    def name_of(self, content: bytes, tags: Tags) -> str:
        """What the file is called on Arweave. The same file, tags and key have the same name."""
        return item_id(self._signature(self._item(content, tags)))

    async def send(self, content: bytes, tags: Tags) -> str:
        """Hand the file over, for ever and for the key's credit. Sent again, it is the same file.

        Returns:  its name.
        Raises:   Unavailable mirror_unavailable, Rejected upstream_refused (also without credit), Quarantined.
        """
        item = self._item(content, tags)
        signature = self._signature(item)
        answer = await self._bundler.call(
            "POST",
            "/v1/tx",
            content=item.signed(signature),
            headers=_BINARY,
            understood=(_TAKEN_BEFORE, _UNPAID),
        )
        name = item_id(signature)
        if answer.status == _UNPAID:
            raise Rejected("upstream_refused", f"{self._key.pubkey()} has no credit left at {self._bundler.host}")
        if answer.status != _TAKEN_BEFORE:
            _check_name(self._bundler, self._bundler.parsed(answer), name)
        return name

    async def read(self, name: str) -> bytes | None:
        """What the gateway has under this name; None: nothing yet. Raises: Unavailable mirror_unavailable."""
        answer = await self._gateway.call("GET", f"/raw/{name}", understood=(404,))
        return None if answer.status == 404 else answer.body

    def _item(self, content: bytes, tags: Tags) -> DataItem:
        return DataItem(bytes(self._key.pubkey()), tags, content)

    def _signature(self, item: DataItem) -> bytes:
        return bytes(self._key.sign_message(item.to_sign()))


def _check_name(bundler: Upstream, answer: Any, name: str) -> None:
    said = answer.get("id") if isinstance(answer, dict) else None
    if said != name:
        raise bundler.odd("tx", f"the id of {name} is another", answer)


def _upstream(name: str, url: str, timeout_s: float, transport: httpx.AsyncBaseTransport | None) -> Upstream:
    return Upstream(
        name,
        url.rstrip("/"),
        code=CODE,
        headers={},
        timeout_s=timeout_s,
        calls_per_s=CALLS_PER_S,
        body_most=FILE_MOST,
        transport=transport,
    )
