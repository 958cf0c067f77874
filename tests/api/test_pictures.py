"""Uploading pictures: by content, once, bounded, and seen by their creators alone."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import Any

import httpx
import pytest

from domain.launchpad.cids import cid_of
from domain.launchpad.pictures import BYTES_MOST
from storage.events import new_id
from storage.intents.pictures import MOST
from tests.api.lab import Api, problem
from tests.picture_lab import KINDS, gif, jpeg, png

PATH = "/api/launchpad/assets"


async def upload(api: Api, content: bytes, key: str, name: str = "logo.png", **headers: str) -> httpx.Response:
    named = {"Authorization": f"Bearer {key}", **headers}
    return await api.client.post(PATH, files={"file": (name, content, "text/html")}, headers=named)


async def raw(api: Api, key: str, body: bytes, content_type: str, **headers: str) -> httpx.Response:
    named = {"Authorization": f"Bearer {key}", "Content-Type": content_type, **headers}
    return await api.client.post(PATH, content=body, headers=named)


def form(*parts: tuple[str, bytes], boundary: str = "b") -> bytes:
    made = b"".join(f"--{boundary}\r\n{head}\r\n\r\n".encode() + body + b"\r\n" for head, body in parts)
    return made + f"--{boundary}--\r\n".encode()


FILE = 'Content-Disposition: form-data; name="file"; filename="a"'
MULTIPART = "multipart/form-data; boundary=b"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_picture_is_known_by_its_content(api: Api, kind: str) -> None:
    account_id, key = await api.account("creator")
    content = KINDS[kind](64, 48)
    answer = await upload(api, content, key, name="nonsense.exe")
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert answer.headers["location"] == f"{PATH}/{found['id']}"
    assert (
        found.items()
        >= {
            "account_id": account_id,
            "sha256": hashlib.sha256(content).hexdigest(),
            "cid": cid_of(content),
            "content_type": kind,
            "bytes": len(content),
            "width": 64,
            "height": 48,
        }.items()
    )
    assert (await api.get(f"{PATH}/{found['id']}", key)).json() == found
    read = await api.get(f"{PATH}/{found['id']}/content", key)
    assert (read.content, read.headers["content-type"]) == (content, kind)
    assert read.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in read.headers["content-security-policy"]


async def test_the_same_content_is_the_same_picture_of_an_account(api: Api) -> None:
    (_, one), (_, other) = await api.account("creator"), await api.account("creator")
    content = png(pad=1_000)
    ids = {(await upload(api, content, one, name)).json()["id"] for name in ("a.png", "b.png")}
    together = await asyncio.gather(*(upload(api, png(7, 7), one) for _ in range(5)))
    assert len(ids) == 1
    assert {answer.status_code for answer in together} == {201}
    assert len({answer.json()["id"] for answer in together}) == 1
    assert (await upload(api, content, other)).json()["id"] not in ids


async def test_others_do_not_see_it_and_staff_does(api: Api) -> None:
    (account_id, one), (_, other) = await api.account("creator"), await api.account("creator")
    picture_id = (await upload(api, png(), one)).json()["id"]
    for path in (f"{PATH}/{picture_id}", f"{PATH}/{picture_id}/content"):
        problem(await api.get(path, other), 404, "not_found")
        assert (await api.get(path)).status_code == 200
        problem(await api.get(path.replace(picture_id, "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f")), 404, "not_found")
    assert (await api.get(PATH, other)).json()["items"] == []
    listed = (await api.get(f"{PATH}?account_id={account_id}")).json()["items"]
    assert (
        [item["id"] for item in listed] == [picture_id] == [i["id"] for i in (await api.get(PATH, one)).json()["items"]]
    )


async def test_staff_removes_what_no_launch_uses(api: Api) -> None:
    account_id, key = await api.account("creator")
    picture_id = (await upload(api, png(9, 9), key)).json()["id"]
    where = f"{PATH}/{picture_id}"
    problem(await api.call("DELETE", where, key), 403, "forbidden")
    launch_id = new_id()
    await api.rows(
        """INSERT INTO launchpad.launches (id, account_id, request, cluster, signing, creator_wallet, budget_lamports)
           VALUES (%s, %s, '{}', 'localnet', 'platform', 'w', 0)""",
        launch_id, account_id,
    )  # fmt: skip
    await api.rows("INSERT INTO launchpad.launch_assets (launch_id, asset_id) VALUES (%s, %s)", launch_id, picture_id)
    used = problem(await api.call("DELETE", where), 409, "conflict")
    assert launch_id in used["detail"]
    await api.rows("DELETE FROM launchpad.launch_assets WHERE asset_id = %s", picture_id)
    assert (await api.call("DELETE", where)).status_code == 204
    problem(await api.call("DELETE", where), 404, "not_found")
    problem(await api.get(where, key), 404, "not_found")
    [entry] = await api.rows("SELECT action, detail FROM platform.audit_log WHERE subject = %s", picture_id)
    assert (entry["action"], entry["detail"]) == ("picture_removed", {"account_id": account_id})


async def test_five_megabytes_and_not_a_byte_more(api: Api) -> None:
    _, key = await api.account("creator")
    pad = BYTES_MOST - len(png())
    assert (await upload(api, png(pad=pad), key)).status_code == 201
    problem(await upload(api, png(pad=pad + 1), key), 413, "asset_too_large")
    problem(await upload(api, bytes(2 * BYTES_MOST), key), 413, "asset_too_large")
    problem(await upload(api, os.urandom(100), key, **{"Content-Length": str(10**12)}), 413, "asset_too_large")


async def test_a_body_without_an_announced_length_is_bounded_too(api: Api) -> None:
    _, key = await api.account("creator")
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        yield f"--b\r\n{FILE}\r\n\r\n".encode()
        for _ in range(64):
            sent += 2**20
            yield bytes(2**20)

    headers = {"Authorization": f"Bearer {key}", "Content-Type": MULTIPART}
    problem(await api.client.post(PATH, content=endless(), headers=headers), 413, "asset_too_large")
    # nothing more is read than needed; httpx hands the whole body over in pieces
    assert sent <= 64 * 2**20


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"<svg/>", png()[:-1], png() + b"\0", gif()[:20], jpeg()[:-2], png(30_000, 30_000)]
)
async def test_what_is_no_whole_picture_is_refused(api: Api, content: bytes) -> None:
    _, key = await api.account("creator")
    problem(await upload(api, content, key), 400, "asset_unreadable")
    assert (await api.get(PATH, key)).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (form(), "validation_failed"),
        (form((FILE.replace("file", "picture", 1), png())), "validation_failed"),
        (form((FILE, png()), (FILE, png())), "validation_failed"),
        (form((FILE, png()), ('Content-Disposition: form-data; name="more"', b"x")), "validation_failed"),
        (form(('Content-Disposition: form-data; name="file"', b"text")), "validation_failed"),
        (form(('Content-Disposition: form-data; name="file"', png())), "malformed_request"),
        (form(('Content-Disposition: form-data; name="file"\r\nContent-Type: x/y; charset=no-such', b"x")),
         "malformed_request"),
        (form((FILE, png()))[:-20], "malformed_request"),
        (form(*[('Content-Disposition: form-data; name="x"', b"")] * 2_000), "malformed_request"),
        (form(("X" * 100_000, b"x")), "malformed_request"),
        (form(("no header", b"x")), "malformed_request"),
        (b"nothing of a form", "malformed_request"),
    ],
)  # fmt: skip
async def test_abused_forms_are_refused(api: Api, body: bytes, code: str) -> None:
    _, key = await api.account("creator")
    problem(await raw(api, key, body, MULTIPART), 400, code)


async def test_the_body_must_be_a_form(api: Api) -> None:
    _, key = await api.account("creator")
    for kind in ("application/json", "image/png", "application/x-www-form-urlencoded"):
        problem(await raw(api, key, png(), kind), 415, "unsupported_media_type")
    problem(await raw(api, key, form((FILE, png())), "multipart/form-data"), 400, "malformed_request")
    problem(await api.post(PATH, None, key), 400, "validation_failed")
    elsewhere = await api.client.post(
        "/api/launchpad/preview", files={"file": b"x"}, headers={"Authorization": f"Bearer {key}"}
    )
    problem(elsewhere, 415, "unsupported_media_type")


async def test_who_may_upload(api: Api) -> None:
    _, reader = await api.account("creator", ["launchpad:read"])
    problem(await upload(api, png(), reader), 403, "forbidden")
    problem(await upload(api, png(), "hf_nonsense"), 401, "unauthorized")


async def test_an_account_has_so_many_pictures(api: Api) -> None:
    account_id, key = await api.account("creator")
    first = (await upload(api, png(), key)).json()["id"]
    await api.rows(
        """INSERT INTO launchpad.assets (id, account_id, sha256, cid, content_type, width, height, content)
           SELECT gen_random_uuid(), %s, n::text, 'bafk', 'image/png', 1, 1, 'x'::bytea
           FROM generate_series(2, %s) n""",
        account_id, MOST,
    )  # fmt: skip
    problem(await upload(api, gif(), key), 409, "asset_limit")
    assert (await upload(api, png(), key)).json()["id"] == first, "what is there already may come again"
