"""AWS credentials for a short-lived client, from where SDKs look, with as few imports as the source allows.

Keys in the environment need nothing; profiles, web identity and container sources are botocore's, imported only then;
EC2 instance metadata (IMDSv2) and AssumeRole go over the standard library's HTTP client.

Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers"; EC2 User Guide, "Use IMDS".
"""

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from iambridge.core import sigv4
from iambridge.errors import InputError, NoCredentials

_METADATA_ENDPOINT = "http://169.254.169.254"
_METADATA_SECONDS = 1.0
_STS_SECONDS = 10.0
_MAX_ANSWER = 256 * 1024
_SDK_SOURCES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
)


class Found(NamedTuple):
    """Credentials, and when they end in seconds since the epoch; None where their source does not say."""

    credentials: sigv4.Credentials
    expires: float | None = None


def find_credentials(environment: Mapping[str, str]) -> sigv4.Credentials:
    """`find`, for who uses them at once."""
    return find(environment).credentials


def find(environment: Mapping[str, str]) -> Found:
    """The first source that has credentials: environment, botocore's chain where configured, instance metadata.

    Raises:
        NoCredentials: none has.
        InputError: a secret access key without its id, or the other way round.
    """
    key_id, secret = environment.get("AWS_ACCESS_KEY_ID", ""), environment.get("AWS_SECRET_ACCESS_KEY", "")
    if bool(key_id) != bool(secret):
        raise InputError(
            "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set", fix="set both, or unset the one"
        )
    if key_id:
        return Found(sigv4.Credentials(key_id, secret, environment.get("AWS_SESSION_TOKEN", "")))
    if _sdk_is_configured(environment):
        found = _from_botocore(environment)
        if found is not None:
            return found
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise NoCredentials(
            "no AWS credentials found",
            cause="no keys, profile or web identity in the environment, and instance metadata is switched off",
            fix="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    return _of_instance(environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _METADATA_ENDPOINT)


def _sdk_is_configured(environment: Mapping[str, str]) -> bool:
    if any(environment.get(name) for name in _SDK_SOURCES):
        return True
    home = environment.get("HOME")
    return bool(home) and any((Path(str(home)) / ".aws" / name).exists() for name in ("credentials", "config"))


def _from_botocore(environment: Mapping[str, str]) -> Found | None:
    import botocore.exceptions  # noqa: PLC0415 - costs 300 ms, and most callers have keys in the environment
    import botocore.session  # noqa: PLC0415 - as above

    try:
        profile = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")
        found = botocore.session.Session(profile=profile or None).get_credentials()
        frozen: Any = found.get_frozen_credentials() if found is not None else None
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise NoCredentials(
            f"the AWS SDK could not get credentials: {error}", fix="check AWS_PROFILE and the files under ~/.aws"
        ) from error
    if frozen is None or not frozen.access_key:
        return None
    expires = getattr(found, "_expiry_time", None)  # botocore shows it nowhere else
    credentials = sigv4.Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")
    return Found(credentials, expires.timestamp() if isinstance(expires, dt.datetime) else None)


def _of_instance(endpoint: str) -> Found:
    """The instance profile's credentials from `endpoint`, by IMDSv2.

    Raises:
        NoCredentials: nobody answers within a second, or the instance has no profile.
    """
    try:
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        _, token = _exchange("PUT", f"{endpoint.rstrip('/')}/latest/api/token", lifetime, timeout=_METADATA_SECONDS)
        session = {"X-aws-ec2-metadata-token": token.decode("ascii")}
        path = f"{endpoint.rstrip('/')}/latest/meta-data/iam/security-credentials/"
        status, roles = _exchange("GET", path, session, timeout=_METADATA_SECONDS)
        names = roles.decode("ascii").split()
        if status != 200 or not names:
            raise NoCredentials(
                "this instance has no instance profile",
                cause=f"instance metadata at {endpoint} lists no role",
                fix="attach an instance profile to the instance, or set AWS_PROFILE",
            )
        _, document = _exchange("GET", path + names[0], session, timeout=_METADATA_SECONDS)
        values = json.loads(document)
        expires = dt.datetime.fromisoformat(values["Expiration"]).timestamp() if values.get("Expiration") else None
        return Found(sigv4.Credentials(values["AccessKeyId"], values["SecretAccessKey"], values["Token"]), expires)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoCredentials(
            "no AWS credentials found",
            cause=f"no keys, profile or web identity in the environment, and no instance metadata at {endpoint}",
            fix="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from error


class Sts(NamedTuple):
    """Where and when STS is asked. `ca_file` replaces the system's authorities when not empty."""

    endpoint: str
    region: str
    ca_file: str
    now: dt.datetime


def assume_role(
    credentials: sigv4.Credentials,
    *,
    endpoint: str,
    region: str,
    role_arn: str,
    session_name: str,
    external_id: str,
    ca_file: str,
    now: dt.datetime,
    headers: Mapping[str, str] | None = None,
) -> sigv4.Credentials:
    """AssumeRole at `endpoint`, for 15 minutes. `ca_file` replaces the system's authorities when not empty.

    `headers` are sent besides, and signed.

    Raises:
        NoCredentials: STS refuses, with its code and words, or cannot be reached.
    """
    parameters = {"Action": "AssumeRole", "RoleArn": role_arn, "DurationSeconds": "900"}
    parameters["RoleSessionName"] = session_name
    if external_id:
        parameters["ExternalId"] = external_id
    sts = Sts(endpoint, region, ca_file, now)
    wanted = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    status, found = _ask(credentials, sts, parameters, wanted, headers or {})
    if status != 200 or not found["AccessKeyId"]:
        raise NoCredentials(
            f"cannot assume {role_arn}: {found['Code'] or status}: {found['Message']}",
            fix="let the role's trust policy name you, and your policies allow sts:AssumeRole on it",
        )
    return sigv4.Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def session_name_of(credentials: sigv4.Credentials, sts: Sts) -> str:
    """The session name of whoever holds `credentials`; empty for a user.

    Raises:
        NoCredentials: STS refuses, with its code and words, or cannot be reached.
    """
    status, found = _ask(credentials, sts, {"Action": "GetCallerIdentity"}, ("Arn",), {})
    if status != 200 or not found["Arn"]:
        raise NoCredentials(f"STS does not say who this is: {found['Code'] or status}: {found['Message']}",
                            fix="check the secret key, and that the AWS session has not expired")  # fmt: skip
    return found["Arn"].rpartition("/")[2] if ":assumed-role/" in found["Arn"] else ""


def _ask(
    credentials: sigv4.Credentials,
    sts: Sts,
    parameters: Mapping[str, str],
    wanted: tuple[str, ...],
    more: Mapping[str, str],
) -> tuple[int, dict[str, str]]:
    """The answer's status and the texts that are `wanted`, with its Code and Message. `more` are headers."""
    body = urlencode({**parameters, "Version": "2011-06-15"}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded", **more}
    url = sts.endpoint.rstrip("/") + "/"
    headers |= sigv4.sign(
        credentials, method="POST", url=url, region=sts.region, service="sts", headers=headers, body=body, now=sts.now
    )
    try:
        status, answer = _exchange("POST", url, headers, body=body, timeout=_STS_SECONDS, ca_file=sts.ca_file)
    except (OSError, ValueError) as error:
        raise NoCredentials(
            f"STS at {sts.endpoint} could not be reached: {error}", fix="check AWS_ENDPOINT_URL_STS and AWS_CA_BUNDLE"
        ) from error
    return status, _texts(answer, (*wanted, "Code", "Message"))


def _exchange(
    method: str, url: str, headers: Mapping[str, str], *, body: bytes = b"", timeout: float, ca_file: str = ""
) -> tuple[int, bytes]:
    import http.client  # noqa: PLC0415 - the environment's keys need no HTTP
    import ssl  # noqa: PLC0415 - as above

    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=ca_file or None)
        connection = http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=timeout)
    try:
        connection.request(method, parts.path or "/", body=body or None, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.read(_MAX_ANSWER)
    except http.client.HTTPException as error:
        raise OSError(f"not an HTTP answer: {type(error).__name__}") from error
    finally:
        connection.close()


def _texts(document: bytes, names: tuple[str, ...]) -> dict[str, str]:
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - only AssumeRole needs it

    found = dict.fromkeys(names, "")
    try:
        for element in ET.fromstring(document).iter():  # noqa: S314 - the answer of the endpoint the user named
            name = element.tag.rpartition("}")[2]
            if name in found and not found[name]:
                found[name] = element.text or ""
    except ET.ParseError:
        pass
    return found
