"""What the webhook would give to a pod of a ServiceAccount, for a process that has no pod.

It is the webhook's own decision on a pod of one container: what it would patch in is read from its patch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from iambridge.core.pod_identity.mutate import Facts, Mutation, mutate
from iambridge.core.pod_identity.pod import Container, EnvVar, ObjectMeta, Pod, PodSpec
from iambridge.core.pod_identity.settings import Settings

_PROCESS = "process"


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """`environment` is the container's, with the process's own values kept where the webhook keeps a pod's.

    `token_file` is the path in a pod, which `environment` names; `expiration` is in seconds. `injected` is false when
    the decision is that no identity is given, and then `mutation` says why.
    """

    mutation: Mutation
    injected: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    audience: str = ""
    expiration: int = 0
    token_file: str = ""

    def environment_with(self, token_file: str) -> dict[str, str]:
        """`environment`, where the token's path in a pod is the path of this token."""
        return {name: token_file if value == self.token_file else value for name, value in self.environment.items()}


def process_identity(
    service_account: str,
    namespace: str,
    facts: Facts,
    settings: Settings,
    *,
    environment: Mapping[str, str],
    expiration: int | None = None,
) -> ProcessIdentity:
    """`environment` is what a pod would set itself; `expiration` is its token-expiration annotation, in seconds."""
    container = Container(_PROCESS, [EnvVar(name) for name in environment])
    annotations = {} if expiration is None else {settings.expiration_key: str(expiration)}
    # without a name: the session's name would be the pod's, and this is no pod
    pod = Pod(ObjectMeta(annotations=annotations), PodSpec(service_account, containers=[container]))
    mutation = mutate(pod, namespace, facts, settings, jitter=0.0)
    added: dict[str, str] = {}
    token: dict[str, str] = {}
    for operation in mutation.patch:
        value = operation["value"]
        if operation["path"] == "/spec/containers/0/env/-":
            # AWS_ROLE_SESSION_NAME is then a reference to the pod's name: left out, an SDK makes one up
            if "value" in value:
                added[value["name"]] = value["value"]
        elif operation["path"] == "/spec/volumes":
            token = value[0]["projected"]["sources"][0]["serviceAccountToken"]
    if not token:
        return ProcessIdentity(mutation)
    return ProcessIdentity(
        mutation,
        True,
        {**environment, **added},
        str(token["audience"]),
        int(token["expirationSeconds"]),
        settings.web_identity_place.file,
    )
