"""IAM OIDC providers: the issuers whose web identity tokens STS may believe.

Deviation, on purpose: AWS refuses a port in the URL; a sandbox's issuer has one, so it is kept as part of the name.
"""

import re
from urllib.parse import urlsplit

import msgspec

from iambridge.errors import EntityAlreadyExists, InvalidInput, LimitExceeded, NoSuchEntity, ValidationError
from iambridge.sandbox.aws.entities import OpenIDConnectProvider
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, tag_list, tags_from

_CLIENT_IDS = 100
_THUMBPRINTS = 5
_PROVIDERS = 100
_PRINTABLE = re.compile(r"[!-~]+")
_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")


def provider_url(url: str) -> str:
    """The URL as IAM keeps it: no scheme, no trailing slash.

    Raises:
        ValidationError: not https, with a query, fragment or user name, or with what no URL has.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValidationError("Invalid Open ID Connect Provider URL") from error
    if parts.scheme != "https" or not host or not _PRINTABLE.fullmatch(url):
        raise ValidationError("Invalid Open ID Connect Provider URL")
    if parts.query or parts.fragment or parts.username is not None or "?" in url or "#" in url:
        raise ValidationError("Invalid Open ID Connect Provider URL")
    return (parts.netloc + parts.path).rstrip("/")


def find(account: IamAccount, arn: str) -> OpenIDConnectProvider:
    prefix, _, url = arn.partition(":oidc-provider/")
    provider = account.store.get(OpenIDConnectProvider, url)
    if prefix != f"arn:aws:iam::{account.account_id}" or provider is None:
        raise NoSuchEntity(f"OpenIDConnect Provider not found for arn {arn}")
    return provider


def create_provider(account: IamAccount, parameters: Parameters) -> Output:
    """ThumbprintList must be there: the caller fetches the certificate when the request has none."""
    url = provider_url(parameters["Url"])
    if account.store.get(OpenIDConnectProvider, url) is not None:
        raise EntityAlreadyExists(f"Provider with url {parameters['Url']} already exists.")
    if account.store.count(OpenIDConnectProvider) >= _PROVIDERS:
        raise LimitExceeded(f"Cannot exceed quota for OpenIdConnectProvidersPerAccount: {_PROVIDERS}")
    provider = OpenIDConnectProvider(
        url=url,
        client_ids=_client_ids(parameters.get("ClientIDList", ())),
        thumbprints=_thumbprints(parameters["ThumbprintList"]),
        tags=tags_from(parameters),
        created=account.timestamp(),
    )
    account.store.write(provider)
    result: Output = {"OpenIDConnectProviderArn": account.arn(provider)}
    if provider.tags:
        result["Tags"] = tag_list(provider.tags)
    return result


def get_provider(account: IamAccount, parameters: Parameters) -> Output:
    provider = find(account, parameters["OpenIDConnectProviderArn"])
    return {
        "Url": provider.url,
        "ClientIDList": list(provider.client_ids),
        "ThumbprintList": list(provider.thumbprints),
        "CreateDate": provider.created,
        "Tags": tag_list(provider.tags),
    }


def list_providers(account: IamAccount, parameters: Parameters) -> Output:
    del parameters
    providers = account.store.all(OpenIDConnectProvider)
    return {"OpenIDConnectProviderList": [{"Arn": account.arn(provider)} for provider in providers]}


def delete_provider(account: IamAccount, parameters: Parameters) -> Output:
    """Deleting one that is not there succeeds (IAM API reference: the call is idempotent)."""
    try:
        provider = find(account, parameters["OpenIDConnectProviderArn"])
    except NoSuchEntity:
        return {}
    account.store.write(delete=(provider,))
    return {}


def update_thumbprints(account: IamAccount, parameters: Parameters) -> Output:
    provider = find(account, parameters["OpenIDConnectProviderArn"])
    thumbprints = _thumbprints(parameters["ThumbprintList"])
    account.store.write(msgspec.structs.replace(provider, thumbprints=thumbprints))
    return {}


def add_client_id(account: IamAccount, parameters: Parameters) -> Output:
    """Adding one that is there succeeds."""
    provider = find(account, parameters["OpenIDConnectProviderArn"])
    if parameters["ClientID"] not in provider.client_ids:
        client_ids = _client_ids((*provider.client_ids, parameters["ClientID"]))
        account.store.write(msgspec.structs.replace(provider, client_ids=client_ids))
    return {}


def remove_client_id(account: IamAccount, parameters: Parameters) -> Output:
    """Removing one that is not there succeeds."""
    provider = find(account, parameters["OpenIDConnectProviderArn"])
    left = tuple(client_id for client_id in provider.client_ids if client_id != parameters["ClientID"])
    account.store.write(msgspec.structs.replace(provider, client_ids=left))
    return {}


def _client_ids(client_ids: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(client_ids))
    if len(unique) > _CLIENT_IDS:
        raise LimitExceeded(f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {_CLIENT_IDS}")
    return unique


def _thumbprints(thumbprints: list[str]) -> tuple[str, ...]:
    if len(thumbprints) > _THUMBPRINTS:
        raise InvalidInput("Thumbprint list must contain fewer than 5 entries.")
    if not all(_THUMBPRINT.fullmatch(thumbprint) for thumbprint in thumbprints):
        raise InvalidInput("Thumbprints must be 40 hexadecimal digits.")
    return tuple(thumbprint.lower() for thumbprint in thumbprints)


OPERATIONS = {
    "CreateOpenIDConnectProvider": create_provider,
    "GetOpenIDConnectProvider": get_provider,
    "ListOpenIDConnectProviders": list_providers,
    "DeleteOpenIDConnectProvider": delete_provider,
    "UpdateOpenIDConnectProviderThumbprint": update_thumbprints,
    "AddClientIDToOpenIDConnectProvider": add_client_id,
    "RemoveClientIDFromOpenIDConnectProvider": remove_client_id,
}
