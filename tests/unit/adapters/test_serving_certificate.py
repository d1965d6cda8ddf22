"""A renewed certificate is served without a lost request."""

import asyncio
import datetime as dt
import ssl
from pathlib import Path

import aiohttp
import pytest
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority, Leaf
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.adapters.serving_certificate import ServingCertificate
from iambridge.errors import InputError
from iambridge.wire.http import Request, Response


async def hello(request: Request) -> Response:
    return Response(200, (), b"hello")


def copy(leaf: Leaf, certificate: Path, key: Path) -> None:
    certificate.write_bytes(leaf.certificate.read_bytes())
    key.write_bytes(leaf.key.read_bytes())


def test_renewal_is_served_and_loses_nothing(tmp_path: Path) -> None:
    """While requests come on kept and on new connections, the new certificate takes over and none fails."""
    now = dt.datetime.now(dt.UTC)
    old = CertificateAuthority(tmp_path / "old", name="old", now=now).leaf("a", hosts=("127.0.0.1",))
    new = CertificateAuthority(tmp_path / "new", name="new", now=now).leaf("a", hosts=("127.0.0.1",))
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    copy(old, certificate, key)
    (tmp_path / "served").mkdir()
    serving = ServingCertificate(certificate, key, tmp_path / "served")
    assert serving.load()
    assert not serving.load()
    port = free_port()

    async def main() -> None:
        server = RunningServer(hello, Listener("127.0.0.1", port, serving.leaf.certificate, serving.leaf.key))
        await server.start()
        context = ssl.create_default_context(cafile=str(old.certificate))
        context.load_verify_locations(str(new.certificate))
        done, counts = asyncio.Event(), [0, 0]

        async def ask(which: int, *, keep: bool) -> None:
            connector = aiohttp.TCPConnector(ssl=context, force_close=not keep)
            async with aiohttp.ClientSession(connector=connector) as session:
                while not done.is_set():
                    async with session.get(f"https://127.0.0.1:{port}/") as answer:
                        assert await answer.text() == "hello"
                    counts[which] += 1
                    await asyncio.sleep(0.003)

        asking = [asyncio.create_task(ask(which, keep=which == 0)) for which in (0, 1)]
        certificate.write_bytes(new.certificate.read_bytes())
        with pytest.raises(InputError, match="does not belong"):
            serving.load()  # half written: the old pair stays
        key.write_bytes(new.key.read_bytes())
        assert serving.load()
        await server.reload()
        only_new = ssl.create_default_context(cafile=str(new.certificate))
        async with asyncio.timeout(60):
            for fresh in range(20):
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=only_new)
                except ssl.SSLCertVerificationError:
                    await asyncio.sleep(0.25)
                else:
                    writer.close()
                    if fresh > 16:  # the old worker has drained by now
                        break
                    await asyncio.sleep(0.25)
        done.set()
        await asyncio.gather(*asking)
        assert min(counts) > 10
        await server.stop()

    asyncio.run(main())
