"""What access entries make of an aws-auth document: entries that are not asked, or that may not be."""

from collections.abc import Iterator
from dataclasses import replace

from iambridge.core.aws_auth import Bound, Fault, Mappings, Severity, smells
from iambridge.core.cluster_access.access_entries import AuthenticationMode, EksAccess


def shadowed(mappings: Mappings, access: EksAccess) -> Iterator[Fault]:
    """Each finding is a warning. `no-admin` of `core.aws_auth.smells` is for the caller to drop where one is."""
    if access.mode is AuthenticationMode.API and (mappings.entries or mappings.accounts):
        yield _warning(
            "config-map-not-read", "mapRoles", 0,
            "the cluster's authenticationMode is API: nothing of this document is read",
            "make access entries of it: iambridge aws-auth convert --to access-entries",
        )  # fmt: skip
    if access.unknown:
        yield _warning(
            "access-entries-unknown", "mapRoles", 0,
            f"unknown: access entries not visible: {access.unknown}",
            "mend that, or give their files with --access-entries: an entry there goes before one here",
        )  # fmt: skip
    if access.mode is AuthenticationMode.API:
        return
    for entry in mappings.entries:
        other = access.by_key.get(entry.key)
        if other is not None:
            yield _warning(
                "access-entry-first", entry.section, entry.line,
                f"the access entry of `{other.principal_arn}` goes before this one, which is never asked",
                "remove it here, or delete the access entry",
            )  # fmt: skip


def of_entries(access: EksAccess, bound: Bound) -> Iterator[Fault]:
    """Access entries whose groups nobody has bound, and those that let in and give nothing."""
    for fault in smells(access.mappings, bound=bound):
        entry = access.entries[int(fault.field.partition("]")[0].removeprefix("["))] if fault.field else None
        if entry is None or entry.type != "STANDARD" or not entry.described:
            continue
        if fault.code == "group-unbound" or (fault.code == "entry-without-rights" and entry.policies == ()):
            yield replace(fault, cause=f"{fault.cause} (access entry of `{entry.principal_arn}`)")


def _warning(code: str, section: str, line: int, cause: str, fix: str) -> Fault:
    return Fault(code, section, line, 0, "", cause, fix, Severity.WARNING)
