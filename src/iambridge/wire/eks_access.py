"""What `aws eks` prints of a cluster's access: describe-cluster, access entries and their policies. JSON.

Source: EKS API Reference, DescribeCluster, ListAccessEntries, DescribeAccessEntry, ListAssociatedAccessPolicies.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from iambridge.core.arn import canonical_arn
from iambridge.core.cluster_access import AccessEntry, AccessPolicy, AuthenticationMode, EksAccess
from iambridge.core.cluster_access.access_policies import policy_name
from iambridge.errors import InputError

_KNOWN = ("cluster", "accessEntries", "accessEntry", "associatedAccessPolicies")


def documents(text: str, where: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of `text`, one after another or in lists, as several commands append them to one file.

    Raises:
        InputError: something else, with its line.
    """
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        try:
            found, position = decoder.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", position)) + 1
            problem = getattr(error, "msg", "it nests too deep")
            raise InputError(f"{where} is not JSON: {problem}", where=f"{where}:{line}",
                             fix="save it with `aws eks ... --output json`") from error  # fmt: skip
        for one in found if isinstance(found, list) else [found]:
            if not isinstance(one, dict) or not any(key in one for key in _KNOWN):
                raise InputError(f"{where} holds no output of aws eks about access", where=where,
                                 fix=f"an object with one of {', '.join(_KNOWN)} is wanted")  # fmt: skip
            yield one


def eks_access(found: Iterable[Mapping[str, Any]], mode: str = "") -> EksAccess:
    """The documents put together. `mode` stands for a describe-cluster that was not given.

    Raises:
        InputError: no document and no `mode` says the authenticationMode, or a field has another type.
    """
    gathered = _Gathered()
    for document in found:
        try:
            gathered.add(document)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"a document of aws eks is not as the API has it: {error}", where="access entries",
                             fix="save it again with `aws eks ... --output json`") from error  # fmt: skip
    chosen = mode or gathered.mode
    if not chosen:
        raise InputError("nothing says the cluster's authenticationMode", where="access entries",
                         fix="add the output of `aws eks describe-cluster`, or give --authentication-mode")  # fmt: skip
    if chosen not in set(AuthenticationMode):
        raise InputError(f"`{chosen}` is no authenticationMode", where="access entries",
                         fix=f"use one of {', '.join(AuthenticationMode)}")  # fmt: skip
    return gathered.access(AuthenticationMode(chosen))


class _Gathered:
    def __init__(self) -> None:
        self.mode = self._platform = ""
        self._listed: dict[str, None] = {}
        self._entries: dict[str, Mapping[str, Any]] = {}
        self._policies: dict[str, tuple[AccessPolicy, ...]] = {}
        self._list_given = self._more = self._policies_more = False

    def add(self, document: Mapping[str, Any]) -> None:
        if "cluster" in document:
            # a cluster from before access entries has no accessConfig, and asks its ConfigMap
            self._platform = str(document["cluster"].get("platformVersion") or "")
            self.mode = str((document["cluster"].get("accessConfig") or {}).get("authenticationMode") or "CONFIG_MAP")
        if "accessEntries" in document:
            self._list_given = True
            self._listed |= dict.fromkeys(map(_arn, _list(document["accessEntries"])))
            self._more = bool(document.get("nextToken"))
        if "accessEntry" in document:
            entry = document["accessEntry"]
            _list(entry.get("kubernetesGroups") or [])
            self._entries[_arn(entry["principalArn"])] = entry
        if "associatedAccessPolicies" in document:
            arn = _arn(document["principalArn"])
            found = tuple(map(_policy, _list(document["associatedAccessPolicies"])))
            self._policies[arn] = (*self._policies.get(arn, ()), *found)

    def access(self, mode: AuthenticationMode) -> EksAccess:
        unknown = ""
        if mode is not AuthenticationMode.CONFIG_MAP:
            if not self._list_given:
                unknown = "the output of `aws eks list-access-entries` was not given, so there may be more"
            elif self._more:
                unknown = "the output of `aws eks list-access-entries` goes on after its nextToken"
        arns = dict.fromkeys((*self._listed, *self._entries))
        return EksAccess(mode, [self._entry(arn) for arn in arns], unknown=unknown, platform=self._platform)

    def _entry(self, arn: str) -> AccessEntry:
        found = self._entries.get(arn)
        if found is None:
            return AccessEntry(arn, policies=self._policies.get(arn), described=False)
        kind = str(found.get("type") or "STANDARD")
        # only STANDARD entries have policies
        policies = self._policies.get(arn, None if kind == "STANDARD" else ())
        groups = tuple(map(str, found.get("kubernetesGroups") or ()))
        return AccessEntry(arn, kind, str(found.get("username") or ""), groups, policies)


def _list(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise TypeError(f"`{found}` is no list")
    return found


def _arn(found: Any) -> str:
    if not isinstance(found, str):
        raise TypeError(f"`{found}` is no ARN")
    canonical_arn(found)
    return found


def _policy(found: Mapping[str, Any]) -> AccessPolicy:
    scope = found["accessScope"]
    namespaces = tuple(map(str, _list(scope.get("namespaces") or [])))
    if scope["type"] == "cluster":
        namespaces = ()
    elif scope["type"] != "namespace" or not namespaces:
        raise ValueError(f"an accessScope of type {scope['type']!r} with {len(namespaces)} namespaces")
    return AccessPolicy(policy_name(str(found["policyArn"])), namespaces)
