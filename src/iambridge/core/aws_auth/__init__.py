"""aws-auth: which IAM principal is which Kubernetes user, with which groups, and every fault of the document.

Here belong the meaning of mapRoles, mapUsers and mapAccounts, the order in which they are matched, and the templates.
YAML text does not: `wire.aws_auth_yaml` makes it the located values that are judged here.

Sources: EKS User Guide "Grant IAM users access to Kubernetes with a ConfigMap"; aws-iam-authenticator pkg/mapper,
pkg/config and pkg/server.
"""

from iambridge.core.aws_auth.break_glass import break_glass
from iambridge.core.aws_auth.document import Fault, Kind, Located, Section, Severity, Unparsable
from iambridge.core.aws_auth.entry import Entry, PermissionSet
from iambridge.core.aws_auth.identity import (
    PRINCIPAL_RECREATED,
    Identity,
    Mapped,
    MappedUser,
    Source,
    decisive,
    instance_wanted,
    map_identity,
)
from iambridge.core.aws_auth.identity_mappings import IdentityMapping, load_objects
from iambridge.core.aws_auth.lint import Bound, smells
from iambridge.core.aws_auth.load import SECTIONS, load, load_whole
from iambridge.core.aws_auth.mappings import Mappings, Match
from iambridge.core.aws_auth.near_misses import alike
from iambridge.core.aws_auth.original import load_as_original
from iambridge.core.aws_auth.plan import NOTHING_BESIDE, Beside, Change, Plan, in_masters, plan
from iambridge.core.aws_auth.rules import Rules
from iambridge.core.aws_auth.templates import PLACEHOLDERS

__all__ = [
    "NOTHING_BESIDE",
    "PLACEHOLDERS",
    "PRINCIPAL_RECREATED",
    "SECTIONS",
    "Beside",
    "Bound",
    "Change",
    "Entry",
    "Fault",
    "Identity",
    "IdentityMapping",
    "Kind",
    "Located",
    "Mapped",
    "MappedUser",
    "Mappings",
    "Match",
    "PermissionSet",
    "Plan",
    "Rules",
    "Section",
    "Severity",
    "Source",
    "Unparsable",
    "alike",
    "break_glass",
    "decisive",
    "in_masters",
    "instance_wanted",
    "load",
    "load_as_original",
    "load_objects",
    "load_whole",
    "map_identity",
    "plan",
    "smells",
]
