"""The authenticator's state directory: its certificate, and the kubeconfig by which kube-apiserver calls it."""

import base64
import datetime as dt
from pathlib import Path

import yaml

from iambridge.adapters.certificates import CertificateAuthority, Leaf, write_private
from iambridge.adapters.serving_certificate import ServingCertificate
from iambridge.errors import InputError


def serving_certificate(
    state_dir: Path, directory: Path, *, hosts: tuple[str, ...], now: dt.datetime
) -> tuple[Leaf, bytes]:
    """The leaf to serve with, and the PEM that clients trust.

    An existing cert.pem and key.pem, as aws-iam-authenticator leaves them, are served as they are; else a CA is in
    `state_dir`, made at first start, and a leaf under it. `directory` is scratch space for the key's PKCS#8 form.

    Raises:
        InputError: the directory cannot be written, or the pair is wrong.
    """
    certificate, key = state_dir / "cert.pem", state_dir / "key.pem"
    if certificate.exists() and key.exists():
        serving = ServingCertificate(certificate, key, directory)
        serving.load()
        return serving.leaf, certificate.read_bytes()
    try:
        authority = CertificateAuthority(state_dir, name="iambridge authenticator CA", now=now)
        return authority.leaf("authenticator", hosts=tuple(dict.fromkeys(hosts))), authority.pem
    except OSError as error:
        raise InputError(
            f"cannot keep a certificate in {state_dir}: {error.strerror}",
            where="--state-dir",
            fix="name a directory that this user may write",
        ) from error


def write_webhook_kubeconfig(file: Path, *, url: str, authority: bytes) -> None:
    """The file for kube-apiserver's --authentication-token-webhook-config-file, 0600.

    Raises:
        InputError: it cannot be written.
    """
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "aws-iam-authenticator",
                "cluster": {"server": url, "certificate-authority-data": base64.b64encode(authority).decode()},
            }
        ],
        "users": [{"name": "apiserver"}],
        "current-context": "webhook",
        "contexts": [{"name": "webhook", "context": {"cluster": "aws-iam-authenticator", "user": "apiserver"}}],
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, yaml.safe_dump(content, sort_keys=False).encode())
    except OSError as error:
        raise InputError(
            f"cannot write {file}: {error.strerror}",
            where="--generate-kubeconfig",
            fix="name a file that can be written, or give --kubeconfig-pregenerated",
        ) from error
