"""Tokens that must be refused, made by the demo itself: no server is asked to bend its clock or its checks."""

import datetime as dt
from pathlib import Path
from urllib.parse import urlsplit

from iambridge.core import authenticator_token, sigv4
from iambridge.core.service_account_token import SigningKey, UnverifiedToken, issue


def flipped(token: str) -> str:
    """The same token with one bit of its signature flipped."""
    signed, _, signature = token.rpartition(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    middle = len(signature) // 2
    other = alphabet[alphabet.index(signature[middle]) ^ 1]
    return f"{signed}.{signature[:middle]}{other}{signature[middle + 1 :]}"


def from_another_issuer(token: str) -> str:
    """The same claims, named and signed by an issuer that no account has registered."""
    claims = {**UnverifiedToken.parse(token).claims, "iss": "https://issuer.example.com"}
    return issue(claims, SigningKey.generate("ES256"))


def expired(token: str, signing_key: Path, now: int) -> str:
    """The same claims, properly signed by the cluster's own key, whose time ended an hour ago (`now` in seconds)."""
    times = {"iat": now - 7200, "nbf": now - 7200, "exp": now - 3600}
    return issue({**UnverifiedToken.parse(token).claims, **times}, SigningKey.from_pem(signing_key.read_bytes()))


def expired_login(endpoint: str, access_key_id: str, secret: str, cluster: str, now: float) -> str:
    """An authenticator token that was right sixteen minutes ago (`now` in seconds)."""
    host = urlsplit(endpoint).netloc
    url = sigv4.presign(
        sigv4.Credentials(access_key_id, secret),
        method="GET",
        url=f"https://{host}/?Action=GetCallerIdentity&Version=2011-06-15",
        region="us-east-1",
        service="sts",
        headers={"x-k8s-aws-id": cluster},
        expires=60,
        now=dt.datetime.fromtimestamp(now - 16 * 60, dt.UTC),
    )
    return authenticator_token.encode(url)
