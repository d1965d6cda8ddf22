"""What the authenticator's answers cannot cost less than: a constant TokenReview by the same server over the same TLS.

    python benchmarks/authenticator_floor.py PORT CERTIFICATE KEY [URL CLUSTER_ID CA_FILE]

With a presigned URL it asks STS before each answer, with aiohttp as it comes and nothing else: the floor of a token
that was not seen before. STS verifies that one signature each time, as it does those of the others.
"""

import asyncio
import os
import ssl
import sys
from pathlib import Path

import aiohttp
import uvloop
from yarl import URL

from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.authenticator_token import CLUSTER_ID_HEADER
from iambridge.wire.http import Request, Response

_ANSWER = Response(
    200,
    (("content-type", "application/json"),),
    b'{"apiVersion":"authentication.k8s.io/v1beta1","kind":"TokenReview","status":{"authenticated":true,"user":'
    b'{"username":"bench","groups":["readers"],"extra":{"padding":["' + b"x" * 480 + b'"]}}}}',
)  # as long as an answer is


async def main(listener: Listener, asked: list[str]) -> None:
    async def constant(request: Request) -> Response:
        del request
        return _ANSWER

    app = constant
    if asked:
        url, cluster_id, authority = URL(asked[0], encoded=True), asked[1], asked[2]
        headers = {CLUSTER_ID_HEADER: cluster_id, "accept": "application/json"}
        tls = ssl.create_default_context(cafile=authority)
        proxy = os.environ["HTTPS_PROXY"]
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256), cookie_jar=aiohttp.DummyCookieJar())

        async def asking(request: Request) -> Response:
            del request
            async with session.get(url, headers=headers, ssl=tls, proxy=proxy) as answer:
                await answer.read()
                return _ANSWER if answer.status == 200 else Response(503)

        app = asking
    await RunningServer(app, listener).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    port, certificate, key, *rest = sys.argv[1:]
    uvloop.run(main(Listener("127.0.0.1", int(port), Path(certificate), Path(key)), rest))
