"""The webhook's flags as one value, with what follows from them computed once."""

import posixpath
from dataclasses import dataclass, field

DEFAULT_EXPIRATION = 86400  # seconds
MIN_EXPIRATION = 600  # seconds; the API server refuses less
MAX_EXPIRATION = 1 << 32  # seconds; the API server refuses more
JITTER_FLOOR = 79200  # seconds: where the original's jitter of the default begins


@dataclass(frozen=True, slots=True)
class ComposeRoleArn:
    """What turns a role's name or path into an ARN: `arn:PARTITION:iam::ACCOUNT:role/VALUE`."""

    partition: str
    account: str


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where the token is: a volume, mounted at a path, with the token at `token_path` in it."""

    audience: str
    mount_path: str
    volume_name: str
    token_path: str
    file: str = ""
    windows_file: str = ""

    def __post_init__(self) -> None:
        file = posixpath.normpath(posixpath.join(self.mount_path, self.token_path))
        object.__setattr__(self, "file", file)
        object.__setattr__(self, "windows_file", "C:" + file.replace("/", "\\"))


@dataclass(frozen=True, slots=True)
class ContainerCredentials:
    """EKS Pod Identity's way: a credentials endpoint and a token of its own. Defaults are the original's."""

    audience: str = "pods.eks.amazonaws.com"
    mount_path: str = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
    volume_name: str = "eks-pod-identity-token"
    token_path: str = "eks-pod-identity-token"  # noqa: S105 - a file name
    full_uri: str = "http://169.254.170.23/v1/credentials"


@dataclass(frozen=True, slots=True)
class Settings:
    """Defaults are the original's flags. `token_expiration` is in seconds.

    Off by default, and not in the original: `session_name` injects AWS_ROLE_SESSION_NAME, `jitter` spreads the default
    expiration for web identity too, `include_containers` honours the pod annotation of that name, and a pod with the
    label `fail_closed_label` is refused when it asks for an identity that cannot be given, but in no namespace of
    `never_refused`: what the cluster and the webhook itself need must start.
    """

    annotation_prefix: str = "eks.amazonaws.com"
    audience: str = "sts.amazonaws.com"
    mount_path: str = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
    token_expiration: int = DEFAULT_EXPIRATION
    region: str = ""
    regional_sts: bool = False
    compose_role_arn: ComposeRoleArn | None = None
    container_credentials: ContainerCredentials = field(default_factory=ContainerCredentials)
    session_name: bool = False
    jitter: bool = False
    include_containers: bool = False
    fail_closed_label: str = ""
    never_refused: frozenset[str] = frozenset({"kube-system"})
    role_arn_key: str = ""
    audience_key: str = ""
    regional_sts_key: str = ""
    expiration_key: str = ""
    skip_key: str = ""
    include_key: str = ""
    web_identity_place: TokenPlace = field(init=False)
    credentials_place: TokenPlace = field(init=False)

    def __post_init__(self) -> None:
        for name, suffix in (
            ("role_arn_key", "role-arn"),
            ("audience_key", "audience"),
            ("regional_sts_key", "sts-regional-endpoints"),
            ("expiration_key", "token-expiration"),
            ("skip_key", "skip-containers"),
            ("include_key", "include-containers"),
        ):
            object.__setattr__(self, name, f"{self.annotation_prefix}/{suffix}")
        object.__setattr__(self, "token_expiration", max(self.token_expiration, MIN_EXPIRATION))
        own = self.container_credentials
        web_identity = TokenPlace(self.audience, self.mount_path, "aws-iam-token", "token")
        credentials = TokenPlace(own.audience, own.mount_path, own.volume_name, own.token_path)
        object.__setattr__(self, "web_identity_place", web_identity)
        object.__setattr__(self, "credentials_place", credentials)
