"""Pod + ServiceAccount -> JSON Patch: what the pod identity webhook decides.

`mutate` is the decision; `Settings` are the flags; `Identity` is what a ServiceAccount, a ConfigMap entry or nobody
asks for; `Pod` is the part of a pod that is read. What the original amazon-eks-pod-identity-webhook does is read from
its source (pkg/handler, pkg/cache, v0.6.17); docs/explanation/compatibility-webhook.md lists where this differs.
"""

from iambridge.core.pod_identity.identity import (
    ConfigMapFault,
    Identity,
    ParsedConfigMap,
    identity_of_annotations,
    parse_config_map,
    parse_container_credentials,
)
from iambridge.core.pod_identity.mutate import Facts, Mutation, mutate, not_judged
from iambridge.core.pod_identity.pod import Pod
from iambridge.core.pod_identity.process import ProcessIdentity, process_identity
from iambridge.core.pod_identity.settings import ComposeRoleArn, ContainerCredentials, Settings

__all__ = [
    "ComposeRoleArn",
    "ConfigMapFault",
    "ContainerCredentials",
    "Facts",
    "Identity",
    "Mutation",
    "ParsedConfigMap",
    "Pod",
    "ProcessIdentity",
    "Settings",
    "identity_of_annotations",
    "mutate",
    "not_judged",
    "parse_config_map",
    "parse_container_credentials",
    "process_identity",
]
