"""Tagging of every IAM entity that takes tags."""

from collections.abc import Callable
from functools import partial

import msgspec

from iambridge.errors import NoSuchEntity
from iambridge.sandbox.aws import oidc_providers
from iambridge.sandbox.aws.entities import (
    InstanceProfile,
    ManagedPolicy,
    Named,
    OpenIDConnectProvider,
    Role,
    ServerCertificate,
    User,
)
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page, tag_list, tags_from

Tagged = Named | OpenIDConnectProvider
Find = Callable[[IamAccount, Parameters], Tagged]


def _by_name(account: IamAccount, parameters: Parameters, *, kind: type[Named], word: str) -> Tagged:
    return account.find(kind, parameters[f"{word}Name"])


def _provider(account: IamAccount, parameters: Parameters) -> Tagged:
    return oidc_providers.find(account, parameters["OpenIDConnectProviderArn"])


def _policy(account: IamAccount, parameters: Parameters) -> Tagged:
    policy = account.of_arn(ManagedPolicy, parameters["PolicyArn"])
    if policy is None:
        raise NoSuchEntity(f"Policy {parameters['PolicyArn']} was not found.")
    return policy


_FINDERS: dict[str, Find] = {
    "User": partial(_by_name, kind=User, word="User"),
    "Role": partial(_by_name, kind=Role, word="Role"),
    "ServerCertificate": partial(_by_name, kind=ServerCertificate, word="ServerCertificate"),
    "InstanceProfile": partial(_by_name, kind=InstanceProfile, word="InstanceProfile"),
    "OpenIDConnectProvider": _provider,
    "Policy": _policy,
}


def tag(account: IamAccount, parameters: Parameters, *, find: Find) -> Output:
    entity = find(account, parameters)
    account.store.write(msgspec.structs.replace(entity, tags=tags_from(parameters, entity.tags)))
    return {}


def untag(account: IamAccount, parameters: Parameters, *, find: Find) -> Output:
    entity = find(account, parameters)
    gone = {key.lower() for key in parameters["TagKeys"]}
    left = {key: value for key, value in entity.tags.items() if key.lower() not in gone}
    account.store.write(msgspec.structs.replace(entity, tags=left))
    return {}


def list_tags(account: IamAccount, parameters: Parameters, *, find: Find) -> Output:
    entity = find(account, parameters)
    return page(tag_list(entity.tags), parameters, member="Tags", key=lambda item: str(item["Key"]))


OPERATIONS: dict[str, Callable[[IamAccount, Parameters], Output]] = {
    **{f"Tag{word}": partial(tag, find=find) for word, find in _FINDERS.items()},
    **{f"Untag{word}": partial(untag, find=find) for word, find in _FINDERS.items()},
    **{f"List{word}Tags": partial(list_tags, find=find) for word, find in _FINDERS.items()},
}
