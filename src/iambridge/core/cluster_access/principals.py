"""Every AWS principal that a cluster lets in, each by the one entry that decides for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from iambridge.core.arn import Arn
from iambridge.core.aws_auth import Entry, Mappings
from iambridge.core.cluster_access.access_entries import EksAccess
from iambridge.core.cluster_access.access_policies import AccessPolicy


@dataclass(frozen=True, slots=True)
class Principal:
    """`name` is its ARN, or words for a permission set or an account; `where` the entry.

    `username` and `groups` may be templates; with `every_arn` the username is the ARN of any principal of the account.
    `policies` is None when they are not visible; `unknown` says why nothing else of it is.
    """

    name: str
    where: str
    username: str
    groups: tuple[str, ...] = ()
    account: str = ""
    policies: tuple[AccessPolicy, ...] | None = ()
    unknown: str = ""
    every_arn: bool = False


def principals(
    aws_auth: Mappings | None, access: EksAccess, break_glass: Mappings | None = None
) -> Iterator[Principal]:
    """Break-glass first, then access entries, then what aws-auth maps beside them."""
    for entry in break_glass.entries if break_glass is not None else ():
        yield Principal(entry.arn, f"--break-glass-arn [{entry.index}]", entry.username, entry.groups, _account(entry))
    for index, found in enumerate(access.entries):
        where = f"access-entries [{index}]"
        unknown = "" if found.described else "its access entry could not be read"
        yield Principal(
            found.principal_arn, where, found.username, found.groups, found.account, found.policies, unknown
        )
    if aws_auth is None or not access.reads_config_map:
        return
    for entry in aws_auth.entries:
        if not entry.refusal and entry.key not in access.by_key:
            yield Principal(
                entry.arn or _permission_set(entry), entry.where, entry.username, entry.groups, _account(entry)
            )
    for account, line in aws_auth.accounts.items():
        yield Principal(
            f"every principal of account {account}", f"mapAccounts line {line}", "its ARN", (), account, every_arn=True
        )


def _permission_set(entry: Entry) -> str:
    return f"permission set {entry.sso.name} in account {entry.sso.account}" if entry.sso is not None else entry.key


def _account(entry: Entry) -> str:
    if entry.sso is not None:
        return entry.sso.account
    try:
        return Arn.parse(entry.arn).account
    except ValueError:
        return ""
