"""`iambridge run` on a whole sandbox: the AWS CLI and kubectl as the command, and what becomes of the token."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iambridge.sandbox.client_environment import client_environment
from iambridge.sandbox.data_dir import read_ports

from .sandbox_process import SandboxProcess

pytestmark = pytest.mark.embedded_only(reason="needs the sandbox's AWS behind the cluster")
BIN = Path(sys.executable).parent
ROLE = "arn:aws:iam::111122223333:role/orders"


class World:
    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        own = {name: value for name, value in client_environment(data_dir).items() if value is not None}
        home = data_dir.parent / "home"
        (home / ".aws").mkdir(parents=True)
        # a person's own role, which an SDK looks at before the web identity
        (home / ".aws/config").write_text(
            f"[default]\nrole_arn = {ROLE}-of-a-person\ncredential_source = Environment\n"
        )
        self.runtime = data_dir.parent / "runtime"
        self.runtime.mkdir()
        self.environment = {
            **own, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home), "XDG_RUNTIME_DIR": str(self.runtime),
        }  # fmt: skip

    def ok(self, *words: str) -> str:
        environment = {**self.environment, "HOME": str(self.data_dir.parent)}
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

    def words(self, *words: str, account: str = "orders") -> list[str]:
        return [sys.executable, "-m", "iambridge", "run", "-n", "shop", "--serviceaccount", account, *words]

    def run(self, *words: str, account: str = "orders") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.words(*words, account=account), env=self.environment, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in (self.runtime / "iambridge-run").glob("*"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data_dir = tmp_path_factory.mktemp("run") / "sandbox"
    sandbox = SandboxProcess(data_dir)
    try:
        world = World(data_dir)
        issuer = read_ports(data_dir).url("issuer")
        host = issuer.removeprefix("https://")
        world.ok("kubectl", "create", "namespace", "shop")
        for name in ("orders", "plain", "wrong"):
            world.ok("kubectl", "create", "serviceaccount", "-n", "shop", name)
        for name, value in (("orders", ROLE), ("wrong", "orders")):
            world.ok("kubectl", "annotate", "sa", "-n", "shop", name, f"eks.amazonaws.com/role-arn={value}")
        world.ok(
            "aws", "iam", "create-open-id-connect-provider", "--url", issuer, "--client-id-list", "sts.amazonaws.com"
        )
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{host}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{host}:sub": "system:serviceaccount:shop:orders"}},
        }
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        world.ok("aws", "iam", "create-role", "--role-name", "orders", "--assume-role-policy-document", trust)
        yield world
    finally:
        sandbox.stop()


def test_the_aws_cli_has_the_role_and_kubectl_is_the_service_account(world: World) -> None:
    """Whatever the person's own shell, keys and profile say; and the token is gone after."""
    who = world.run("--", "aws", "sts", "get-caller-identity")
    assert json.loads(who.stdout)["Arn"].startswith("arn:aws:sts::111122223333:assumed-role/orders/"), who.stderr
    user = world.run("--", "kubectl", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert user.stdout == "system:serviceaccount:shop:orders", user.stderr
    assert world.left == []


def test_the_environment_is_a_pods(world: World) -> None:
    """AWS_* are those of a pod that really runs, but for the token's path; nothing else comes in."""
    overrides = json.dumps({"spec": {"serviceAccountName": "orders"}})
    world.ok("kubectl", "run", "twin", "-n", "shop", "--image=any", "--restart=Never", f"--overrides={overrides}",
             "--command", "--", "env", "-0")  # fmt: skip
    world.ok("kubectl", "wait", "-n", "shop", "pod/twin", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    logged = world.ok("kubectl", "logs", "-n", "shop", "twin")
    twin = dict(pair.split("=", 1) for pair in logged.split("\0") if pair.startswith("AWS_"))
    done = world.run("--env", "COLOUR=red", "--", "env", "-0")
    assert done.returncode == 0, done.stderr
    found = dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)
    directory = Path(found["AWS_WEB_IDENTITY_TOKEN_FILE"]).parent
    assert directory.parent == world.runtime / "iambridge-run"
    ours = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "KUBECONFIG"}
    assert twin.pop("AWS_WEB_IDENTITY_TOKEN_FILE") != found["AWS_WEB_IDENTITY_TOKEN_FILE"]
    got = {name: value for name, value in found.items() if name.startswith(("AWS_", "KUBE")) and name not in ours}
    got.pop("AWS_WEB_IDENTITY_TOKEN_FILE")
    assert twin == got
    assert ours < found.keys()
    assert (found["COLOUR"], found["AWS_ROLE_ARN"]) == ("red", ROLE)
    assert found["AWS_ENDPOINT_URL"] == world.environment["AWS_ENDPOINT_URL"]
    real = world.run("--aws", "real", "--", "env")
    assert "AWS_ENDPOINT_URL" not in real.stdout
    assert "AWS_REGION" not in real.stdout
    assert f"AWS_ROLE_ARN={ROLE}" in real.stdout


def test_the_webhooks_flags_are_found_or_told(world: World) -> None:
    """From the pods behind its configuration; --webhook-flag goes before them."""
    flags = ["--annotation-prefix=eks.amazonaws.com", "--aws-default-region", "eu-west-3", "--sts-regional-endpoint"]
    told = world.run("--aws", "real", "--webhook-flag=--aws-default-region=eu-west-1", "--", "env")
    assert "AWS_REGION=eu-west-1" in told.stdout, told.stderr
    assert "AWS_STS_REGIONAL_ENDPOINTS" not in told.stdout
    wrong = world.run("--webhook-flag=--nonsense", "--", "env")
    assert (wrong.returncode, "--webhook-flag" in wrong.stderr) == (125, True)
    pod = {"containers": [{"name": "w", "image": "w", "command": ["sleep", "600"], "args": flags}]}
    hook = {
        "name": "pod-identity-webhook.amazonaws.com", "failurePolicy": "Ignore", "sideEffects": "None",
        "admissionReviewVersions": ["v1"], "clientConfig": {"service": {"name": "w", "namespace": "shop"}, "caBundle": ""},
        "objectSelector": {"matchLabels": {"nobody": "has-this"}},
    }  # fmt: skip
    objects = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "w"},
            "spec": {"selector": {"app": "w"}, "ports": [{"port": 443}]},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "w", "labels": {"app": "w"}}, "spec": pod},
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "w"},
            "webhooks": [hook],
        },
    ]
    file = world.data_dir.parent / "webhook.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    world.ok("kubectl", "create", "-n", "shop", "-f", str(file))
    try:
        found = world.run("--aws", "real", "--", "env")
        assert "AWS_REGION=eu-west-3" in found.stdout, found.stderr
        assert "AWS_STS_REGIONAL_ENDPOINTS=regional" in found.stdout
    finally:
        world.ok("kubectl", "delete", "-n", "shop", "-f", str(file), "--wait=false")


def test_exit_codes_are_the_commands(world: World) -> None:
    """Its own code, 128 + the signal that ended it, 126 and 127 when it cannot run; nothing is left after any."""
    assert world.run("--", "sh", "-c", "exit 7").returncode == 7
    assert world.run("--", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    assert world.run("--", "sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL
    assert world.run("--", "no-such-program").returncode == 127
    assert world.run("--", str(world.data_dir)).returncode == 126
    assert world.left == []


def test_signals_reach_the_command(world: World) -> None:
    """SIGTERM and SIGINT to the runner are the command's to answer, and its answer is the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):
        script = f"import signal, sys; signal.signal({int(number)}, lambda *_: sys.exit(40)); print('up', flush=True); signal.pause()"
        process = subprocess.Popen(
            world.words("--", sys.executable, "-c", script), env=world.environment, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(number)
            assert process.wait(60) == 40
    assert world.left == []


def test_what_the_caller_ignores_stays_ignored(world: World) -> None:
    """`nohup iambridge run` outlives its terminal, and so does the command."""
    words = world.words("--", "sh", "-c", "kill -HUP $PPID; kill -HUP $$; exit 7")
    script = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *words]
    done = subprocess.run(script, env=world.environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 7, done.stderr
    assert world.run("--", "sh", "-c", "kill -HUP $$; exit 7").returncode == 128 + signal.SIGHUP


def test_ctrl_c_reaches_the_command_once(world: World) -> None:
    """The terminal tells its whole foreground group: the runner does not tell the command a second time."""
    script = (
        "import signal, sys, time; seen = []; signal.signal(signal.SIGINT, lambda *_: seen.append(1)); "
        "print('up', flush=True)\n"
        "while not seen: time.sleep(0.05)\n"
        "time.sleep(1); sys.exit(40 + len(seen))"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, world.words("--", sys.executable, "-c", script), world.environment)
    seen = b""
    while b"up" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 41


def test_the_token_is_replaced_under_a_reader_and_each_is_good(world: World) -> None:
    """A reader sees whole tokens only; the last one, issued while the command runs, still assumes the role."""
    script = """
import os, subprocess, sys
file = os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]
seen = []
while len(seen) < 3:
    text = open(file).read()
    assert text.count(".") == 2 and len(text) > 400, repr(text)
    if text not in seen:
        seen.append(text)
assert len({len(text) for text in seen}) < 3
sys.exit(subprocess.call(["aws", "sts", "get-caller-identity"]))
"""
    done = world.run("--token-expiration", "600", "--refresh-at", "0.002", "--", sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr
    assert "assumed-role/orders" in done.stdout


def test_what_a_killed_run_left_is_removed_by_the_next(world: World) -> None:
    """kill -9 leaves the directory; the next run takes it away, and not that of a run that lives."""
    process = subprocess.Popen(
        world.words("--", "sh", "-c", "echo $PPID; exec sleep 60"), env=world.environment, stdout=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        runner = int(process.stdout.readline())
        living = world.left
        assert world.run("--", "true").returncode == 0
        assert world.left == living
        os.kill(runner, signal.SIGKILL)
        process.wait(30)
        assert world.left == living
        assert world.run("--", "true").returncode == 0
        assert world.left == []
        os.killpg(process.pid, signal.SIGKILL)  # the command outlived its runner


@pytest.mark.parametrize(
    ("account", "words", "says"),
    [
        ("plain", (), "has no annotation eks.amazonaws.com/role-arn"),
        ("wrong", (), "the role ARN is not one, and is not injected: `orders`"),
        ("nobody", (), "ServiceAccount shop/nobody does not exist"),
        ("orders", ("--env", "NOT_SET_HERE"), "`NOT_SET_HERE` is not set here"),
        ("orders", ("--env", "1=2"), "`1` is no variable's name"),
        ("orders", ("--refresh-at", "2"), "between 0 and 1"),
        ("orders", ("--context", "nonsense"), "no context is called"),
    ],
)
def test_refusals_say_what_and_how_to_mend_it(world: World, account: str, words: tuple[str, ...], says: str) -> None:
    done = world.run(*words, "--", "true", account=account)
    assert done.returncode == 125
    assert says in done.stderr
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_missing_right_is_named(world: World) -> None:
    """Who may not read the ServiceAccount, and then not create its tokens, is told the rule that is missing."""
    token = world.ok("kubectl", "create", "token", "-n", "shop", "plain").strip()
    kubeconfig = json.loads(world.ok("kubectl", "config", "view", "--raw", "-o", "json"))
    kubeconfig["users"] = [{"name": kubeconfig["users"][0]["name"], "user": {"token": token}}]
    for context in kubeconfig["contexts"]:
        context["context"]["user"] = kubeconfig["users"][0]["name"]
    file = world.data_dir.parent / "plain.yaml"
    file.write_text(json.dumps(kubeconfig))
    done = world.run("--kubeconfig", str(file), "--", "true")
    assert done.returncode == 125
    assert "resources: [serviceaccounts], resourceNames: [orders], verbs: [get]" in done.stderr, done.stderr
    world.ok("kubectl", "create", "role", "reader", "-n", "shop", "--verb=get", "--resource=serviceaccounts")
    world.ok("kubectl", "create", "rolebinding", "reader", "-n", "shop", "--role=reader", "--serviceaccount=shop:plain")
    done = world.run("--kubeconfig", str(file), "--", "true")
    assert done.returncode == 125
    assert "resources: [serviceaccounts/token], resourceNames: [orders], verbs: [create]" in done.stderr, done.stderr
    assert token not in done.stderr


def test_an_outage_keeps_the_old_token_and_says_so(world: World) -> None:
    """While the API server refuses, the file keeps its last token and the command lives."""
    world.ok("kubectl", "create", "serviceaccount", "-n", "shop", "brief")
    world.ok("kubectl", "annotate", "sa", "-n", "shop", "brief", f"eks.amazonaws.com/role-arn={ROLE}")
    script = """
import os
read = lambda: open(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]).read()
print("up", flush=True)
input()
token = read()
print("read", flush=True)
input()
assert read() == token
"""
    words = world.words(
        "--token-expiration", "600", "--refresh-at", "0.003", "--", sys.executable, "-c", script, account="brief"
    )
    process = subprocess.Popen(
        words, env=world.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "up\n"
        world.ok("kubectl", "delete", "serviceaccount", "-n", "shop", "brief")
        assert "could not be renewed and is good for" in process.stderr.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "read\n"
        assert "could not be renewed and is good for" in process.stderr.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(60) == 0
