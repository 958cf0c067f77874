"""Webhooks over real sockets: TLS to the checked address still verifies the URL's host name."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from domain.shared.errors import Unavailable
from gateways.webhooks import WebhookSender, new_secret
from localnet.ports import free_port


def certificate(directory: Path, host: str) -> Path:
    """A self-signed certificate and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def receiver(pem: Path) -> AsyncIterator[tuple[int, list[web.Request]]]:
    seen: list[web.Request] = []

    async def take(request: web.Request) -> web.Response:
        await request.read()
        seen.append(request)
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/in", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield port, seen
    finally:
        await runner.cleanup()


def sender(pem: Path, *, allow_private: bool = True) -> WebhookSender:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    context = ssl.create_default_context(cafile=str(pem))
    return WebhookSender(allow_private=allow_private, resolve=resolve, verify=context)


async def test_tls_is_verified_for_the_host_of_the_url(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "hooks.example")
    async with receiver(pem) as (port, seen):
        one = sender(pem)
        secrets = [new_secret()]
        status = await one.send(url=f"https://hooks.example:{port}/in", message_id="m", body=b"{}", secrets=secrets)
        assert (status, seen[0].headers["host"]) == (202, f"hooks.example:{port}")
        with pytest.raises(Unavailable, match="certificate"):
            await one.send(url=f"https://other.example:{port}/in", message_id="m", body=b"{}", secrets=secrets)
        with pytest.raises(Unavailable, match="not public"):
            await sender(pem, allow_private=False).send(
                url=f"https://hooks.example:{port}/in", message_id="m", body=b"{}", secrets=secrets
            )
        assert len(seen) == 1
