"""What moto knows of the resources that a call is decided on: their full ARNs and their own policies.

Read before each decision: a policy that is there always counts, whatever wrote it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from iambridge.core.iam_policy import NamedDocument, PolicyKind
from iambridge.errors import MalformedPolicyDocument, NotImplementedBySandbox
from iambridge.sandbox.aws import dynamodb_keys, moto_calls
from iambridge.sandbox.aws.key_grants import KeyGrants
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Asked, Call
from iambridge.sandbox.aws.sts_facts import parsed

# they would write a resource policy that nothing here reads
_UNREAD = frozenset(
    {
        "acm-pca:PutPolicy",
        "aps:PutResourcePolicy",
        "backup:PutBackupVaultAccessPolicy",
        "cloudtrail:PutResourcePolicy",
        "elasticfilesystem:PutFileSystemPolicy",
        "kafka:PutClusterPolicy",
        "lambda:AddLayerVersionPermission",
        "redshift:PutResourcePolicy",
        "route53resolver:PutFirewallRuleGroupPolicy",
        "route53resolver:PutResolverQueryLogConfigPolicy",
        "route53resolver:PutResolverRulePolicy",
        "ses:CreateEmailIdentityPolicy",
        "ses:PutIdentityPolicy",
        "ses:UpdateEmailIdentityPolicy",
    }
)


class _Policy(NamedTuple):
    """How a JSON service tells the policy of what `named` finds in an ARN."""

    named: re.Pattern[str]
    operation: str
    parameter: str
    member: str


_POLICIES = {
    "dynamodb": _Policy(re.compile(r"(arn:.*:table/[^/]+)"), "GetResourcePolicy", "ResourceArn", "Policy"),
    "ecr": _Policy(re.compile(r":repository/([^*]+)$"), "GetRepositoryPolicy", "repositoryName", "policyText"),
    "events": _Policy(re.compile(r":event-bus/(.+)"), "DescribeEventBus", "Name", "Policy"),
    "kinesis": _Policy(re.compile(r"(arn:.*:stream/[^/*]+)$"), "GetResourcePolicy", "ResourceARN", "Policy"),
}


def refuse_unread_policy(call: Call) -> None:
    """Raises:
    NotImplementedBySandbox: the call gives a resource a policy that would not be enforced.
    """
    if call.action in _UNREAD:
        raise NotImplementedBySandbox(
            f"{call.action} is not available in this sandbox: it does not enforce resource policies of"
            f" {call.service.prefix}.",
            fix="grant access by identity policies, or report what needs it",
        )


class ResourceFacts:
    """Reads moto; remembers nothing."""

    def __init__(self, moto: MotoBackend, account_id: str, grants: KeyGrants) -> None:
        self._moto = moto
        self._grants = grants
        self._account_id = account_id

    async def of(self, call: Call, asked: Sequence[Asked]) -> tuple[list[Asked], dict[str, tuple[NamedDocument, ...]]]:
        """`asked` with ARNs completed, and the resource policies by ARN, a key's grants among them.

        Raises:
            NotImplementedBySandbox: a resource has a policy that cannot be read.
        """
        items: list[Asked] = []
        policies: dict[str, tuple[NamedDocument, ...]] = {}
        for item in asked:
            resolved = await self._resolved(call, item)
            items.append(resolved)
            if (text := await self._policy(call, resolved.resource)) and text != "{}":
                own = () if resolved.resource in policies else (_document(resolved.resource, text),)
                granted = self._grants.policy(call, resolved)
                policies[resolved.resource] = (*policies.get(resolved.resource, ()), *own, *granted)
        return items, policies

    async def leading_keys(self, call: Call) -> tuple[str, ...]:
        """The partition keys that a call of DynamoDB names."""
        table = {"TableName": call.document.get("TableName", "")}
        described = await self._json(call, "dynamodb", "DescribeTable", table)
        return dynamodb_keys.leading_keys(call, described.get("Table") or {})

    async def _resolved(self, call: Call, item: Asked) -> Asked:
        found = ""
        name = item.resource.rpartition(":")[2]
        if item.resource.startswith("arn:aws:kms:") and name.startswith("key/"):
            # a key may be named by an alias, which policies do not know it by
            described = await self._json(call, "kms", "DescribeKey", {"KeyId": name.removeprefix("key/")})
            found = described.get("KeyMetadata", {}).get("Arn", "")
        elif item.resource.startswith("arn:aws:secretsmanager:"):
            described = await self._json(call, "secretsmanager", "DescribeSecret", {"SecretId": name})
            found = described.get("ARN", "")
        elif item.resource.startswith("arn:aws:autoscaling:") and item.unsure:
            found = await moto_calls.auto_scaling_group_arn(self._moto, call.region, name.rpartition("/")[2])
        return item._replace(resource=found, unsure=False) if found else item

    async def _policy(self, call: Call, arn: str) -> str:
        service, name = (arn.split(":")[2], arn.rpartition(":")[2]) if arn.startswith("arn:") else ("", "")
        if service == "kms" and name.startswith("key/"):
            asked = {"KeyId": name.removeprefix("key/"), "PolicyName": "default"}
            return str(
                (await self._json(call, "kms", "GetKeyPolicy", asked)).get("Policy") or self._default_key_policy()
            )
        if service == "secretsmanager" and name != "*":
            asked = {"SecretId": arn}
            return str((await self._json(call, "secretsmanager", "GetResourcePolicy", asked)).get("ResourcePolicy", ""))
        if service == "sqs" and name != "*":
            url = f"https://sqs.{call.region}.amazonaws.com/{self._account_id}/{name}"
            answer = await self._json(
                call, "sqs", "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["Policy"]}
            )
            return str((answer.get("Attributes") or {}).get("Policy", ""))
        if service == "sns" and name != "*":
            return await moto_calls.topic_policy(self._moto, call.region, arn)
        if service == "lambda" and ":function:" in arn:
            return await self._function_policy(call, arn)
        if (rule := _POLICIES.get(service)) is not None and (found := rule.named.search(arn)) is not None:
            asked = {rule.parameter: found[1]}
            return str((await self._json(call, service, rule.operation, asked)).get(rule.member) or "")
        return ""

    async def _function_policy(self, call: Call, arn: str) -> str:
        """A function's policy, or that of the version or alias that the ARN names."""
        name, _, qualifier = arn.partition(":function:")[2].partition(":")
        query = f"Qualifier={quote(qualifier, safe='')}" if qualifier else ""
        path = f"/2015-03-31/functions/{quote(name, safe='')}/policy"
        status, body = await moto_calls.get(self._moto, "lambda", call.region, path, query)
        if status != HTTPStatus.OK or body[:1] != b"{":
            return ""
        found = json.loads(json.loads(body)["Policy"])
        for statement in found["Statement"]:
            # AddPermission takes an account or a principal as it is, and so moto keeps it
            if isinstance(principal := statement.get("Principal"), str) and principal != "*":
                statement["Principal"] = {"AWS": principal}
        return json.dumps(found)

    def _default_key_policy(self) -> str:
        """For a key that is not there: whoever may use keys is told so (KMS Developer Guide, "Default key policy")."""
        allow = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
        principal = {"AWS": f"arn:aws:iam::{self._account_id}:root"}
        return json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Principal": principal}]})

    async def _json(self, call: Call, service: str, operation: str, document: Mapping[str, object]) -> dict[str, Any]:
        return await moto_calls.json_call(self._moto, service, call.region, operation, document)


def _document(arn: str, text: str) -> NamedDocument:
    try:
        return NamedDocument(f"resource policy of {arn}", parsed(text, PolicyKind.RESOURCE))
    except MalformedPolicyDocument as error:
        raise NotImplementedBySandbox(
            f"The resource policy of {arn} cannot be read by this sandbox.",
            cause=error.message,
            fix="correct the policy",
        ) from error
