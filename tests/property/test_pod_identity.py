"""Laws of the webhook's mutation, over random pods."""

import copy
import string
from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.pod_identity import Facts, Pod, Settings, identity_of_annotations, mutate

ROLE = "arn:aws:iam::111122223333:role/app"
SETTINGS = Settings(region="us-west-2", regional_sts=True, session_name=True)
FACTS = Facts(identity_of_annotations({"eks.amazonaws.com/role-arn": ROLE}, SETTINGS))
MOUNT = SETTINGS.mount_path

names = st.text(string.ascii_lowercase, min_size=1, max_size=4)
unknown = st.dictionaries(
    st.sampled_from(["futureField", "startupProbe", "resizePolicy"]), st.dictionaries(names, st.integers()), max_size=2
)
env = st.builds(
    lambda name, value, rest: {"name": name, **value, **rest},
    st.sampled_from(
        ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS", "A"]
    ),
    st.sampled_from([{"value": "user"}, {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
    unknown,
)  # fmt: skip
mounts = st.builds(
    lambda name, path: {"name": name, "mountPath": path},
    st.sampled_from(["aws-iam-token", "aws-iam-token-injected", "data"]),
    st.sampled_from(["/data", MOUNT, f"{MOUNT}/", f"{MOUNT}/token"]),
)
token = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 600, "path": "token"}}
volumes = st.builds(
    lambda name, source: {"name": name, **source},
    st.sampled_from(["aws-iam-token", "aws-iam-token-injected", "data"]),
    st.sampled_from(
        [{"emptyDir": {}}, {"projected": {"sources": [token]}}, {"projected": {"sources": [token, token]}}]
    ),
)
containers = st.builds(
    lambda name, e, m, rest: {"name": name, **rest, **e, **m},
    names,
    st.one_of(st.just({}), st.lists(env, max_size=4).map(lambda e: {"env": e})),
    st.one_of(st.just({}), st.lists(mounts, max_size=2).map(lambda m: {"volumeMounts": m})),
    unknown,
)
pods = st.builds(
    lambda c, i, v, annotations, rest: {
        "metadata": {"name": "p", "annotations": annotations},
        "spec": {"serviceAccountName": "app", "containers": c, **i, **v, **rest},
    },
    st.lists(containers, min_size=1, max_size=3),
    st.one_of(st.just({}), st.lists(containers, max_size=2).map(lambda i: {"initContainers": i})),
    st.one_of(st.just({}), st.lists(volumes, max_size=3, unique_by=lambda v: v["name"]).map(lambda v: {"volumes": v})),
    st.dictionaries(st.just("eks.amazonaws.com/skip-containers"), names, max_size=1),
    unknown,
)


def patched(pod: dict[str, Any]) -> dict[str, Any]:
    mutation = mutate(Pod.of(pod), "default", FACTS, SETTINGS, jitter=0.0)
    result: dict[str, Any] = jsonpatch.apply_patch(copy.deepcopy(pod), mutation.patch)
    return result


def kept(before: Any, after: Any) -> bool:
    """Everything in `before` is in `after`; lists may only grow, around the user's entries in their order."""
    if isinstance(before, dict):
        return isinstance(after, dict) and all(key in after and kept(before[key], after[key]) for key in before)
    if isinstance(before, list):
        rest = iter(after)
        return all(any(kept(entry, other) for other in rest) for entry in before)
    return bool(before == after)


@given(pods)
def test_nothing_of_the_users_is_lost(pod: dict[str, Any]) -> None:
    """Every field, value and list entry of the user's pod is in the mutated pod, known to us or not."""
    assert kept(pod, patched(pod))


@given(pods)
def test_twice_is_once(pod: dict[str, Any]) -> None:
    """The webhook applied to its own result changes nothing."""
    once = patched(pod)
    assert patched(once) == once


@given(pods)
def test_no_container_is_half_configured(pod: dict[str, Any]) -> None:
    """After the mutation a container has both variables of the pair, or none that it did not have before."""
    after = patched(pod)
    pair = {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"}
    for field in ("containers", "initContainers"):
        for old, new in zip(pod["spec"].get(field, []), after["spec"].get(field, []), strict=True):
            before = {variable["name"] for variable in old.get("env", [])} & pair
            assert ({variable["name"] for variable in new.get("env", [])} & pair) in (before, pair)


@given(pods)
def test_mount_paths_stay_unique(pod: dict[str, Any]) -> None:
    """The mutation adds no mount at a path that has one, which the API server would refuse."""
    after = patched(pod)
    for field in ("containers", "initContainers"):
        for old, new in zip(pod["spec"].get(field, []), after["spec"].get(field, []), strict=True):
            added = new.get("volumeMounts", [])[len(old.get("volumeMounts", [])) :]
            paths = {mount["mountPath"].rstrip("/") for mount in old.get("volumeMounts", [])}
            assert all(mount["mountPath"] not in paths for mount in added)
