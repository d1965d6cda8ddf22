"""A case file of tests/cases/pod_identity: what goes in, and what `mutate` makes of it."""

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import jsonpatch
import yaml

from iambridge.cli import serve_webhook, webhook_settings
from iambridge.core.pod_identity import (
    Facts,
    Mutation,
    Pod,
    Settings,
    identity_of_annotations,
    mutate,
    parse_config_map,
    parse_container_credentials,
)

DIRECTORY = Path(__file__).parents[3] / "cases/pod_identity"
NAMESPACE = "default"
JITTER = 0.5


def load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.load(path.read_text(), yaml.CSafeLoader)
    return case


def flags(case: dict[str, Any]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    serve_webhook.add_arguments(parser)
    return parser.parse_args(case["flags"])


def judge(case: dict[str, Any], pod: dict[str, Any]) -> Mutation:
    arguments = flags(case)
    settings = webhook_settings.settings_of(arguments, None)
    view = Pod.of(pod)
    name = view.spec.service_account_name or ""
    return mutate(view, NAMESPACE, facts(case, name, settings, arguments.watch_config_map), settings, jitter=JITTER)


def facts(case: dict[str, Any], name: str, settings: Settings, watch_config_map: bool) -> Facts:  # noqa: FBT001 - a flag
    annotations = case["serviceAccount"]
    entries = {}
    if watch_config_map:
        entries = parse_config_map(json.dumps(case.get("configMap", {})), settings).entries
    credentials = json.dumps({"identities": case.get("containerCredentials", [])}).encode()
    return Facts(
        None if annotations is None else identity_of_annotations(annotations, settings),
        entries.get(f"{NAMESPACE}/{name}"),
        entries.get(f"*/{name}"),
        (NAMESPACE, name) in parse_container_credentials(credentials),
    )


def outcome(case: dict[str, Any]) -> dict[str, Any]:
    """What a case file records of the decision."""
    mutation = judge(case, case["pod"])
    return {
        "outcome": mutation.decision.outcome.value,
        "reasons": [reason.code for reason in mutation.decision.reasons],
        "warnings": list(mutation.warnings),
        "denied": mutation.denied,
        "patch": mutation.patch,
        "mutated": jsonpatch.apply_patch(copy.deepcopy(case["pod"]), mutation.patch),
    }
