"""What points kubectl, the AWS CLI and SDKs at a sandbox: the lines of `iambridge env`, and what its workloads get."""

import json
from collections.abc import Mapping
from pathlib import Path

from iambridge.errors import InputError
from iambridge.sandbox.data_dir import Ports, read_ports

REGION = "us-east-1"
_PROXIES = ("https_proxy", "all_proxy", "http_proxy")


def workload_environment(data_dir: Path, ports: Ports) -> dict[str, str]:
    """What the sandbox's node adds to each container: the endpoint of its AWS, the authority, the region."""
    ca = str(data_dir / "pki/ca.crt")
    return {
        "AWS_ENDPOINT_URL": ports.url("aws"),
        # the SDK for Go looks for credentials before it reads the general one
        "AWS_ENDPOINT_URL_STS": ports.url("aws"),
        "AWS_CA_BUNDLE": ca,
        "NODE_EXTRA_CA_CERTS": ca,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def client_environment(data_dir: Path) -> dict[str, str | None]:
    """Names and values for a client's environment; None means unset.

    Raises:
        InputError: no sandbox was started on `data_dir`.
    """
    ports = read_ports(data_dir)
    ca = str(data_dir / "pki/ca.crt")
    try:
        admin = json.loads((data_dir / "aws/admin-credentials.json").read_bytes())
        access_key_id, secret = str(admin["AccessKeyId"]), str(admin["SecretAccessKey"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the sandbox on {data_dir} has no readable admin credentials",
            where=str(data_dir / "aws/admin-credentials.json"),
            fix="start it once with `iambridge up --data-dir ...`",
        ) from error
    kubeconfig = data_dir / "kubeconfig"
    return {
        # an account alone has none, and its user's own cluster is nobody else's business
        **({"KUBECONFIG": str(kubeconfig)} if kubeconfig.exists() else {}),
        "AWS_ENDPOINT_URL": ports.url("aws"),
        # the SDK for Go looks for credentials before it reads the general one
        "AWS_ENDPOINT_URL_STS": ports.url("aws"),
        "AWS_CA_BUNDLE": ca,
        "NODE_EXTRA_CA_CERTS": ca,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": None,
        "AWS_PROFILE": None,
        "AWS_DEFAULT_PROFILE": None,
    }


def past_the_proxy(environment: Mapping[str, str]) -> dict[str, str | None]:
    """What excepts loopback where `environment` has a proxy; nothing where it has none, or excepts it already.

    Python and curl send even loopback through a proxy, unless told; Go's clients do not.
    """
    lower = {name.lower(): value for name, value in environment.items()}
    lower |= {name: value for name, value in environment.items() if name == name.lower()}
    direct = lower.get("no_proxy", "")
    if not any(lower.get(name) for name in _PROXIES) or {"*", "127.0.0.1"} & {h.strip() for h in direct.split(",")}:
        return {}
    value = f"{direct},127.0.0.1" if direct else "127.0.0.1"
    return {"NO_PROXY": value, "no_proxy": value}
