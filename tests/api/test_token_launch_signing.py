"""A creator's launch over HTTP, to its end: shown, signed by the wallet, handed in, live."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from api.launchpad.asked import REQUEST_EXAMPLE
from localnet.running import running_temporal
from tests.api.lab import Api, problem
from tests.picture_lab import png
from tests.token_launch_lab import TokenLab, token_lab

LAUNCHES = "/api/launchpad/launches"


async def deploy(api: Api, lab: TokenLab, key: str) -> str:
    logo = await api.client.post(
        "/api/launchpad/assets", files={"file": ("logo", png())}, headers={"Authorization": f"Bearer {key}"}
    )
    ends = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    body = REQUEST_EXAMPLE | {
        **{"logo": logo.json()["id"], "ends_at": ends},
        **{"creator_wallet": str(lab.creator.pubkey()), "signing": "creator"},
    }
    made = await api.post("/api/launchpad/deploy-token", body, key, Idempotency_Key=secrets.token_hex(8))
    assert made.status_code == 202, made.text
    return f"{LAUNCHES}/{made.json()['id']}"


async def shown(lab: TokenLab, api: Api, key: str, where: str, step: str) -> dict[str, Any]:
    """The launch, once it shows what to sign for this step."""

    async def look() -> dict[str, Any]:
        found: dict[str, Any] = (await api.get(where, key)).json()
        return found

    return await lab.until(look, lambda found: (found["to_sign"] or {}).get("step") == step, 60, 0.1)


async def hand_in(api: Api, key: str, where: str, raw: bytes) -> httpx.Response:
    return await api.post(f"{where}/submit-signature", {"transaction_base64": base64.b64encode(raw).decode()}, key)


async def test_a_creator_signs_both_transactions(database: str, tmp_path: Path) -> None:
    async with (
        running_temporal(tmp_path / "temporal") as server,
        token_lab(database, server.address, tmp_path / "svm", hurry=2.0) as lab,
        Api.open(database, address=server.address, launch_policy=lab.policy, solana=lab.drafting) as api,
    ):
        await lab.start_worker()
        _, key = await api.account("creator")
        where = await deploy(api, lab, key)
        for step in ("mint", "create_sale"):
            found = await shown(lab, api, key, where, step)
            assert found["status"] == "waiting_signature"
            issued = base64.b64decode(found["to_sign"]["transaction_base64"])
            left = datetime.fromisoformat(found["to_sign"]["expires_at"]) - datetime.now(UTC)
            assert timedelta(minutes=10) < left <= timedelta(minutes=15)
            await lab.node.control("warp", slots=1_000)  # many times as long as a blockhash lives
            again = (await shown(lab, api, key, where, step))["to_sign"]
            assert again["transaction_base64"] == found["to_sign"]["transaction_base64"]
            assert again["last_valid_block_height"] >= found["to_sign"]["last_valid_block_height"] + 900
            problem(await hand_in(api, key, where, issued), 409, "transaction_altered")
            problem(await hand_in(api, key, where, b"nonsense"), 409, "transaction_altered")
            signed = lab.signed_by(lab.creator, issued)
            accepted = await hand_in(api, key, where, signed)
            assert accepted.status_code == 202, accepted.text
        ended = await lab.until(lambda: api.get(where, key), lambda answer: answer.json()["status"] == "live", 60, 0.1)
        found = ended.json()
        assert [link["step"] for link in found["signatures"]] == ["mint", "create_sale"]
        for link in found["signatures"]:
            assert link["explorer_url"] == f"https://explorer.solana.com/tx/{link['signature']}?cluster=custom"
            assert link["solscan_url"].startswith(f"https://solscan.io/tx/{link['signature']}")
        assert found["token_address"]
        assert found["sale_id"]
        assert found["metadata_uri"].startswith("http")
        assert (found["to_sign"], found["spent_sol"], found["tax_account"]) == (None, "0", found["sale_address"])
        problem(await api.post(f"{where}/cancel", None, key), 409, "launch_not_cancellable")
        problem(await hand_in(api, key, where, signed), 409, "signature_not_awaited")
