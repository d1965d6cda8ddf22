"""The flags of `serve webhook` as the settings of its decision: for the daemon, and for whoever explains it."""

import argparse
from collections.abc import Sequence

from iambridge.cli import serve_webhook
from iambridge.core.pod_identity import ComposeRoleArn, ContainerCredentials, Settings
from iambridge.errors import InputError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # an exception ends as well as an exit does
        raise InputError(
            f"not a flag of serve webhook: {message}", where="--webhook-flag", fix="write --webhook-flag=--NAME=VALUE"
        )


def webhook_arguments(flags: Sequence[str]) -> argparse.Namespace:
    """`flags` as `serve webhook` reads them.

    Raises:
        InputError: one is not a flag, or cannot be honoured.
    """
    parser = _Parser(allow_abbrev=False, add_help=False)
    serve_webhook.add_arguments(parser)
    arguments = parser.parse_args(flags)
    serve_webhook.refuse(arguments)
    return arguments


def settings_of(arguments: argparse.Namespace, compose: ComposeRoleArn | None) -> Settings:
    return Settings(
        annotation_prefix=arguments.annotation_prefix,
        audience=arguments.token_audience,
        mount_path=arguments.token_mount_path,
        token_expiration=arguments.token_expiration,
        region=arguments.aws_default_region,
        regional_sts=arguments.sts_regional_endpoint,
        compose_role_arn=compose,
        container_credentials=ContainerCredentials(
            audience=arguments.container_credentials_audience,
            mount_path=arguments.container_credentials_token_mount_path,
            volume_name=arguments.container_credentials_token_volume_name,
            token_path=arguments.container_credentials_token_path,
            full_uri=arguments.container_credentials_full_uri,
        ),
        session_name=arguments.inject_role_session_name,
        jitter=arguments.token_expiration_jitter,
        include_containers=arguments.include_containers,
        fail_closed_label=arguments.fail_closed_label,
        never_refused=frozenset({"kube-system", arguments.namespace}),
    )
