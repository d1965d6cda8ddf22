"""How access is written down: IAMIdentityMapping objects, an aws-auth ConfigMap, and calls of `aws eks`.

Sources: aws-iam-authenticator pkg/mapper/crd/apis (iamauthenticator.k8s.aws/v1alpha1); EKS API Reference,
CreateAccessEntry and AssociateAccessPolicy; AWS CLI, `--cli-input-json`.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from iambridge.core.arn import Arn, canonical_arn
from iambridge.core.aws_auth.edit import entry_lines
from iambridge.core.cluster_access import AccessEntry, AccessPolicy, policy_arn
from iambridge.core.cluster_access.convert import PlainMapping
from iambridge.errors import InputError

API_VERSION = "iamauthenticator.k8s.aws/v1alpha1"
KIND = "IAMIdentityMapping"


def identity_mapping(mapping: PlainMapping) -> dict[str, Any]:
    """One object. Its name is the principal's, with a digest of the ARN so that no two principals share one."""
    plain = re.sub(r"[^a-z0-9]+", "-", Arn.parse(mapping.arn).name.lower()).strip("-") or "principal"
    digest = hashlib.sha256(mapping.arn.lower().encode()).hexdigest()[:8]
    spec: dict[str, Any] = {"arn": mapping.arn, "username": mapping.username}
    if mapping.groups:
        spec["groups"] = list(mapping.groups)
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": f"{plain[:200]}-{digest}"}, "spec": spec}


def read_identity_mapping(document: Mapping[str, Any]) -> PlainMapping:
    """Raises InputError for a spec that is not one, naming the object and the field."""
    name = str((document.get("metadata") or {}).get("name") or "?")
    spec = document.get("spec")
    where = f"{KIND} {name}"
    if not isinstance(spec, Mapping):
        raise InputError("the object has no spec", where=where, fix="give arn, username and groups")
    for field in ("arn", "username"):
        if not isinstance(spec.get(field), str) or not spec[field]:
            raise InputError(f"spec.{field} is no string", where=where, fix=f"write spec.{field}")
    groups = spec.get("groups") or []
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise InputError("spec.groups is no list of strings", where=where, fix="write a list of names")
    try:
        arn = canonical_arn(spec["arn"])
    except ValueError as error:
        raise InputError(f"spec.arn: {error}", where=where, fix="write a user's or role's ARN") from error
    if Arn.parse(arn).resource_type not in {"user", "role"}:
        raise InputError(f"spec.arn: `{arn}` is no user's or role's", where=where, fix="map users and roles")
    return PlainMapping(arn, spec["username"], tuple(groups), where)


def config_map(mappings: Iterable[PlainMapping]) -> str:
    """The ConfigMap aws-auth, as a person would write it. YAML text."""
    sections: dict[str, list[str]] = {"mapRoles": [], "mapUsers": []}
    for mapping in mappings:
        section = "mapRoles" if Arn.parse(mapping.arn).resource_type == "role" else "mapUsers"
        lines = entry_lines(section, arn=mapping.arn, username=mapping.username, groups=mapping.groups)
        sections[section] += [f"    {line}" for line in lines]
    text = ["apiVersion: v1", "kind: ConfigMap", "metadata:", "  name: aws-auth", "  namespace: kube-system", "data:"]
    for name, lines in sections.items():
        text += [f"  {name}: |", *lines] if lines else [f"  {name}: |", "    []"]
    return "\n".join(text) + "\n"


def eks_calls(entries: Iterable[AccessEntry], cluster: str) -> list[dict[str, Any]]:
    """For each entry the inputs of CreateAccessEntry and AssociateAccessPolicy, as `--cli-input-json` takes them."""
    return [
        {
            "createAccessEntry": _create(entry, cluster),
            "associateAccessPolicy": [_associate(entry, policy, cluster) for policy in entry.policies or ()],
        }
        for entry in entries
    ]


def eks_commands(entries: Sequence[AccessEntry], cluster: str, *, path_wanted: Iterable[str] = ()) -> Iterator[str]:
    """The same as shell lines. The ARN of a role in `path_wanted` is asked of IAM when they run."""
    wanted = set(path_wanted)
    yield "#!/bin/sh"
    yield "set -eu"
    for entry in entries:
        name = shlex.quote(Arn.parse(entry.principal_arn).name)
        principal = shlex.quote(entry.principal_arn)
        if entry.principal_arn in wanted:
            yield f"arn=$(aws iam get-role --role-name {name} --query Role.Arn --output text)"
            principal = '"$arn"'
        call = _create(entry, cluster)
        words = [f"--cluster-name {shlex.quote(cluster)}", f"--principal-arn {principal}", f"--type {entry.type}"]
        if "username" in call:
            words.append(f"--username {shlex.quote(entry.username)}")
        if "kubernetesGroups" in call:
            words.append("--kubernetes-groups " + " ".join(map(shlex.quote, entry.groups)))
        yield f"aws eks create-access-entry {' '.join(words)}"
        for policy in entry.policies or ():
            scope = "type=cluster"
            if policy.namespaces:
                scope = f"type=namespace,namespaces={','.join(policy.namespaces)}"
            yield (
                f"aws eks associate-access-policy {' '.join(words[:2])} "
                f"--policy-arn {policy_arn(policy.name, _partition(entry))} --access-scope {shlex.quote(scope)}"
            )


def _create(entry: AccessEntry, cluster: str) -> dict[str, Any]:
    call: dict[str, Any] = {"clusterName": cluster, "principalArn": entry.principal_arn, "type": entry.type}
    if entry.username:
        call["username"] = entry.username
    if entry.groups:
        call["kubernetesGroups"] = list(entry.groups)
    return call


def _associate(entry: AccessEntry, policy: AccessPolicy, cluster: str) -> dict[str, Any]:
    scope: dict[str, Any] = {"type": "namespace", "namespaces": list(policy.namespaces)} if policy.namespaces else {}
    return {
        "clusterName": cluster,
        "principalArn": entry.principal_arn,
        "policyArn": policy_arn(policy.name, _partition(entry)),
        "accessScope": scope or {"type": "cluster"},
    }


def _partition(entry: AccessEntry) -> str:
    return Arn.parse(entry.principal_arn).partition


def dumped(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
