"""The token's volume: added once, first in the list, and never mistaken for a volume of the user's."""

from typing import Any

from iambridge.core.decision import Reason
from iambridge.core.pod_identity.containers import Injection
from iambridge.core.pod_identity.pod import Pod, Volume


def volume_patch(pod: Pod, injection: Injection, patch: list[dict[str, Any]]) -> bool:
    """Add the volume unless it is there; False when both its names are taken by other volumes.

    The original goes by name alone, so a volume of the user's under that name would be mounted at the token's path.
    Here a volume is the token's only if it is one: else ours gets another name.
    """
    volumes = pod.spec.volumes
    for name in (injection.place.volume_name, f"{injection.place.volume_name[:54]}-injected"):
        there = next((volume for volume in volumes or () if volume.name == name), None)
        if there is not None and not _is_token(there, injection):
            continue
        injection.volume_name = name
        if there is not None:
            injection.reasons.append(Reason("volume-present", "the pod has the token volume", name, True))
            return True
        volume = {
            "name": name,
            "projected": {
                "sources": [
                    {
                        "serviceAccountToken": {
                            "audience": injection.audience,
                            "expirationSeconds": injection.expiration,
                            "path": injection.place.token_path,
                        }
                    }
                ]
            },
        }
        if volumes is None:
            patch.append({"op": "add", "path": "/spec/volumes", "value": [volume]})
        else:
            patch.append({"op": "add", "path": "/spec/volumes/0", "value": volume})
        if name != injection.place.volume_name:
            injection.warn(f"volume {injection.place.volume_name} is not a token volume; the token is in {name}")
        facts = {"audience": injection.audience, "expirationSeconds": str(injection.expiration)}
        injection.reasons.append(Reason("volume-added", "the token volume is added", name, True, facts))
        return True
    injection.reasons.append(
        Reason("volume-name-taken", "other volumes of the pod have the token volume's names", "/spec/volumes")
    )
    return False


def _is_token(volume: Volume, injection: Injection) -> bool:
    sources = volume.projected.sources if volume.projected is not None else None
    if sources is None or len(sources) != 1:
        return False
    token = sources[0].service_account_token
    return token is not None and token.audience == injection.audience and token.path == injection.place.token_path
