"""Plays a scenario of `tests/cases/cluster/battery/` on a cluster and gives its transcript, free of what differs each time.

A scenario is a list of steps, each in a namespace that is new for the scenario:

    - ask: POST /api/v1/namespaces/$NS/configmaps?dryRun=All   # or `watch: PATH` with `events: COUNT`
      body: {metadata: {name: a}}      # JSON, or text as it is
      type: application/json           # Content-Type
      accept: application/json
      headers: {Impersonate-User: ann}
      save: {uid: metadata.uid}        # `$uid` stands for it in later steps and in the transcript
    - kubectl: apply -f -
      stdin: ...
    - until: GET ...                   # ask until `reach: {status.phase: Active}` holds; not in the transcript

Uids, times, versions, continue tokens and JWTs are replaced by `$UID1`, `$TIME`, `$RV` and so on; the first uid that
shows up is `$UID1` on both clusters, so that references still have to agree.
"""

import json
import re
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

try:
    from .api_client import ApiClient
    from .transcript import Json, Mask, by_name
except ImportError:  # the recorder imports this file as it is
    from api_client import ApiClient  # type: ignore[no-redef,import-not-found]
    from transcript import Json, Mask, by_name  # type: ignore[no-redef,import-not-found]

CASES = Path(__file__).parents[1] / "cases/cluster"
SCENARIOS = sorted((CASES / "battery").glob("*.yaml"))
TRANSCRIPTS = CASES / "transcripts"
_SECONDS = 30
_KEPT_HEADERS = ("content-type", "warning", "retry-after")


def at(value: Any, path: str) -> Any:
    """The value at `a.b.0.c`; None where there is none."""
    for part in path.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value


class Player:
    """Plays scenarios on the cluster of `kubeconfig`, kubectl steps with `kubectl(words, stdin)`."""

    def __init__(self, kubeconfig: Path, kubectl: Any) -> None:
        self.client = ApiClient(kubeconfig)
        self._kubectl = kubectl

    def minor(self) -> str:
        """The cluster's version as `1.37`."""
        found = self.client.ask("GET", "/version")[2]
        return f"{found['major']}.{found['minor']}"

    def play(self, scenario: Path) -> list[Json]:
        """The transcript: one entry for each step that is not an `until`."""
        namespace = f"battery-{uuid.uuid4().hex[:8]}"
        issuer = at(self.client.ask("GET", "/.well-known/openid-configuration")[2], "issuer")
        self._values = {"NS": namespace, "ISSUER": issuer}
        self._mask = Mask({namespace: "$NS", self.client.server: "$SERVER", issuer: "$ISSUER"})
        self.client.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        self._until({"until": f"GET /api/v1/namespaces/{namespace}/serviceaccounts/default", "reach": {}})
        try:
            steps = yaml.safe_load(scenario.read_text())
            return [entry for step in steps if (entry := self._step(step)) is not None]
        finally:
            self.client.ask("DELETE", f"/api/v1/namespaces/{namespace}")

    def _step(self, written: Json) -> Json | None:
        step = self._filled(written)
        if "until" in step:
            self._until(step)
            return None
        title: Json = {key: written[key] for key in ("ask", "watch", "kubectl") if key in written}
        if "kubectl" in step:
            code, out, error = self._kubectl(step["kubectl"], self._values["NS"], _text(step.get("stdin", "")))
            found = {"exit": code, "out": self._mask.lines(out), "error": self._mask.lines(error)}
        elif "watch" in step:
            status, events = self.client.watch(step["watch"], step.get("events", 1), _headers(step))
            found = {"status": status, "events": self._mask.value(events)}
        else:
            found = self._asked(step)
        return {**title, **found}

    def _asked(self, step: Json) -> Json:
        method, path = step["ask"].split(" ", 1)
        status, headers, body = self.client.ask(method, path, step.get("body"), _headers(step))
        for name, place in (step.get("save") or {}).items():
            self._values[name] = str(at(body, place))
            if not self._values[name].isdigit():
                self._mask.names[self._values[name]] = f"${name}"
        kept = {name: self._mask.value(headers[name]) for name in _KEPT_HEADERS if name in headers}
        if "keep" in step:
            body = {name: at(body, name) for name in step["keep"]}
        return {"status": status, "headers": kept, "body": self._mask.value(by_name(body))}

    def _until(self, step: Json) -> None:
        method, path = step["until"].split(" ", 1)
        deadline = time.monotonic() + _SECONDS
        while True:
            status, _, body = self.client.ask(method, path, step.get("body"))
            if status == step.get("status", 200) and all(at(body, k) == v for k, v in step.get("reach", {}).items()):
                return
            assert time.monotonic() < deadline, (step, status, body)
            time.sleep(0.1)

    def _filled(self, value: Any) -> Any:
        """The step with the values that earlier steps saved."""
        if isinstance(value, dict):
            return {self._filled(name): self._filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        if not isinstance(value, str):
            return value
        return re.sub(r"\$([A-Za-z]\w*)", lambda found: self._values.get(found[1], found[0]), value)


def _headers(step: Mapping[str, Any]) -> dict[str, str]:
    named = {"Content-Type": step.get("type"), "Accept": step.get("accept"), "Impersonate-User": step.get("as")}
    return {**{name: value for name, value in named.items() if value is not None}, **(step.get("headers") or {})}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
