"""kubectl meets the embedded cluster's authentication: whoami, can-i, create token, --as, over TLS."""

import asyncio
import datetime as dt
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.service_account_token import SigningKey
from iambridge.sandbox.cluster.cluster import Cluster
from iambridge.sandbox.cluster.token_review_webhook import TokenReviewWebhook
from iambridge.wire.http import Request, Response

_OWN = Path(sys.executable).with_name("kubectl")
KUBECTL = str(_OWN) if _OWN.exists() else shutil.which("kubectl") or ""
pytestmark = pytest.mark.skipif(not KUBECTL, reason="kubectl is neither beside Python nor on PATH")

Kubectl = Callable[..., Awaitable[tuple[int, str]]]


async def _authenticator(request: Request) -> Response:
    """A TokenReview webhook that knows one token."""
    known = msgspec.json.decode(request.body)["spec"]["token"] == "aws"
    status = {"authenticated": known, **({"user": {"username": "jane", "groups": ["devs"]}} if known else {})}
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}
    return Response(200, (("content-type", "application/json"),), msgspec.json.encode(review))


@asynccontextmanager
async def _cluster(directory: Path) -> AsyncIterator[Kubectl]:
    """A served cluster with an authenticator, and kubectl for it: `await kubectl("auth whoami", token="adm")`."""
    authority = CertificateAuthority(directory / "pki", name="test CA", now=dt.datetime.now(dt.UTC))
    leaf = authority.leaf("server", hosts=("127.0.0.1",))
    port, review_port = free_port(), free_port()
    webhook = TokenReviewWebhook(
        f"https://127.0.0.1:{review_port}/authenticate", authority.certificate_file, now=time.monotonic
    )
    cluster = Cluster(
        directory / "cluster",
        issuer_url="https://127.0.0.1:1",
        server_url=f"https://127.0.0.1:{port}",
        signing_keys=[SigningKey.generate("ES256")],
        static_tokens={"adm": ("kubernetes-admin", ("system:masters",))},
        token_review=webhook,
    )
    servers = [
        RunningServer(app, Listener("127.0.0.1", number, leaf.certificate, leaf.key))
        for app, number in ((cluster.app, port), (_authenticator, review_port))
    ]
    await cluster.start()
    for server in servers:
        await server.start()

    async def kubectl(*words: str, token: str = "adm") -> tuple[int, str]:
        where = (
            "--kubeconfig=/dev/null",
            f"--server=https://127.0.0.1:{port}",
            "--cache-dir",
            str(directory / "cache"),
        )
        trust = (f"--certificate-authority={authority.certificate_file}", f"--token={token}")
        process = await asyncio.create_subprocess_exec(
            KUBECTL, *where, *trust, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode().strip()

    try:
        yield kubectl
    finally:
        await webhook.close()
        for server in servers:
            await server.stop()
        await cluster.close()


def _run(directory: Path, story: Callable[[Kubectl], Awaitable[None]]) -> None:
    async def main() -> None:
        async with _cluster(directory) as kubectl:
            await story(kubectl)

    asyncio.run(main())


def _table(output: str) -> dict[str, str]:
    rows = (line.rsplit("  ", 1) for line in output.splitlines()[1:])
    return {row[0].strip(): row[1].strip() for row in rows}


def test_each_credential_is_its_user(tmp_path: Path) -> None:
    """A static token, a webhook's token and a bad one: two users, and a login that is refused."""

    async def story(kubectl: Kubectl) -> None:
        _, output = await kubectl("auth", "whoami")
        assert _table(output) == {
            "Username": "kubernetes-admin",
            "Groups": "[system:masters system:authenticated]",
        }
        _, output = await kubectl("auth", "whoami", token="aws")
        assert _table(output) == {"Username": "jane", "Groups": "[devs system:authenticated]"}
        assert await kubectl("auth", "whoami", token="bad") == (
            1,
            "error: You must be logged in to the server (Unauthorized)",
        )

    _run(tmp_path, story)


def test_a_service_account_token_logs_in_until_its_account_is_gone(tmp_path: Path) -> None:
    """`create token` gives a token that is the service account, bound to its uid."""

    async def story(kubectl: Kubectl) -> None:
        await kubectl("create", "serviceaccount", "web")
        code, token = await kubectl("create", "token", "web", "--duration=10m")
        assert code == 0
        _, output = await kubectl("auth", "whoami", token=token)
        shown = _table(output)
        assert shown["Username"] == "system:serviceaccount:default:web"
        assert shown["Groups"] == "[system:serviceaccounts system:serviceaccounts:default system:authenticated]"
        assert shown["Extra: authentication.kubernetes.io/credential-id"].startswith("[JTI=")
        await kubectl("delete", "serviceaccount", "web")
        await kubectl("create", "serviceaccount", "web")
        code, output = await kubectl("auth", "whoami", token=token)
        assert (code, output) == (1, "error: You must be logged in to the server (Unauthorized)")

    _run(tmp_path, story)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("web", "--duration=1m"),
            (
                'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not '
                "specify a duration less than 10 minutes"
            ),
        ),
        (("none",), 'serviceaccounts "none" not found'),
        (("web", "--bound-object-kind=Pod", "--bound-object-name=x"), 'pods "x" not found'),
    ],
)
def test_a_token_that_may_not_be_is_refused_in_kubernetes_words(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    """What kubectl prints of a refused TokenRequest is what it prints before a real API server."""

    async def story(kubectl: Kubectl) -> None:
        await kubectl("create", "serviceaccount", "web")
        assert await kubectl("create", "token", *words) == (1, f"error: failed to create token: {message}")

    _run(tmp_path, story)


def test_impersonation_is_another_user_and_needs_leave(tmp_path: Path) -> None:
    """An administrator is whom --as names, with nothing of their own; another may not."""

    async def story(kubectl: Kubectl) -> None:
        extra = ("--as=bob", "--as-group=ops", "--as-uid=7", "--as-user-extra=a/b=c")
        _, output = await kubectl("auth", "whoami", *extra)
        assert _table(output) == {
            "Username": "bob",
            "UID": "7",
            "Groups": "[ops system:authenticated]",
            "Extra: a/b": "[c]",
        }
        assert await kubectl("auth", "can-i", "list", "pods") == (0, "yes")
        assert await kubectl("auth", "can-i", "list", "pods", "--as=bob") == (1, "no")
        assert await kubectl("auth", "can-i", "get", "/version", "--as=bob") == (0, "yes")
        code, output = await kubectl("get", "pods", "--as=bob", token="aws")
        assert code == 1
        assert output == (
            'Error from server (Forbidden): users "bob" is forbidden: User "jane" cannot impersonate resource "users" '
            'in API group "" at the cluster scope'
        )

    _run(tmp_path, story)
