"""What people do with kubectl, run for real: exit code, words and result."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import _KUBECTLS, Kubectl, in_new_namespace, kubectl_name
from .peers import oldest_kubectl

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  labels: {app: web}
data:
  colour: red
"""
OLDEST = "oldest"  # of the registry: installed at first need, and only for this battery


@pytest.fixture(params=[*_KUBECTLS, OLDEST], ids=lambda param: param if param == OLDEST else kubectl_name(param))
def kubectl(request: pytest.FixtureRequest, kubeconfig: Path, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl, each one that is here and the oldest one that can be installed, in a namespace of its own."""
    is_here = request.param != OLDEST
    program = request.param if is_here else oldest_kubectl(request.getfixturevalue("peer_cache"))
    with in_new_namespace(Kubectl(program, kubeconfig, tmp_path)) as tool:
        yield tool


def test_apply_twice_changes_nothing_the_second_time(kubectl: Kubectl) -> None:
    """`apply` of the same file is idempotent, and says so."""
    assert kubectl.ok("apply", "-f", "-", stdin=CONFIG_MAP) == "configmap/settings created\n"
    before = kubectl.json("get", "configmap", "settings")
    assert kubectl.ok("apply", "-f", "-", stdin=CONFIG_MAP) == "configmap/settings unchanged\n"
    assert kubectl.json("get", "configmap", "settings") == before


def test_apply_changes_adds_and_removes(kubectl: Kubectl) -> None:
    """A key that left the file leaves the object."""
    kubectl.ok("apply", "-f", "-", stdin=CONFIG_MAP)
    changed = CONFIG_MAP.replace("colour: red", "size: large")
    assert kubectl.ok("apply", "-f", "-", stdin=changed) == "configmap/settings configured\n"
    assert kubectl.json("get", "configmap", "settings")["data"] == {"size": "large"}


def test_server_side_apply_names_the_conflict(kubectl: Kubectl) -> None:
    """Another manager's field is a conflict that --force-conflicts takes over."""
    kubectl.ok("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=CONFIG_MAP)
    changed = CONFIG_MAP.replace("red", "blue")
    said = kubectl.fails("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=changed)
    assert 'conflict with "one": .data.colour' in said
    kubectl.ok("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=changed)
    assert kubectl.json("get", "configmap", "settings")["data"] == {"colour": "blue"}


def test_apply_after_client_side_apply_migrates_the_manager(kubectl: Kubectl) -> None:
    """kubectl's move from client-side to server-side apply leaves one manager of the fields."""
    kubectl.ok("apply", "-f", "-", stdin=CONFIG_MAP)
    kubectl.ok("apply", "--server-side", "-f", "-", stdin=CONFIG_MAP)
    fields = kubectl.json("get", "configmap", "settings", "--show-managed-fields")["metadata"]["managedFields"]
    assert "kubectl-client-side-apply" not in {entry["manager"] for entry in fields}


def test_three_patch_types(kubectl: Kubectl) -> None:
    """Merge, strategic and JSON patches all reach the object."""
    kubectl.ok("apply", "-f", "-", stdin=CONFIG_MAP)
    kubectl.ok("patch", "configmap", "settings", "--type=merge", "-p", '{"data": {"a": "1"}}')
    kubectl.ok("patch", "configmap", "settings", "-p", '{"data": {"b": "2"}}')
    added = json.dumps([{"op": "add", "path": "/data/c", "value": "3"}])
    kubectl.ok("patch", "configmap", "settings", "--type=json", "-p", added)
    assert kubectl.json("get", "configmap", "settings")["data"] == {"colour": "red", "a": "1", "b": "2", "c": "3"}


def test_a_failed_json_patch_test_is_invalid(kubectl: Kubectl) -> None:
    """A JSON patch whose `test` fails is 422, and changes nothing."""
    kubectl.ok("apply", "-f", "-", stdin=CONFIG_MAP)
    tested = json.dumps([{"op": "test", "path": "/data/colour", "value": "green"}])
    said = kubectl.fails("patch", "configmap", "settings", "--type=json", "-p", tested)
    assert "the server rejected our request due to an error in our request" in said


def test_label_annotate_and_select(kubectl: Kubectl) -> None:
    """Labels select, in every form of selector."""
    kubectl.ok("apply", "-f", "-", stdin=CONFIG_MAP)
    kubectl.ok("create", "configmap", "other")
    kubectl.ok("label", "configmap", "other", "tier=back")
    kubectl.ok("annotate", "configmap", "other", "note=here")
    for selector, wanted in (
        ("app=web", ["settings"]),
        ("tier in (back,front)", ["other"]),
        ("!tier,app", ["settings"]),
        ("tier notin (back),app!=api", ["kube-root-ca.crt", "settings"]),
    ):
        names = kubectl.ok("get", "configmaps", "-l", selector, "-o", "jsonpath={.items[*].metadata.name}").split()
        assert names == wanted, selector


def test_field_selectors(kubectl: Kubectl) -> None:
    """metadata.name selects; a field that cannot be selected by is refused by name."""
    kubectl.ok("create", "configmap", "one")
    assert kubectl.ok("get", "configmaps", "--field-selector=metadata.name=one", "-o", "name") == "configmap/one\n"
    assert "field label not supported: spec.nope" in kubectl.fails("get", "pods", "--field-selector=spec.nope=1")


def test_unknown_fields_are_strict_errors(kubectl: Kubectl) -> None:
    """kubectl asks for strict validation, and the server names the unknown field."""
    wrong = CONFIG_MAP + "extra: 1\n"
    assert 'unknown field "extra"' in kubectl.fails("apply", "-f", "-", stdin=wrong)
    warned = kubectl.run("apply", "--validate=warn", "-f", "-", stdin=wrong)
    assert warned.code == 0
    assert 'unknown field "extra"' in warned.error


def test_dry_run_and_diff_write_nothing(kubectl: Kubectl) -> None:
    """A server dry run answers as if it had written, and has not."""
    assert "created (server dry run)" in kubectl.ok("apply", "--dry-run=server", "-f", "-", stdin=CONFIG_MAP)
    assert "NotFound" in kubectl.fails("get", "configmap", "settings")
    kubectl.ok("apply", "-f", "-", stdin=CONFIG_MAP)
    shown = kubectl.run("diff", "-f", "-", stdin=CONFIG_MAP.replace("red", "blue"))
    assert shown.code == 1
    assert "+  colour: blue" in shown.out


def test_replace_checks_the_resource_version(kubectl: Kubectl) -> None:
    """A replace with an old resourceVersion is a conflict, without one it is unconditional."""
    kubectl.ok("apply", "-f", "-", stdin=CONFIG_MAP)
    old = kubectl.json("get", "configmap", "settings")
    kubectl.ok("patch", "configmap", "settings", "-p", '{"data": {"a": "1"}}')
    assert "the object has been modified" in kubectl.fails("replace", "-f", "-", stdin=json.dumps(old))
    del old["metadata"]["resourceVersion"]
    kubectl.ok("replace", "-f", "-", stdin=json.dumps(old))
    assert kubectl.json("get", "configmap", "settings")["data"] == {"colour": "red"}


def test_errors_are_kubernetes_own(kubectl: Kubectl) -> None:
    """Not found, exists already, and a name that is no name, in the API's words."""
    assert 'configmaps "nope" not found' in kubectl.fails("get", "configmap", "nope")
    kubectl.ok("create", "configmap", "one")
    assert 'configmaps "one" already exists' in kubectl.fails("create", "configmap", "one")
    bad = CONFIG_MAP.replace("name: settings", "name: BAD_Name")
    said = kubectl.fails("create", "-f", "-", stdin=bad)
    assert 'ConfigMap "BAD_Name" is invalid: metadata.name: Invalid value: "BAD_Name"' in said
    assert "a lowercase RFC 1123 subdomain" in said
    missing = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}})
    assert "spec.containers: Required value" in kubectl.fails("create", "-f", "-", stdin=missing)


def test_the_default_namespace_stays(kubectl: Kubectl) -> None:
    """Three namespaces cannot be deleted."""
    assert "this namespace may not be deleted" in kubectl.fails("delete", "namespace", "default")


def test_table_columns(kubectl: Kubectl) -> None:
    """`get` prints each kind's own columns."""
    kubectl.ok("create", "secret", "generic", "s", "--from-literal=a=b")
    kubectl.ok("create", "role", "r", "--verb=get", "--resource=pods")
    kubectl.ok("create", "rolebinding", "b", "--role=r", "--user=ann", "--serviceaccount=default:default")
    wanted = {
        "secrets": "NAME TYPE DATA AGE",
        "roles": "NAME CREATED AT",
        "rolebindings": "NAME ROLE AGE",
        "configmaps": "NAME DATA AGE",
        "serviceaccounts": "NAME SECRETS AGE" if _has_secrets_column(kubectl) else "NAME AGE",
        "namespaces": "NAME STATUS AGE",
    }
    for resource, header in wanted.items():
        assert " ".join(kubectl.ok("get", resource).splitlines()[0].split()) == header
    wide = kubectl.ok("get", "rolebindings", "b", "-o", "wide")
    assert "ann" in wide
    assert "default/default" in wide


def _has_secrets_column(kubectl: Kubectl) -> bool:
    return "SECRETS" in kubectl.ok("get", "serviceaccounts")


def test_explain_reads_the_schema(kubectl: Kubectl) -> None:
    """`explain` prints a field's type and description."""
    said = kubectl.ok("explain", "pod.spec.serviceAccountName")
    assert "FIELD: serviceAccountName <string>" in said
    assert "ServiceAccount" in said


def test_impersonation(kubectl: Kubectl) -> None:
    """--as acts as somebody else, with that one's rights only."""
    who = json.loads(kubectl.ok("auth", "whoami", "-o", "json", "--as=ann", "--as-group=team"))
    assert who["status"]["userInfo"] == {"username": "ann", "groups": ["team", "system:authenticated"]}
    said = kubectl.fails("get", "secrets", "--as=ann")
    assert (
        f'secrets is forbidden: User "ann" cannot list resource "secrets" in API group "" in the namespace "{kubectl.namespace}"'
        in said
    )


def test_can_i_equals_what_a_request_gets(kubectl: Kubectl) -> None:
    """`auth can-i` and the request itself agree, for allowed and for denied."""
    kubectl.ok("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    kubectl.ok("create", "rolebinding", "ann", "--role=reader", "--user=ann")
    for verb, words, allowed in (
        ("list", ("get", "configmaps"), True),
        ("create", ("create", "configmap", "x"), False),
        ("delete", ("delete", "configmap", "kube-root-ca.crt"), False),
    ):
        assert (kubectl.run("auth", "can-i", verb, "configmaps", "--as=ann").code == 0) is allowed
        assert (kubectl.run(*words, "--as=ann").code == 0) is allowed


def test_nobody_grants_what_he_does_not_hold(kubectl: Kubectl) -> None:
    """A user who may write roles cannot write one with more than he has."""
    kubectl.ok("create", "role", "rbac", "--verb=create,get", "--resource=roles.rbac.authorization.k8s.io")
    kubectl.ok("create", "rolebinding", "ann", "--role=rbac", "--user=ann")
    said = kubectl.fails("create", "role", "more", "--verb=get", "--resource=secrets", "--as=ann")
    assert "attempting to grant RBAC permissions not currently held" in said


def test_a_node_reaches_only_what_its_pods_need(kubectl: Kubectl) -> None:
    """A node's identity reads no other pod's Secret and asks for no other pod's token."""
    node = ("--as=system:node:elsewhere", "--as-group=system:nodes")
    kubectl.ok("create", "secret", "generic", "s", "--from-literal=a=b")
    unrelated = "no relationship found between node 'elsewhere' and this object"
    assert unrelated in kubectl.fails("get", "secret", "s", *node)
    assert unrelated in kubectl.fails("create", "token", "default", *node)
    kubectl.fails("get", "secrets", *node)
    assert "cannot read all nodes, only its own Node object" in kubectl.fails("get", "nodes", *node)
    assert "NotFound" in kubectl.fails("get", "node", "elsewhere", *node)


def test_an_apply_that_creates_needs_create(kubectl: Kubectl) -> None:
    """Who may patch and not create changes what is there, and makes nothing new."""
    kubectl.ok("create", "role", "patcher", "--verb=get,patch", "--resource=configmaps")
    kubectl.ok("create", "rolebinding", "ann", "--role=patcher", "--user=ann")
    said = kubectl.fails("apply", "--server-side", "--as=ann", "-f", "-", stdin=CONFIG_MAP)
    assert 'User "ann" cannot create resource "configmaps"' in said
    kubectl.ok("apply", "--server-side", "-f", "-", stdin=CONFIG_MAP)
    kubectl.ok("apply", "--server-side", "--as=ann", "-f", "-", stdin=CONFIG_MAP)


def test_tokens_of_service_accounts(kubectl: Kubectl) -> None:
    """A created token is its ServiceAccount, until that is deleted."""
    kubectl.ok("create", "serviceaccount", "robot")
    token = kubectl.ok("create", "token", "robot", "--duration=10m").strip()
    server = kubectl.ok("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    authority = kubectl.ok(
        "config", "view", "--raw", "--minify", "-o", "jsonpath={.clusters[0].cluster.certificate-authority}"
    )
    alone: tuple[str, ...] = ("--kubeconfig=/dev/null", f"--server={server}", f"--token={token}")
    alone += (f"--certificate-authority={authority}",) if authority else ("--insecure-skip-tls-verify",)
    who = json.loads(kubectl.ok("auth", "whoami", "-o", "json", *alone))["status"]["userInfo"]
    assert who["username"] == f"system:serviceaccount:{kubectl.namespace}:robot"
    assert "system:serviceaccounts" in who["groups"]
    assert "may not specify a duration less than 10 minutes" in kubectl.fails(
        "create", "token", "robot", "--duration=1m"
    )
    kubectl.ok("delete", "serviceaccount", "robot")
    deadline = time.monotonic() + 60  # kube-apiserver remembers for 10 s whom a token was
    while kubectl.run("auth", "whoami", *alone).code == 0:
        assert time.monotonic() < deadline
        time.sleep(1)
    assert "Unauthorized" in kubectl.fails("auth", "whoami", *alone)


def test_wait_follows_a_change(kubectl: Kubectl) -> None:
    """`wait` sees what it waits for, by list and watch or by WatchList."""
    kubectl.ok("create", "configmap", "flag", "--from-literal=up=no")
    kubectl.ok("patch", "configmap", "flag", "-p", '{"data": {"up": "yes"}}')
    kubectl.ok("wait", "configmap/flag", "--for=jsonpath={.data.up}=yes", "--timeout=60s")
    kubectl.ok("delete", "configmap", "flag")
    kubectl.ok("wait", "configmap/flag", "--for=delete", "--timeout=60s")


def test_delete_all_and_finalizers(kubectl: Kubectl) -> None:
    """A finalizer keeps a deleted object until it is taken away."""
    kubectl.ok("apply", "-f", "-", stdin=CONFIG_MAP)
    kubectl.ok("patch", "configmap", "settings", "-p", '{"metadata": {"finalizers": ["example.com/hold"]}}')
    kubectl.ok("delete", "configmap", "settings", "--wait=false")
    assert kubectl.json("get", "configmap", "settings")["metadata"]["deletionTimestamp"]
    kubectl.ok("patch", "configmap", "settings", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    assert "NotFound" in kubectl.fails("get", "configmap", "settings")
    kubectl.ok("create", "configmap", "a")
    kubectl.ok("delete", "configmaps", "--all")


def test_pages(kubectl: Kubectl) -> None:
    """--chunk-size reads the list page by page, each object once."""
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number}"}} for number in range(12)]
    kubectl.ok("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    names = kubectl.ok("get", "configmaps", "--chunk-size=5", "-o", "name").split()
    assert sorted(names) == sorted(["configmap/kube-root-ca.crt", *(f"configmap/c{number}" for number in range(12))])
