from typing import Any

import pytest

from iambridge.errors import CreateContainerConfigError
from iambridge.sandbox.cluster.kubelet.process_user import ProcessUser, Rights, process_user, rights, volume_owner


def pod(*containers: dict[str, Any], **security: Any) -> dict[str, Any]:
    spec = {
        "securityContext": security,
        "containers": [
            {"name": f"c{number}", "securityContext": each} for number, each in enumerate(containers or ({},))
        ],
    }
    return {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": spec}


def user(one: dict[str, Any], kubelet_uid: int) -> ProcessUser | None:
    return process_user(one, one["spec"]["containers"][0], kubelet_uid)


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        ({}, None),
        ({"runAsUser": 0}, None),
        ({"runAsUser": 7}, ProcessUser(7, 7)),
        ({"runAsUser": 7, "runAsGroup": 0}, ProcessUser(7, 0)),
        ({"runAsNonRoot": True}, ProcessUser(65532, 65532)),
        ({"runAsNonRoot": True, "runAsUser": 7}, ProcessUser(7, 7)),
        ({"runAsUser": 7, "fsGroup": 8, "supplementalGroups": [9, 8]}, ProcessUser(7, 7, (8, 9))),
        ({"fsGroup": 8}, ProcessUser(0, 0, (8,))),
    ],
)
def test_a_root_kubelet_gives_the_user_that_is_asked_for(
    security: dict[str, Any], expected: ProcessUser | None
) -> None:
    """Ids come from the pod; runAsNonRoot alone gives the unprivileged user that images call nonroot."""
    assert user(pod(**security), 0) == expected


def test_a_container_s_own_context_goes_first() -> None:
    """A field of the container's securityContext replaces the pod's."""
    assert user(pod({"runAsUser": 7}, runAsUser=8, runAsGroup=9), 0) == ProcessUser(7, 9)


def test_another_kubelet_has_only_its_own_user() -> None:
    """Not root: its own uid and runAsNonRoot are as asked, another user is refused by name."""
    assert user(pod(runAsUser=1000, runAsNonRoot=True), 1000) is None
    with pytest.raises(CreateContainerConfigError, match="runs containers as user 1000, not as runAsUser 7"):
        user(pod(runAsUser=7), 1000)


@pytest.mark.parametrize("kubelet_uid", [0, 1000])
def test_root_breaks_a_non_root_policy(kubelet_uid: int) -> None:
    """runAsUser 0 under runAsNonRoot is refused in the kubelet's words, whoever the kubelet is."""
    with pytest.raises(CreateContainerConfigError) as refused:
        user(pod(runAsUser=0, runAsNonRoot=True), kubelet_uid)
    assert refused.value.message == 'container\'s runAsUser breaks non-root policy (pod: "p_n(u)", container: c0)'


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (pod({}), (None, None)),
        (pod({"runAsUser": 7}, {"runAsUser": 7}), (7, None)),
        (pod({"runAsUser": 7}, {}), (None, None)),
        (pod({"runAsUser": 7}, {"runAsUser": 8}, runAsUser=7), (None, None)),
        (pod({}, runAsUser=7, fsGroup=8), (7, 8)),
    ],
)
def test_tokens_belong_to_the_user_that_all_containers_share(one: dict[str, Any], expected: tuple[Any, Any]) -> None:
    """KEP-1205: one user of all containers owns the token, fsGroup owns the files of volumes."""
    assert volume_owner(one) == expected


def test_which_rights_are_lost_for_good() -> None:
    """Privilege escalation when forbidden; capabilities when all are dropped, none added, and there are any."""
    one = pod({"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}})
    assert rights(one, one["spec"]["containers"][0], 0) == Rights(confined=True, powerless=True)
    assert rights(one, one["spec"]["containers"][0], 5) == Rights(confined=True)
    one = pod({"readOnlyRootFilesystem": True})
    assert rights(one, one["spec"]["containers"][0], 5) == Rights(read_only=True)
    other = pod({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}})
    assert rights(other, other["spec"]["containers"][0], 0) == Rights()
