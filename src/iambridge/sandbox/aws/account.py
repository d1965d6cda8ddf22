"""One AWS account of the sandbox: IAM state, the gateway, and moto behind it."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from iambridge.adapters.decision_log import NoDecisionLog
from iambridge.adapters.private_file import write_private
from iambridge.errors import AwsError, OpenIdIdpCommunicationError
from iambridge.ports import DecisionLog, IamFacts, Sessions
from iambridge.sandbox.aws import principal_policies, users
from iambridge.sandbox.aws.authorization import Authorizer
from iambridge.sandbox.aws.authorization_messages import AuthorizationMessages
from iambridge.sandbox.aws.embedded_cluster import EmbeddedCluster
from iambridge.sandbox.aws.entities import AccessKey, User
from iambridge.sandbox.aws.gateway import Gateway
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.instances import Instances
from iambridge.sandbox.aws.last_uses import LastUses
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.store import Store
from iambridge.wire.http import App

ADMIN = "iambridge-admin"
_ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"


class Account:
    """Opens or creates the account in `data_dir`: `iam.db`, `admin-credentials.json` (0600), `moto.log`.

    `now` gives an aware datetime. `connect_sts` comes before the first request.

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
        self.last_uses = LastUses(self._store)
        self._moto = MotoBackend(account_id=account_id, region=region, log=data_dir / "moto.log")
        self._gateway: Gateway | None = None
        self._instances: Instances | None = None
        self.admin = self._admin()

    def connect_sts(
        self, sts: App, facts: IamFacts, sessions: Sessions, messages: AuthorizationMessages | None = None
    ) -> None:
        """Give the gateway its STS and what that knows. Called once, before the first request."""
        encode = messages.encode if messages else None
        self._instances = Instances(self.iam, self._moto, sessions=sessions, log=self._log, now=self._now)
        self._gateway = Gateway(
            self.iam,
            moto=self._moto,
            instances=self._instances,
            authorizer=Authorizer(self.account_id, decision_log=self._log, now=self._now, encode=encode),
            facts=facts,
            sessions=sessions,
            sts=sts,
            used=self.last_uses.record,
            fetch_thumbprint=fetch_thumbprint,
            region=self.region,
            now=self._now,
        )

    @property
    def embedded_cluster(self) -> EmbeddedCluster | None:
        """The cluster that EKS describes beside moto's own. Set after `connect_sts`."""
        return self._gateway.embedded_cluster if self._gateway is not None else None

    @embedded_cluster.setter
    def embedded_cluster(self, cluster: EmbeddedCluster | None) -> None:
        assert self._gateway is not None, "connect_sts comes first"
        self._gateway.embedded_cluster = cluster

    @property
    def app(self) -> App:
        """The gateway's."""
        assert self._gateway is not None, "connect_sts comes first"
        return self._gateway.app

    async def close(self) -> None:
        if self._instances is not None:
            await self._instances.close()
        await self._moto.close()
        self.last_uses.close()
        self._store.close()

    def service_user(self, name: str, policy: Mapping[str, object]) -> AccessKey:
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
        OpenIdIdpCommunicationError: nobody answers there, or not with a certificate.
    """
    from iambridge.adapters.oidc_keys import top_certificate_thumbprint  # noqa: PLC0415 - off the start-up path

    try:
        return await top_certificate_thumbprint(url)
    except (AwsError, OSError, TimeoutError) as error:
        raise OpenIdIdpCommunicationError(
            f"Please check that the URL is valid and that the identity provider answers: {url}",
            cause=getattr(error, "cause", str(error)) or "nobody answered in time",
            fix="give --thumbprint-list, or start the issuer first",
        ) from error
