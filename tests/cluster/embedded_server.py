"""Runs the embedded API server on TLS for the tests: `python embedded_server.py DIRECTORY`, until its stdin closes.

Prints one JSON line with `kubeconfig`, `issuer` and `ca` once it answers.
"""

import asyncio
import datetime as dt
import json
import sys
import time
from pathlib import Path

import uvloop

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.serving import Listener, RunningServer, free_port
from iambridge.core.service_account_token import SigningKey
from iambridge.sandbox.cluster.cluster import Cluster
from iambridge.sandbox.cluster.controllers.control_plane import ControlPlane
from iambridge.sandbox.cluster.token_review_webhook import TokenReviewWebhook

ADMIN_TOKEN = "admin-token-of-the-tests"


def kept(file: Path, make: str) -> str:
    if not file.exists():
        file.write_text(make)
    return file.read_text()


def write_kubeconfig(path: Path, server: str, ca: Path, token: str) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "embedded", "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": "admin"}}],
        "current-context": "embedded",
    }
    path.write_text(json.dumps(config))


async def main(directory: Path, review_url: str, review_ca: str) -> None:
    authority = CertificateAuthority(directory / "pki", name="test CA", now=dt.datetime.now(dt.UTC))
    leaf = authority.leaf("server", hosts=("127.0.0.1",))
    port, issuer_port = json.loads(kept(directory / "ports", json.dumps([free_port(), free_port()])))
    key = SigningKey.from_pem(kept(directory / "key.pem", SigningKey.generate().to_pem().decode()).encode())
    server, issuer = f"https://127.0.0.1:{port}", f"https://127.0.0.1:{issuer_port}"
    cluster = Cluster(
        directory / "cluster",
        issuer_url=issuer,
        server_url=server,
        signing_keys=[key],
        static_tokens={ADMIN_TOKEN: ("kubernetes-admin", ("system:masters",))},
        token_review=TokenReviewWebhook(review_url, Path(review_ca), now=time.monotonic) if review_url else None,
    )
    await cluster.start()
    plane = ControlPlane(cluster.client, resources=cluster.served, certificate=authority.pem.decode(), now=time.time)
    cluster.on_served_change(plane.refresh)
    await plane.start()
    servers = [
        RunningServer(app, Listener("127.0.0.1", number, leaf.certificate, leaf.key))
        for app, number in ((cluster.app, port), (cluster.issuer_app, issuer_port))
    ]
    for each in servers:
        await each.start()
    kubeconfig = directory / "kubeconfig"
    write_kubeconfig(kubeconfig, server, authority.certificate_file, ADMIN_TOKEN)
    print(
        json.dumps({"kubeconfig": str(kubeconfig), "issuer": issuer, "ca": str(authority.certificate_file)}), flush=True
    )
    await asyncio.to_thread(sys.stdin.read)
    await plane.close()
    await asyncio.gather(*(each.stop() for each in servers))
    await cluster.close()


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=logging.DEBUG)
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    uvloop.run(main(Path(sys.argv[1]), *(sys.argv[2:4] or ("", ""))))
