"""The policies of users, groups and roles: inline, attached, and the permissions boundary. One shape for all three."""

from collections.abc import Callable
from functools import partial

import msgspec

from iambridge.core.iam_policy import PolicyKind, size
from iambridge.errors import LimitExceeded, NoSuchEntity
from iambridge.sandbox.aws import policy_text
from iambridge.sandbox.aws.entities import Group, Principal, Role, User
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page
from iambridge.sandbox.aws.iam_errors import PolicyNotAttachable

Operation = Callable[[IamAccount, Parameters], Output]
PrincipalKind = type[User] | type[Group] | type[Role]

_INLINE_LIMITS = {User: 2048, Group: 5120, Role: 10240}
_ATTACHED_LIMIT = 10
# for service-linked roles alone
_OF_SERVICES = "arn:aws:iam::aws:policy/aws-service-role/"


def _subject(account: IamAccount, kind: PrincipalKind, parameters: Parameters) -> Principal:
    return account.find(kind, parameters[f"{kind.__name__}Name"])


def put_policy(account: IamAccount, parameters: Parameters, *, kind: PrincipalKind) -> Output:
    principal = _subject(account, kind, parameters)
    inline = {**principal.inline, parameters["PolicyName"]: parameters["PolicyDocument"]}
    limit = _INLINE_LIMITS[kind]
    if sum(map(size, inline.values())) > limit:
        raise LimitExceeded(f"Maximum policy size of {limit} bytes exceeded for {kind.kind} {principal.name}")
    policy_text.check(parameters["PolicyDocument"], PolicyKind.IDENTITY)
    account.store.write(msgspec.structs.replace(principal, inline=inline))
    return {}


def get_policy(account: IamAccount, parameters: Parameters, *, kind: PrincipalKind) -> Output:
    principal = _subject(account, kind, parameters)
    document = principal.inline.get(parameters["PolicyName"])
    if document is None:
        raise _no_inline(kind, parameters["PolicyName"])
    return {
        f"{kind.__name__}Name": principal.name,
        "PolicyName": parameters["PolicyName"],
        "PolicyDocument": document,
    }


def delete_policy(account: IamAccount, parameters: Parameters, *, kind: PrincipalKind) -> Output:
    principal = _subject(account, kind, parameters)
    if parameters["PolicyName"] not in principal.inline:
        raise _no_inline(kind, parameters["PolicyName"])
    left = {name: text for name, text in principal.inline.items() if name != parameters["PolicyName"]}
    account.store.write(msgspec.structs.replace(principal, inline=left))
    return {}


def list_policies(account: IamAccount, parameters: Parameters, *, kind: PrincipalKind) -> Output:
    principal = _subject(account, kind, parameters)
    return page(list(principal.inline), parameters, member="PolicyNames", key=str)


def attach_policy(account: IamAccount, parameters: Parameters, *, kind: PrincipalKind) -> Output:
    principal = _subject(account, kind, parameters)
    arn = parameters["PolicyArn"]
    account.attachable(arn)
    if arn.startswith(_OF_SERVICES):
        raise PolicyNotAttachable(f"Cannot attach a Service Role Policy to a Customer {kind.__name__}.")
    if arn in principal.attached:
        return {}
    if len(principal.attached) >= _ATTACHED_LIMIT:
        raise LimitExceeded(f"Cannot exceed quota for PoliciesPer{kind.__name__}: {_ATTACHED_LIMIT}")
    account.store.write(msgspec.structs.replace(principal, attached=(*principal.attached, arn)))
    return {}


def detach_policy(account: IamAccount, parameters: Parameters, *, kind: PrincipalKind) -> Output:
    principal = _subject(account, kind, parameters)
    arn = parameters["PolicyArn"]
    if arn not in principal.attached:
        raise NoSuchEntity(f"Policy {arn} was not found.")
    left = tuple(attached for attached in principal.attached if attached != arn)
    account.store.write(msgspec.structs.replace(principal, attached=left))
    return {}


def list_attached_policies(account: IamAccount, parameters: Parameters, *, kind: PrincipalKind) -> Output:
    principal = _subject(account, kind, parameters)
    found = [policy for arn in principal.attached if (policy := account.managed_policy(arn)) is not None]
    prefix = parameters.get("PathPrefix", "/")
    found = [policy for policy in found if policy.path.startswith(prefix)]
    # the account's own policy and AWS's may share a name
    named = [(policy.name, account.policy_arn(policy)) for policy in found]
    result = page(named, parameters, member="AttachedPolicies", key=" ".join)
    result["AttachedPolicies"] = [{"PolicyName": name, "PolicyArn": arn} for name, arn in result["AttachedPolicies"]]
    return result


def put_boundary(account: IamAccount, parameters: Parameters, *, kind: PrincipalKind) -> Output:
    principal = _subject(account, kind, parameters)
    account.attachable(parameters["PermissionsBoundary"])
    account.store.write(msgspec.structs.replace(principal, boundary=parameters["PermissionsBoundary"]))
    return {}


def delete_boundary(account: IamAccount, parameters: Parameters, *, kind: PrincipalKind) -> Output:
    principal = _subject(account, kind, parameters)
    if not principal.boundary:
        raise NoSuchEntity(f"{kind.__name__} {principal.name} does not have a permission boundary.")
    account.store.write(msgspec.structs.replace(principal, boundary=""))
    return {}


def _no_inline(kind: PrincipalKind, name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The {kind.kind} policy with name {name} cannot be found.")


def _operations() -> dict[str, Operation]:
    table: dict[str, Operation] = {}
    kinds: tuple[PrincipalKind, ...] = (User, Group, Role)
    for kind in kinds:
        word = kind.__name__
        table |= {
            f"Put{word}Policy": partial(put_policy, kind=kind),
            f"Get{word}Policy": partial(get_policy, kind=kind),
            f"Delete{word}Policy": partial(delete_policy, kind=kind),
            f"List{word}Policies": partial(list_policies, kind=kind),
            f"Attach{word}Policy": partial(attach_policy, kind=kind),
            f"Detach{word}Policy": partial(detach_policy, kind=kind),
            f"ListAttached{word}Policies": partial(list_attached_policies, kind=kind),
        }
        if kind is not Group:
            table[f"Put{word}PermissionsBoundary"] = partial(put_boundary, kind=kind)
            table[f"Delete{word}PermissionsBoundary"] = partial(delete_boundary, kind=kind)
    return table


OPERATIONS = _operations()
