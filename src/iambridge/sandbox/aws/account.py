"""One AWS account of the sandbox: IAM state, the gateway, and moto behind it."""

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from iambridge.adapters.certificates import write_private
from iambridge.adapters.decision_log import NoDecisionLog
from iambridge.errors import AuthenticationFault, OpenIdIdpCommunicationError, RequestNotAuthenticated
from iambridge.ports import DecisionLog
from iambridge.sandbox.aws import principal_policies, users
from iambridge.sandbox.aws.authorization import Authorizer
from iambridge.sandbox.aws.callers import OpenSession, Session
from iambridge.sandbox.aws.entities import AccessKey, User
from iambridge.sandbox.aws.gateway import Gateway
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.store import Store
from iambridge.wire.http import App, Request, Response

ADMIN = "iambridge-admin"
_ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"
_CERTIFICATE_SECONDS = 5.0


class Account:
    """Opens or creates the account in `data_dir`: `iam.db`, `admin-credentials.json` (0600), `moto.log`.

    `now` gives an aware datetime. `sts` and `open_session` come from STS; without them the account takes long-term
    keys only.

    Raises:
        InputError: the state cannot be opened.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        account_id: str,
        region: str,
        now: Callable[[], dt.datetime],
        decision_log: DecisionLog | None = None,
    ) -> None:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.account_id = account_id
        self.region = region
        self._now = now
        self._log = decision_log or NoDecisionLog()
        self._data_dir = data_dir
        self._store = Store(data_dir / "iam.db")
        self.iam = IamAccount(self._store, account_id, now)
        self._moto = MotoBackend(account_id=account_id, region=region, log=data_dir / "moto.log")
        self.connect_sts(None, _no_sessions)
        self.admin = self._admin()

    def connect_sts(self, sts: App | None, open_session: OpenSession) -> None:
        """Give the gateway its STS. Called once, before the first request."""
        authorizer = Authorizer(self.account_id, decision_log=self._log, now=self._now)
        self._gateway = Gateway(
            self.iam,
            moto=self._moto,
            authorizer=authorizer,
            open_session=open_session,
            sts=sts,
            fetch_thumbprint=fetch_thumbprint,
            region=self.region,
            now=self._now,
        )

    async def app(self, request: Request) -> Response:
        return await self._gateway.app(request)

    async def close(self) -> None:
        await self._moto.close()
        self._store.close()

    def service_user(self, name: str, policy: dict[str, object]) -> AccessKey:
        """An ordinary IAM user under `/iambridge/` with one inline policy and one key, made at first call.

        For parts of the sandbox that call AWS themselves, as the authenticator does for ec2:DescribeInstances.
        """
        user = self._store.get(User, name.lower())
        if user is None:
            users.create_user(self.iam, {"UserName": name, "Path": "/iambridge/"})
        document = json.dumps(policy)
        if user is None or user.inline.get(name) != document:
            given = {"UserName": name, "PolicyName": name, "PolicyDocument": document}
            principal_policies.put_policy(self.iam, given, kind=User)
        keys = users.keys_of(self.iam, name)
        if keys:
            return keys[0]
        users.create_access_key(self.iam, {"UserName": name})
        return users.keys_of(self.iam, name)[0]

    def _admin(self) -> AccessKey:
        """The administrator's key; made with its user at the first start, and only then."""
        file = self._data_dir / "admin-credentials.json"
        if file.exists():
            kept = json.loads(file.read_text())
            key = self._store.get(AccessKey, kept["AccessKeyId"])
            if key is not None:
                return key
            # deleted by the user, or the file is newer than a state that was moved away
        if self._store.get(User, ADMIN) is None:
            users.create_user(self.iam, {"UserName": ADMIN})
            attach = {"UserName": ADMIN, "PolicyArn": _ADMINISTRATOR_ACCESS}
            principal_policies.attach_policy(self.iam, attach, kind=User)
        made = users.create_access_key(self.iam, {"UserName": ADMIN})["AccessKey"]
        content = {name: made[name] for name in ("AccessKeyId", "SecretAccessKey")}
        write_private(file, json.dumps(content).encode())
        key = self._store.get(AccessKey, made["AccessKeyId"])
        assert key is not None
        return key


async def fetch_thumbprint(url: str) -> str:
    """SHA-1 of the top certificate that an issuer sends, 40 hex digits.

    Source: IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity provider".

    Raises:
        OpenIdIdpCommunicationError: no TLS connection within 5 s.
    """
    from hashlib import sha1  # noqa: PLC0415

    parts = urlsplit(url)
    context = ssl.create_default_context()
    # the chain is read, not believed: AWS too fetches it from an issuer that it does not trust yet
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(_CERTIFICATE_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    except (OSError, TimeoutError) as error:
        raise OpenIdIdpCommunicationError(
            f"Please check if the URL is valid and reachable: {url}",
            cause=f"no TLS connection to the issuer: {error or 'timed out'}",
            fix="give --thumbprint-list, or start the issuer first",
        ) from error
    chain = _chain(writer)
    writer.close()
    return sha1(chain[-1], usedforsecurity=False).hexdigest()


def _chain(writer: asyncio.StreamWriter) -> list[bytes]:
    connection = writer.get_extra_info("ssl_object")
    # public from Python 3.13 on; the C object has had it since 3.10
    unverified = getattr(connection, "get_unverified_chain", None) or connection._sslobj.get_unverified_chain  # noqa: SLF001
    return [item if isinstance(item, bytes) else ssl.PEM_cert_to_DER_cert(item.public_bytes()) for item in unverified()]


def _no_sessions(access_key_id: str, session_token: str) -> Session:
    del access_key_id, session_token
    raise RequestNotAuthenticated(
        AuthenticationFault.INVALID_SESSION, "The security token included in the request is invalid."
    )
