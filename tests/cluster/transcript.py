"""Makes transcripts of two clusters comparable, and compares them."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_JWT = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
_AGE = re.compile(r"(?<![\w-])\d+(ms|s|m\d+s|m)\b")
_RANDOM = re.compile(
    r"\b(kube-api-access|j)-[bcdfghjklmnpqrstvwxz2456789]{5}\b|\b(Bad_)[bcdfghjklmnpqrstvwxz2456789]{5}\b"
)
_VERSION = re.compile(
    r"""(resourceVersion\\*"?: ?\\*"?|, current: |ResourceVersion in (?:record \(|object meta: ))\d+"""
)
_PATCHED = re.compile(r"""(Invalid value: ")(map\[.*\]|\{.*\})(": )""")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)

Json = dict[str, Any]


@dataclass
class Mask:
    """Replaces what differs each time."""

    names: dict[str, str]  # text -> what stands for it
    uids: dict[str, str] = field(default_factory=dict)

    def text(self, text: str) -> str:
        for word, mask in sorted(self.names.items(), key=lambda item: -len(item[0])):
            text = text.replace(word, mask)
        text = _PEM.sub("$PEM", text)
        text = _JWT.sub("$JWT", text)
        text = _RANDOM.sub(r"\1\2-$RANDOM", text)
        text = _PATCHED.sub(r"\1$OBJECT\3", text)
        text = _VERSION.sub(r"\1$RV", text)
        text = _UUID.sub(lambda found: self.uids.setdefault(found[0], f"$UID{len(self.uids) + 1}"), text)
        return _TIME.sub("$TIME", text)

    def lines(self, text: str) -> list[str]:
        """What a program printed, line by line, with single spaces and without ages."""
        return [" ".join(_AGE.sub("$AGE", line).split()) for line in self.text(text).splitlines()]

    def value(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {
                self.text(name): self.value(inner, name)
                for name, inner in value.items()
                if not (name == "description" and "format" in value)  # of a table's column
            }
        if isinstance(value, list):
            found = [self.value(each, key) for each in value]
            # they are sorted by second and name: which second it was is chance
            return sorted(found, key=str) if key == "managedFields" else found
        if key.endswith("cells") and isinstance(value, str):
            return _AGE.sub("$AGE", self.text(value))
        if not isinstance(value, str):
            return value
        if key == "resourceVersion" and value not in {"", "0"}:
            return "$RV"
        if key == "continue" and value:
            return "$CONTINUE"
        if key == "token" and _JWT.fullmatch(value):
            return self.token(value)
        return self.text(value)

    def token(self, token: str) -> Json:
        """A JWT's header and claims, times as seconds after `iat`."""
        header, claims = (
            json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in token.split(".")[:2]
        )
        issued = claims["iat"]
        for name in ("iat", "nbf", "exp"):
            claims[name] = f"iat+{claims[name] - issued}"
        if "warnafter" in claims.get("kubernetes.io", {}):
            claims["kubernetes.io"]["warnafter"] = f"iat+{claims['kubernetes.io']['warnafter'] - issued}"
        return {"header": {**header, "kid": "$KID"}, "claims": self.value(claims)}


def by_name(body: Any) -> Any:
    """Discovery's lists as maps, so that one resource more or less is one difference."""
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("resources"), list):
        body = {**body, "resources": {each.get("name") or each["resource"]: each for each in body["resources"]}}
    if isinstance(body.get("groups"), list):
        body = {**body, "groups": {each["name"]: each for each in body["groups"]}}
    if body.get("kind") == "APIGroupDiscoveryList":
        items = body["items"]
        for item in items:
            item["versions"] = [by_name(each) for each in item["versions"]]
            for version in item["versions"]:
                for each in version["resources"].values():
                    each["subresources"] = {sub["subresource"]: sub for sub in each.get("subresources", ())}
        body = {**body, "items": {item["metadata"].get("name", ""): item for item in items}}
    return body


def differences(ours: Any, theirs: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two transcripts differ: the place, ours and theirs; `...` stands for nothing there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in dict.fromkeys((*theirs, *ours)):
            yield from differences(ours.get(name, ...), theirs.get(name, ...), f"{place}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        for number in range(max(len(ours), len(theirs))):
            here, there = (each[number] if number < len(each) else ... for each in (ours, theirs))
            yield from differences(here, there, f"{place}/{number}")
    elif ours != theirs or type(ours) is not type(theirs):
        yield place, ours, theirs
