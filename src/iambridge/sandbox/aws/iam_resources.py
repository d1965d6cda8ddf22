"""The ARN that an IAM call is decided on, with the paths that the store knows. Reads the store, changes nothing.

Source: Service Authorization Reference, actions, resources and condition keys of AWS Identity and Access Management.
"""

from collections.abc import Mapping

from iambridge.sandbox.aws import action_catalogue, service_linked_roles
from iambridge.sandbox.aws.entities import Group, InstanceProfile, Named, Role, User
from iambridge.sandbox.aws.iam_account import IamAccount, tags_from
from iambridge.sandbox.aws.operations import Asked
from iambridge.sandbox.aws.query_protocol import Value

_ENTITIES: dict[str, tuple[type[Named], str]] = {
    "user": (User, "UserName"),
    "role": (Role, "RoleName"),
    "group": (Group, "GroupName"),
    "instance-profile": (InstanceProfile, "InstanceProfileName"),
}


def asked(account: IamAccount, operation: str, given: Mapping[str, Value]) -> list[Asked]:
    """The decisions that a validated call needs.

    Raises:
        NotImplementedBySandbox: the reference has no action of the operation's name.
    """
    found = action_catalogue.action("iam", operation)
    action = f"iam:{found.name}"
    context = tuple(_context(account, given).items())
    resources = [
        # the tags of policies and providers are not among the keys of `_context`
        (resource, kind.name in _ENTITIES)
        for kind in found.resource_types
        if (resource := _resource(account, kind.name, operation, given))
    ]
    result = [Asked(action, resource, context, tags_read=read) for resource, read in resources or [("*", True)]]
    if operation == "AddRoleToInstanceProfile" and isinstance(role := given.get("RoleName"), str):
        # the role is passed to EC2 (IAM API reference, AddRoleToInstanceProfile: needs iam:PassRole)
        result.append(passing(account, role, _entity_arn(account, Role, role, {}), "ec2.amazonaws.com"))
    return result


def passing(account: IamAccount, role: str, arn: str, service: str) -> Asked:
    """The decision to pass the role named `role` to a service (`ec2.amazonaws.com`)."""
    keys = [("iam:PassedToService", service)]
    if (entity := account.store.get(Role, role.lower())) is not None:
        keys += [(f"{prefix}:ResourceTag/{key}", tag) for key, tag in entity.tags.items() for prefix in ("aws", "iam")]
    return Asked("iam:PassRole", arn, tuple(keys), tags_read=True)


def _resource(account: IamAccount, kind: str, operation: str, given: Mapping[str, Value]) -> str:
    prefix = f"arn:aws:iam::{account.account_id}"
    if isinstance(service := given.get("AWSServiceName"), str) and kind == "role":
        return service_linked_roles.role_arn(account, service, str(given.get("CustomSuffix", "")))
    if isinstance(source := given.get("PolicySourceArn"), str):
        return source if source.rpartition(":")[2].startswith(f"{kind}/") else ""
    if kind in _ENTITIES:
        entity, parameter = _ENTITIES[kind]
        name = given.get(parameter)
        return _entity_arn(account, entity, name, given) if isinstance(name, str) else ""
    if kind == "policy":
        if operation == "CreatePolicy":
            return f"{prefix}:policy{given.get('Path', '/')}{given.get('PolicyName', '')}"
        return str(given.get("PolicyArn", ""))
    if kind == "oidc-provider":
        url = str(given.get("Url", ""))
        return str(given.get("OpenIDConnectProviderArn", "")) or f"{prefix}:oidc-provider/{url.partition('://')[2]}"
    return ""


def _entity_arn(account: IamAccount, kind: type[Named], name: str, given: Mapping[str, Value]) -> str:
    entity = account.store.get(kind, name.lower())
    if entity is not None and entity.name == name:
        return account.arn(entity)
    return f"arn:aws:iam::{account.account_id}:{kind.kind}{given.get('Path', '/')}{name}"


def _context(account: IamAccount, given: Mapping[str, Value]) -> dict[str, str | tuple[str, ...]]:
    keys: dict[str, str | tuple[str, ...]] = {}
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
    for kind, parameter in _ENTITIES.values():
        if isinstance(name := given.get(parameter), str) and (entity := account.store.get(kind, name.lower())):
            keys |= {f"aws:ResourceTag/{key}": value for key, value in entity.tags.items()}
            keys |= {f"iam:ResourceTag/{key}": value for key, value in entity.tags.items()}
            boundary_of = getattr(entity, "boundary", "")
            if boundary_of and "PermissionsBoundary" not in given:
                keys["iam:PermissionsBoundary"] = boundary_of
    return keys
