"""The ARNs that a call of a service other than S3 and IAM names, from its parameters. Pure.

A resource that the call must name and whose name is not found is a refusal, not a guess: a Deny on it would not hold.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from iambridge.errors import NotImplementedBySandbox
from iambridge.sandbox.aws import action_catalogue, named_once, named_resources
from iambridge.sandbox.aws.action_catalogue import Action, ResourceType
from iambridge.sandbox.aws.operations import Call

Values = dict[str, list[str]]

# a parameter of its own, a member of a list, or the one that names a resource within a list of structures
_INDEXED = re.compile(r"(?:RulePriorities\.member\.\d+\.)?([A-Za-z]+)(?:\.member)?(?:\.\d+)?")
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_CREATES = ("Create", "Run", "Allocate", "Request", "Register", "Import", "Copy", "Put", "Start")
_MAKES = ("Create", "Allocate", "Request", "Import", "Copy")
# their Describe calls take a resource's name
_NAMES_WHAT_IT_LISTS = frozenset({"elasticache", "memorydb", "rds", "redshift"})
_OF_PAGES = frozenset(
    {"action", "version", "filters", "limit", "marker", "maxitems", "maxrecords", "maxresults", "nexttoken", "pagesize"}
)
# the reference names no resource for it, and the service does (CloudWatch Logs, in its denials)
_NAMED_ALL_THE_SAME = frozenset({"logs:DescribeLogGroups"})
# their `*` is every resource there is
_LISTS_ALL = frozenset({"ecr:DescribeRepositories", "ecs:ListTasks"})
# they may hold an ARN, and name nothing
_TEXTS = frozenset({"description", "message", "messagebody", "secretstring", "value"})
_LAUNCHES = frozenset({"ec2:RunInstances", "ec2:CreateFleet"})
_LAUNCHED = frozenset({"fleet", "instance", "network-interface", "spot-instances-request", "volume"})
_EC2_ID = re.compile(r"([a-z]+(?:-[a-z]+)?)-[0-9a-f]{8,17}")
_EC2_TYPES = {
    "acl": "network-acl",
    "ami": "image",
    "cr": "capacity-reservation",
    "dopt": "dhcp-options",
    "eigw": "egress-only-internet-gateway",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fleet": "fleet",
    "i": "instance",
    "igw": "internet-gateway",
    "lt": "launch-template",
    "nat": "natgateway",
    "pcx": "vpc-peering-connection",
    "pg": "placement-group",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "snap": "snapshot",
    "subnet": "subnet",
    "tgw": "transit-gateway",
    "vgw": "vpn-gateway",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
    "vpn": "vpn-connection",
}
# parameters that hold what a placeholder stands for, where the names differ
_ALIASES: dict[tuple[str, str], tuple[str, ...]] = {
    ("autoscaling", "GroupFriendlyName"): ("AutoScalingGroupName", "AutoScalingGroupNames"),
    ("dynamodb", "TableName"): ("TableName", "ResourceArn"),
    ("ec2", "KeyPairName"): ("KeyName",),
    ("eks", "ClusterName"): ("clusterName", "name"),
    ("eks", "NodegroupName"): ("nodegroupName",),
    ("elasticloadbalancing", "LoadBalancerName"): ("Name", "LoadBalancerName", "LoadBalancerNames"),
    ("elasticloadbalancing", "TargetGroupName"): ("Name",),
    ("kms", "KeyId"): ("KeyId", "TargetKeyId"),
    ("kms", "Alias"): ("AliasName",),
    ("batch", "ComputeEnvironmentName"): ("computeEnvironmentName", "computeEnvironment"),
    ("batch", "JobQueueName"): ("jobQueueName", "jobQueue"),
    ("memorydb", "AclName"): ("ACLName",),
    ("rds", "ClusterParameterGroupName"): ("DBClusterParameterGroupName",),
    ("rds", "ClusterSnapshotName"): ("DBClusterSnapshotIdentifier",),
    ("rds", "DbClusterInstanceName"): ("DBClusterIdentifier",),
    ("rds", "DbInstanceName"): ("DBInstanceIdentifier",),
    ("rds", "GlobalCluster"): ("GlobalClusterIdentifier",),
    ("rds", "ParameterGroupName"): ("DBParameterGroupName",),
    ("rds", "SecurityGroupName"): ("DBSecurityGroupName",),
    ("rds", "SnapshotName"): ("DBSnapshotIdentifier",),
    ("rds", "SubnetGroupName"): ("DBSubnetGroupName",),
    ("scheduler", "ScheduleName"): ("Name",),
    ("secretsmanager", "SecretId"): ("SecretId", "Name"),
    ("sns", "TopicName"): ("Name",),
    ("sqs", "QueueName"): ("QueueName", "QueueUrl"),
    ("waf-regional", "Id"): ("WebACLId",),
    ("route53", "Id"): ("Id", "HostedZoneId", "HealthCheckId"),
    ("shield", "Id"): ("ProtectionId",),
    ("ssm", "ParameterNameWithoutLeadingSlash"): ("Name", "Names"),
    ("ssm", "DocumentName"): ("DocumentName", "Name"),
}
# elbv2 creates what the reference knows by the classic ARN only
_ELB_CREATES = {"CreateLoadBalancer": "loadbalancer/{kind}/{name}/*", "CreateTargetGroup": "targetgroup/{name}/*"}
_ELB_KINDS = {"": "app", "application": "app", "network": "net", "gateway": "gwy"}


def named_values(call: Call) -> Values:
    """Top-level parameters by lower-case name: scalars and lists of scalars."""
    values: Values = {}
    for key, value in call.flat.items():
        if (found := _INDEXED.fullmatch(key)) is not None:
            values.setdefault(found[1].lower(), []).append(value)
    for key, value in call.document.items():
        if isinstance(value, str):
            values.setdefault(key.lower(), []).append(value)
        elif isinstance(value, list):
            values.setdefault(key.lower(), []).extend(item for item in value if isinstance(item, str))
    return values


def arns(call: Call, account_id: str) -> list[str]:
    """Every resource that the call's action is decided on; `*` where the action names none.

    Raises:
        NotImplementedBySandbox: the action must name a resource and the sandbox does not see which, or one that is
            not of the account and region.
        ValidationError: a name that could be read in two ways.
    """
    named_once.check(call.service.prefix, named_values(call))
    action = action_catalogue.action(call.service.prefix, call.operation)
    if not action.resource_types and call.action not in _NAMED_ALL_THE_SAME:
        return ["*"]
    own = f"arn:aws:{call.service.prefix}:{call.region}:{account_id}:"
    if call.service.prefix in _NAMES_WHAT_IT_LISTS and _lists_all(call):
        return [_fill(entry.template, {}, call, account_id) for entry in action.resource_types]
    found = [part if part.startswith(("arn:", "*")) else own + part for part in named_resources.by_hand(call)]
    found = list(dict.fromkeys(found or _found(call, action, account_id)))
    for arn in found:
        _refuse_foreign(call, arn, account_id)
    return [named_resources.finished(call, arn) for arn in found] or ["*"]


def unsure(call: Call, arn: str) -> bool:
    """Whether a `*` in an ARN of `arns` stands for something that exists, rather than for what the call creates."""
    if "*" not in arn:
        return False
    action = action_catalogue.action(call.service.prefix, call.operation)
    if arn == "*":
        # a List action is decided on `*`; where it may have named something that is not seen, a policy must not tell
        listed = action.access_level == "List" and call.service.prefix not in _NAMES_WHAT_IT_LISTS
        return bool(action.resource_types) and not listed
    if call.action in _LISTS_ALL or _lists_all(call):
        return False
    if call.action in _LAUNCHES:
        return arn.split(":", 5)[5].partition("/")[0] not in _LAUNCHED
    return call.operation == "CreateOrUpdateTags" or not call.operation.startswith(_MAKES)


def _found(call: Call, action: Action, account_id: str) -> Iterator[str]:
    prefix = call.service.prefix
    values = named_values(call)
    if prefix == "elasticloadbalancing" and call.service.model == "elbv2" and call.operation in _ELB_CREATES:
        kind = _ELB_KINDS.get(call.flat.get("Type", ""), "app")
        resource = _ELB_CREATES[call.operation].format(kind=kind, name=call.flat.get("Name", "*"))
        yield f"arn:aws:elasticloadbalancing:{call.region}:{account_id}:{resource}"
        return
    given = _given_arns(prefix, action, values)
    yield from given
    ec2_types = _ec2_ids(call) if prefix == "ec2" else {}
    for entry in action.resource_types:
        if prefix == "ec2" and entry.name in ec2_types:
            for identity in ec2_types[entry.name]:
                yield _fill(entry.template, {}, call, account_id, default=identity)
            continue
        of_entry = {arn for arn in given if action_catalogue.arn_pattern(entry.template).fullmatch(arn)}
        bound = list(_bound(call, entry, values, of_entry))
        if bound and not entry.required and _lacks_its_own(entry, bound[0], action):
            continue
        if bound:
            for binding in bound:
                yield _fill(entry.template, binding, call, account_id)
        elif entry.required and not given:
            yield _unnamed(call, entry, account_id)


def _given_arns(prefix: str, action: Action, values: Values) -> list[str]:
    """Parameters that are ARNs of the service's own resource types, or of a type that the action is decided on."""
    own = [action_catalogue.arn_pattern(t) for t in action_catalogue.service_resource_types(prefix).values()]
    decided = [action_catalogue.arn_pattern(entry.template) for entry in action.resource_types]
    found = [v for name, items in values.items() if name not in _TEXTS for v in items if v.startswith("arn:")]
    return [
        arn
        for arn in found
        if any(p.fullmatch(arn) for p in decided)
        # an alias is decided on as the key that it stands for
        or (arn.split(":")[2] == prefix and prefix != "kms" and any(p.fullmatch(arn) for p in own))
    ]


def _ec2_ids(call: Call) -> Values:
    """EC2 ids by resource type, wherever the call names one outside its filters and tags."""
    found: Values = {}
    for key, value in call.flat.items():
        if not key.startswith(("Filter.", "TagSpecification.", "Tag.")) and (identity := _EC2_ID.fullmatch(value)):
            kind = _EC2_TYPES.get(identity[1])
            if kind is not None and value not in found.setdefault(kind, []):
                found[kind].append(value)
    return found


def _refuse_foreign(call: Call, arn: str, account_id: str) -> None:
    """Moto takes the name out of an ARN and forgets whose it was."""
    if not arn.startswith("arn:"):
        return
    _, partition, _, region, account, *_ = f"{arn}::::".split(":")
    if partition != "aws" or region not in {"", call.region} or account not in {"", "aws", account_id}:
        raise NotImplementedBySandbox(
            f"{call.action} on {arn[:256]} is not available in this sandbox: the resource is not of the account"
            f" {account_id} in {call.region}.",
            fix="sign for the region that the ARN names; there is no other account and no other partition",
        )


def _bound(call: Call, kind: ResourceType, values: Values, given: set[str]) -> Iterator[dict[str, str]]:
    """A binding of the template's first placeholder that a parameter names, one for each of the parameter's values.

    `given` are ARNs of the kind that are decided on as they stand.
    """
    single: dict[str, str] = {}
    several: tuple[str, list[str]] | None = None
    for placeholder in _own_placeholders(kind.template):
        names = _ALIASES.get((call.service.prefix, placeholder), (placeholder, placeholder + "s", placeholder + "List"))
        if placeholder.endswith("Name") and call.operation.endswith(placeholder.removesuffix("Name")):
            names = (*names, "Name")  # of CreateStateMachine it is the StateMachineName
        # all of them: which of two the service would look at first is not known
        items = [item for name in dict.fromkeys(names) for item in values.get(name.lower(), ()) if item not in given]
        if not items:
            continue
        cleaned = [_cleaned(placeholder, item) for item in items]
        if len(cleaned) == 1:
            single[placeholder] = cleaned[0]
        elif several is None:
            several = (placeholder, cleaned)
    if several is not None:
        yield from ({**single, several[0]: item} for item in several[1])
    elif single:
        yield single


def _lacks_its_own(entry: ResourceType, binding: dict[str, str], action: Action) -> bool:
    """Whether all that is bound of an optional type names another type alone: a table is not one of its indexes."""
    own = set(_own_placeholders(entry.template))
    return own > binding.keys() and any(
        set(_own_placeholders(other.template)) == binding.keys() for other in action.resource_types if other != entry
    )


def _own_placeholders(template: str) -> list[str]:
    return [name for name in _PLACEHOLDER.findall(template) if name not in {"Partition", "Region", "Account"}]


def _cleaned(placeholder: str, value: str) -> str:
    if placeholder == "ParameterNameWithoutLeadingSlash":
        # `name:version` and `name:label`, with or without an ARN before it
        name = value.partition(":parameter/")[2] if value.startswith("arn:") else value
        return name.partition(":")[0].removeprefix("/")
    if placeholder == "KeyId" and value.startswith("arn:") and ":alias/" in value:
        return value.rpartition(":")[2]
    if value.startswith("arn:"):
        return value.rpartition(":")[2].rpartition("/")[2]
    if placeholder == "QueueName" and "/" in value:
        return urlsplit(value).path.rpartition("/")[2]
    return value.removeprefix("alias/") if placeholder == "Alias" else value


def _fill(template: str, binding: dict[str, str], call: Call, account_id: str, default: str = "*") -> str:
    if binding.get("ParameterNameWithoutLeadingSlash", "").startswith("aws/service/"):
        account_id = ""  # AWS's public parameters are no account's (Karpenter's published policy names them so)
    fixed = {"Partition": "aws", "Region": call.region, "Account": account_id}
    return _PLACEHOLDER.sub(lambda m: fixed[m[1]] if m[1] in fixed else binding.get(m[1], default), template)


def _lists_all(call: Call) -> bool:
    """Whether a call describes whatever there is: it gives nothing but pages and filters."""
    if not call.operation.startswith(("Describe", "List")):
        return False
    names = {name.partition(".")[0].lower() for name in (*call.flat, *call.document)}
    return names <= _OF_PAGES


def _unnamed(call: Call, kind: ResourceType, account_id: str) -> str:
    """A resource that has no name yet is decided on as `type/*` (Service Authorization Reference, resource types)."""
    if call.operation.startswith(_CREATES) or _lists_all(call):
        return _fill(kind.template, {}, call, account_id)
    raise NotImplementedBySandbox(
        f"{call.action} cannot be authorized by this sandbox: it does not see which {kind.name} the request names.",
        fix=f"name the {kind.name} by id or ARN, or report the operation and the client that needs it",
    )
