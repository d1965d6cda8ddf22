"""The quick ways in which a token is read, against the plain ones whose meaning they must have."""

import base64
import re
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iambridge.core.authenticator_token import token as reading
from iambridge.core.authenticator_token.hosts import HostRules
from iambridge.core.decision import Reason

ESCAPED = re.compile(r"(?:[^%;]|%[0-9A-Fa-f]{2})*")
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
QUERIES = st.lists(st.sampled_from(["%", "%2F", "%2f", "%3B", "%25", "+", ";", "2F", "a", "%C3%A9", "%zz", "="])).map(
    "".join
)
STS = "sts.us-east-1.amazonaws.com"


@given(QUERIES | st.text(max_size=12))
def test_stray_escapes_are_what_a_grammar_does_not_admit(query: str) -> None:
    assert (reading._STRAY.search(query) is None) == (ESCAPED.fullmatch(query) is not None)


@given(QUERIES)
@example("%252F")
def test_a_value_means_what_it_decodes_to(value: str) -> None:
    if ESCAPED.fullmatch(value) is None:
        return
    try:
        expected = unquote(value.replace("+", " "), errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            reading._unescaped(value)
    else:
        assert reading._unescaped(value) == expected


@given(st.text(BASE64URL, min_size=1, max_size=12))
def test_one_spelling_of_base64url(text: str) -> None:
    if len(text) % 4 == 1:
        return
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    canonical = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == text
    found = reading._decoded(reading.PREFIX + text)
    stray = isinstance(found, Reason) and "stray bits" in found.text
    assert stray == (not canonical)


@given(
    st.sampled_from(["https://", "http://", "https:", "HTTPS://", ""]),
    st.lists(
        st.sampled_from([STS, "sts.amazonaws.com", "@", "#", "\\", "/", "/?", "?", ":443", "a=b", "[", "x?y"])
    ).map("".join),
)
def test_a_host_is_let_in_only_as_the_url_parser_reads_it(scheme: str, rest: str) -> None:
    hosts = HostRules.of(regions=["us-east-1"], extra=["x?y", f"{STS}:443", f"a@{STS}", f"{STS}/"])
    url = scheme + rest
    found = reading._host(url, hosts)
    if isinstance(found, str):
        parts = urlsplit(url)
        assert url.startswith("https://")
        assert (parts.netloc, parts.path, parts.fragment) == (found, "/", "")
        assert "@" not in found
        assert hosts.allows(found)
