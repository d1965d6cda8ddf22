"""The ARN that an IAM call is decided on, with the paths that the store knows. Reads the store, changes nothing.

Source: Service Authorization Reference, actions, resources and condition keys of AWS Identity and Access Management.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from iambridge.sandbox.aws import action_catalogue, condition_keys, service_linked_roles
from iambridge.sandbox.aws.entities import (
    AccessKey,
    Group,
    InstanceProfile,
    ManagedPolicy,
    Named,
    OpenIDConnectProvider,
    Principal,
    Role,
    ServerCertificate,
    User,
)
from iambridge.sandbox.aws.iam_account import IamAccount, tags_from
from iambridge.sandbox.aws.operations import Asked
from iambridge.sandbox.aws.query_protocol import Value

Given = Mapping[str, Value]
Keys = dict[str, str | tuple[str, ...]]

_ENTITIES: dict[str, tuple[type[Named], str]] = {
    "user": (User, "UserName"),
    "role": (Role, "RoleName"),
    "group": (Group, "GroupName"),
    "instance-profile": (InstanceProfile, "InstanceProfileName"),
    "server-certificate": (ServerCertificate, "ServerCertificateName"),
}
# lists by path: the reference gives them no resource, and AWS's denials name the path that was asked for
_LISTS = {
    "ListGroups": "group",
    "ListInstanceProfiles": "instance-profile",
    "ListRoles": "role",
    "ListServerCertificates": "server-certificate",
    "ListUsers": "user",
}
_OF_IAM = frozenset({"iam:PermissionsBoundary", "iam:PolicyARN"})
# changes of name or path: they need the right to the entity as it was and as it will be
# (IAM API reference, each operation)
_MOVES = {
    "UpdateUser": "NewUserName",
    "UpdateGroup": "NewGroupName",
    "UpdateServerCertificate": "NewServerCertificateName",
}


class _Resource(NamedTuple):
    """`entity` is what has the ARN; None when there is nothing yet, or nothing any more."""

    arn: str
    entity: Named | OpenIDConnectProvider | None = None


def asked(account: IamAccount, operation: str, given: Given) -> list[Asked]:
    """The decisions that a validated call needs.

    Raises:
        NotImplementedBySandbox: the reference has no action of the operation's name.
    """
    found = action_catalogue.action("iam", operation)
    action = f"iam:{found.name}"
    common = _listed(_request_keys(given), action)
    result = [
        Asked(
            action,
            resource.arn,
            tuple({**_listed(_resource_keys(resource, given), action), **common}.items()),
            tags_read=True,
        )
        for kind in found.resource_types
        for resource in _resources(account, kind.name, operation, given)
    ] or [Asked(action, _whole(account, operation, given), tuple(common.items()), tags_read=True)]
    if operation == "AddRoleToInstanceProfile" and isinstance(role := given.get("RoleName"), str):
        # the role is passed to EC2 (IAM API reference, AddRoleToInstanceProfile: needs iam:PassRole)
        result.append(passing(account, role, _named(account, Role, role).arn, "ec2.amazonaws.com"))
    return result


def _whole(account: IamAccount, operation: str, given: Given) -> str:
    """What a call without a resource of its own is decided on."""
    if operation not in _LISTS:
        return "*"
    return f"arn:aws:iam::{account.account_id}:{_LISTS[operation]}{given.get('PathPrefix', '/')}"


def passing(account: IamAccount, role: str, arn: str, service: str) -> Asked:
    """The decision to pass the role named `role` to a service (`ec2.amazonaws.com`)."""
    keys = [("iam:PassedToService", service)]
    if (entity := account.store.get(Role, role.lower())) is not None:
        keys += [(f"{prefix}:ResourceTag/{key}", tag) for key, tag in entity.tags.items() for prefix in ("aws", "iam")]
    return Asked("iam:PassRole", arn, tuple(keys), tags_read=True)


def _resources(account: IamAccount, kind: str, operation: str, given: Given) -> Iterator[_Resource]:
    """What the call is about, of one of the kinds that its action takes."""
    prefix = f"arn:aws:iam::{account.account_id}"
    if isinstance(source := given.get("PolicySourceArn"), str):
        if kind in _ENTITIES and source.rpartition(":")[2].startswith(f"{kind}/"):
            yield _Resource(source, account.of_arn(_ENTITIES[kind][0], source))
    elif kind in _ENTITIES:
        yield from _entities(account, kind, operation, given)
    elif kind == "policy" and operation == "CreatePolicy":
        yield _Resource(f"{prefix}:policy{given.get('Path', '/')}{given.get('PolicyName', '')}")
    elif kind == "policy" and isinstance(arn := given.get("PolicyArn"), str):
        yield _Resource(arn, account.of_arn(ManagedPolicy, arn))
    elif kind == "oidc-provider":
        # a URL is kept without its trailing slash, and so is its ARN
        arn = given.get("OpenIDConnectProviderArn") or f"{prefix}:oidc-provider/{_host_and_path(given)}"
        yield _Resource(str(arn), account.store.get(OpenIDConnectProvider, str(arn).partition(":oidc-provider/")[2]))
    elif kind == "saml-provider" and isinstance(arn := given.get("SAMLProviderArn"), str):
        yield _Resource(arn)
    elif kind == "mfa" and str(serial := given.get("SerialNumber", "")).startswith("arn:"):
        yield _Resource(str(serial))


def _entities(account: IamAccount, kind: str, operation: str, given: Given) -> Iterator[_Resource]:
    entity, parameter = _ENTITIES[kind]
    name = given.get(parameter)
    if operation == "GetAccessKeyLastUsed" and (key := account.store.get(AccessKey, str(given.get("AccessKeyId")))):
        name = key.user
    if isinstance(service := given.get("AWSServiceName"), str):
        yield _Resource(service_linked_roles.role_arn(account, service, str(given.get("CustomSuffix", ""))))
    elif isinstance(task := given.get("DeletionTaskId"), str):
        yield _Resource(service_linked_roles.arn_of_task(account, task))
    elif isinstance(name, str) and operation in {f"Create{entity.__name__}", f"Upload{entity.__name__}"}:
        # what is made is not what may have the name already
        yield _Resource(f"arn:aws:iam::{account.account_id}:{kind}{given.get('Path', '/')}{name}")
    elif isinstance(name, str):
        found = _named(account, entity, name)
        yield found
        if found.entity is not None and operation in _MOVES:
            assert isinstance(found.entity, Named)
            path, new = given.get("NewPath", found.entity.path), given.get(_MOVES[operation], name)
            moved = f"arn:aws:iam::{account.account_id}:{kind}{path}{new}"
            if moved != found.arn:
                yield _Resource(moved, found.entity)


def _named(account: IamAccount, kind: type[Named], name: str) -> _Resource:
    entity = account.store.get(kind, name.lower())
    if entity is not None and entity.name == name:
        return _Resource(account.arn(entity), entity)
    return _Resource(f"arn:aws:iam::{account.account_id}:{kind.kind}/{name}")


def _host_and_path(given: Given) -> str:
    return str(given.get("Url", "")).partition("://")[2].rstrip("/")


def _listed(keys: Keys, action: str) -> Keys:
    """Without IAM's own keys that the action does not take: what is absent at AWS makes a negated condition true."""
    return {
        key: value for key, value in keys.items() if key not in _OF_IAM or condition_keys.takes(action, key.lower())
    }


def _request_keys(given: Given) -> Keys:
    keys: Keys = {}
    if isinstance(arn := given.get("PolicyArn"), str):
        keys["iam:PolicyARN"] = arn
    if isinstance(boundary := given.get("PermissionsBoundary"), str):
        keys["iam:PermissionsBoundary"] = boundary
    if isinstance(service := given.get("AWSServiceName"), str):
        keys["iam:AWSServiceName"] = service
    if "Tags" in given:
        tags = tags_from(given)
        keys |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        keys["aws:TagKeys"] = tuple(tags)
    if isinstance(untagged := given.get("TagKeys"), list):
        keys["aws:TagKeys"] = tuple(str(key) for key in untagged)
    return keys


def _resource_keys(resource: _Resource, given: Given) -> Keys:
    """The tags and the boundary of the one resource that is decided on, never those of another that the call names."""
    entity = resource.entity
    if entity is None:
        return {}
    keys: Keys = {f"{prefix}:ResourceTag/{key}": tag for key, tag in entity.tags.items() for prefix in ("aws", "iam")}
    if isinstance(entity, Principal) and entity.boundary and "PermissionsBoundary" not in given:
        keys["iam:PermissionsBoundary"] = entity.boundary
    return keys
