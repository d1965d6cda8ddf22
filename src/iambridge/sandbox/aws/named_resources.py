"""ARNs that a call's parameters spell in a way of the service's own, which no template tells. Pure.

Sources: Service Authorization Reference, resource types; each service's API reference for the parameters.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from iambridge.errors import ValidationError
from iambridge.sandbox.aws.operations import Call

ByHand = Callable[[Call], list[str]]
"""The last parts of the ARNs (`table/t`), or whole ARNs; empty where the templates know."""

_SSM_TYPES = {
    "Automation": "automation-execution/",
    "Document": "document/",
    "MaintenanceWindow": "maintenancewindow/",
    "ManagedInstance": "managed-instance/",
    "OpsItem": "opsitem/",
    "OpsMetadata": "opsmetadata/",
    "Parameter": "parameter/",
    "PatchBaseline": "patchbaseline/",
}
# of ECS: the parameter that names the resource beside its cluster, and how the ARN begins
_ECS_IN_CLUSTER = {
    "containerInstance": "container-instance",
    "containerInstances": "container-instance",
    "service": "service",
    "serviceName": "service",
    "services": "service",
    "task": "task",
    "tasks": "task",
}
_ECS_OF_CLUSTERS = frozenset(
    {"DeleteCluster", "DescribeClusters", "ListAttributes", "ListContainerInstances", "PutClusterCapacityProviders"}
    | {"DeregisterContainerInstance", "RegisterContainerInstance", "UpdateCluster", "UpdateClusterSettings"}
)
_ECS_OF_TASK_DEFINITIONS = frozenset({"RunTask", "StartTask"})
# the tagging calls alone take a log group's ARN as it is (CloudWatch Logs User Guide, "Resource ARNs")
_LOG_GROUP_ITSELF = frozenset({"ListTagsForResource", "TagResource", "UntagResource"})


def by_hand(call: Call) -> list[str]:
    """Empty where the templates of the reference know better."""
    rule = _OF_ACTIONS.get(call.action) or _OF_SERVICES.get(call.service.prefix)
    return rule(call) if rule is not None else []


def finished(call: Call, arn: str) -> str:
    """An ARN as the service decides on it.

    CloudWatch Logs decides on a group as `log-group:NAME:log-stream:`, which policies meet with `log-group:NAME:*`.
    """
    if call.service.prefix != "logs" or call.operation in _LOG_GROUP_ITSELF or ":log-group:" not in arn:
        return arn
    return arn if ":log-stream:" in arn else f"{arn.removesuffix(':*')}:log-stream:"


def _strings(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item]


def _table(call: Call) -> list[str]:
    """An index is decided on alone: reading it does not need the table."""
    table, index = call.document.get("TableName"), call.document.get("IndexName")
    if not isinstance(table, str) or not isinstance(index, str):
        return []
    return [f"table/{table.rpartition('/')[2]}/index/{index}"]


def _parameter_path(call: Call) -> list[str]:
    return ["parameter/" + str(call.document.get("Path", "")).removeprefix("/")]


def _tagged_by_ssm(call: Call) -> list[str]:
    prefix = _SSM_TYPES.get(str(call.document.get("ResourceType")))
    return [prefix + str(call.document.get("ResourceId", "")).removeprefix("/")] if prefix else []


def _tagged_by_route53(call: Call) -> list[str]:
    kind = call.flat.get("ResourceType", "")
    listed = [str(identity) for ids in call.document.get("ResourceIds", []) for identity in ids.get("ResourceId", [])]
    return [f"arn:aws:route53:::{kind}/{identity}" for identity in listed or [call.flat.get("ResourceId", "")]]


def _published(call: Call) -> list[str]:
    to_phone = call.flat.get("PhoneNumber") and not {"TopicArn", "TargetArn"} & call.flat.keys()
    return ["*"] if to_phone else []


def _topic_of_subscription(call: Call) -> list[str]:
    arn = call.flat.get("SubscriptionArn", "")
    return [arn.rpartition(":")[0]] if arn.count(":") > 5 else []


def _repositories(call: Call) -> list[str]:
    """Without names it lists them all."""
    return [] if call.document.get("repositoryNames") else ["repository/*"]


def _tagged_groups(call: Call) -> list[str]:
    names = [value for key, value in call.flat.items() if key.startswith("Tags.member.") and key.endswith("ResourceId")]
    return [f"autoScalingGroup:*:autoScalingGroupName/{name}" for name in names]


def _of_events(call: Call) -> list[str]:
    document = call.document
    bus = str(document.get("EventBusName") or "default").rpartition("/")[2]
    if call.operation == "PutEvents" or call.operation.endswith("EventBus"):
        return [f"event-bus/{str(document.get('Name') or bus).rpartition('/')[2]}"]
    rule = str(document.get("Rule") or (document.get("Name") if call.operation.endswith("Rule") else "") or "")
    if rule:
        return [f"rule/{rule}" if bus == "default" else f"rule/{bus}/{rule}"]
    kind = {"Connection": "connection", "ApiDestination": "api-destination"}
    found = next((value for name, value in kind.items() if call.operation.endswith(name)), "")
    return [f"{found}/{document['Name']}"] if found and document.get("Name") else []


def _of_ecs(call: Call) -> list[str]:
    document = call.document
    clusters = _strings(document.get("cluster") or document.get("clusterName") or document.get("clusters"))
    clusters = [name.rpartition("/")[2] for name in clusters] or ["default"]
    if call.operation in _ECS_OF_CLUSTERS:
        return [f"cluster/{name}" for name in clusters]
    if call.operation in _ECS_OF_TASK_DEFINITIONS or call.operation.endswith("TaskDefinition"):
        named = _strings(document.get("taskDefinition")) or [f"{document.get('family', '*')}:*"]
        names = [name.rpartition("/")[2] for name in named]
        return [f"task-definition/{name if ':' in name else name + ':*'}" for name in names]
    for parameter, kind in _ECS_IN_CLUSTER.items():
        if names := _strings(document.get(parameter)):
            return [f"{kind}/{clusters[0]}/{name.rpartition('/')[2]}" for name in names]
    if call.operation == "ListTasks":
        return [f"container-instance/{clusters[0]}/*"]
    if call.operation.endswith("CapacityProvider"):
        return [f"capacity-provider/{name}" for name in _strings(document.get("capacityProvider") or "name")]
    return []


def _of_lambda(call: Call) -> list[str]:
    """A function by name, `account:function:name` or ARN, each with a qualifier or without."""
    named = call.flat.get("FunctionName") or call.document.get("FunctionName")
    if call.flat.get("LayerName") and call.flat.get("VersionNumber"):
        return [f"layer:{call.flat['LayerName'].rpartition(':')[2]}:{call.flat['VersionNumber']}"]
    if not isinstance(named, str) or not named or "EventSourceMapping" in call.operation:
        return []
    name = named.rpartition("function:")[2]
    qualifier = call.flat.get("Qualifier", "")
    if qualifier and name.partition(":")[2] not in {"", qualifier}:
        raise ValidationError("The derived qualifier from the function name does not match the specified qualifier.")
    return [f"function:{name}:{qualifier}" if qualifier and ":" not in name else f"function:{name}"]


def _iterated_stream(call: Call) -> list[str]:
    """Moto's shard iterator tells its stream."""
    text = str(call.document.get("ShardIterator", ""))
    try:
        stream = base64.b64decode(text, validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        stream = ""
    return [f"stream/{stream}"] if stream else []


def _iterated_table(call: Call) -> list[str]:
    arn = str(call.document.get("ShardIterator", "")).partition("|")[0]
    return [arn] if arn.startswith("arn:") else []


def _web_acl(call: Call) -> list[str]:
    document = call.document
    if not document.get("Scope") or not document.get("Id"):
        return []
    kind = call.operation.removeprefix("Get").removeprefix("Update").removeprefix("Delete").lower()
    scope = "global" if document["Scope"] == "CLOUDFRONT" else "regional"
    return [f"{scope}/{kind}/{document.get('Name', '*')}/{document['Id']}"]


def _log_groups(call: Call) -> list[str]:
    """A group by identifier may be its name or its ARN; DescribeLogGroups is decided on a group without a name."""
    if call.operation == "DescribeLogGroups":
        return ["log-group:"]
    document = call.document
    identifiers = [n for key in ("logGroupIdentifier", "logGroupIdentifiers") for n in _strings(document.get(key))]
    if not identifiers:
        return []
    named = [*identifiers, *_strings(document.get("logGroupName")), *_strings(document.get("logGroupNames"))]
    names = [name.rpartition("log-group:")[2].removesuffix(":*") for name in named]
    stream = document.get("logStreamName")
    return [f"log-group:{name}:log-stream:{stream}" if stream else f"log-group:{name}" for name in names]


_OF_SERVICES: dict[str, ByHand] = {
    "dynamodb": _table,
    "ecs": _of_ecs,
    "events": _of_events,
    "lambda": _of_lambda,
    "logs": _log_groups,
}
_OF_ACTIONS: dict[str, ByHand] = {
    "autoscaling:CreateOrUpdateTags": _tagged_groups,
    "autoscaling:DeleteTags": _tagged_groups,
    "dynamodb:GetRecords": _iterated_table,
    "ecr:DescribeRepositories": _repositories,
    "kinesis:GetRecords": _iterated_stream,
    "route53:ChangeTagsForResource": _tagged_by_route53,
    "route53:ListTagsForResource": _tagged_by_route53,
    "route53:ListTagsForResources": _tagged_by_route53,
    "sns:GetSubscriptionAttributes": _topic_of_subscription,
    "sns:Publish": _published,
    "sns:SetSubscriptionAttributes": _topic_of_subscription,
    "sns:Unsubscribe": _topic_of_subscription,
    "ssm:AddTagsToResource": _tagged_by_ssm,
    "ssm:GetParametersByPath": _parameter_path,
    "ssm:ListTagsForResource": _tagged_by_ssm,
    "ssm:RemoveTagsFromResource": _tagged_by_ssm,
    **{
        f"wafv2:{verb}{kind}": _web_acl
        for verb in ("Get", "Update", "Delete")
        for kind in ("WebACL", "IPSet", "RuleGroup", "RegexPatternSet")
    },
}
