import json
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.errors import InvalidIdentityToken, MalformedQueryString
from iambridge.wire.aws_query import Result, error_response, failure, members, parse_form, success, wants_json
from iambridge.wire.moment import Moment

NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"


def test_parameters_come_from_url_and_body() -> None:
    """Parameters of the URL and of the form body are one set, decoded once."""
    assert parse_form("Action=A&x=%C3%BC", b"Version=1&y=a+b%2Bc&z") == {
        "Action": "A", "x": "ü", "Version": "1", "y": "a b+c", "z": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("a=1&a=2", b""),
        ("a=1", b"a=1"),
        ("a=1", b"%61=2"),
        ("a=%zz", b""),
        ("a=%ff", b""),
        ("", b"a=\xff"),
        ("a=%", b""),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(query: str, body: bytes) -> None:
    """A parameter twice, a broken escape and text that is not UTF-8 are errors, not guesses."""
    with pytest.raises(MalformedQueryString):
        parse_form(query, body)


def test_members_of_a_list() -> None:
    """List members come in their numbers' order, scalar or structured."""
    flat = {"Tags.member.2.Key": "b", "Tags.member.1.Key": "a", "Tags.member.1.Value": "1", "Keys.member.1": "k"}
    assert members(flat, "Tags") == [{"Key": "a", "Value": "1"}, {"Key": "b"}]
    assert members(flat, "Keys") == [{"": "k"}]
    assert members(flat, "None") == []


@pytest.mark.parametrize("key", ["Tags.member.2.Key", "Tags.member.01.Key", "Tags.entry.1", "Tags.member.x"])
def test_lists_with_holes_are_refused(key: str) -> None:
    """Members are numbered 1 to n."""
    with pytest.raises(MalformedQueryString):
        members({key: "v"}, "Tags")


@given(st.text())
def test_any_text_is_well_formed_xml(text: str) -> None:
    """Whatever a value holds, the document can be parsed, and legal text comes back as it was."""
    answer = success("GetCallerIdentity", {"Arn": text, "None": None, "Deep": {"List": ["a", text]}}, request_id="r-1")
    assert isinstance(answer.body, bytes)
    root = ET.fromstring(answer.body)
    found = root.findtext(f"{NAMESPACE}GetCallerIdentityResult/{NAMESPACE}Arn")
    if text.isprintable():
        assert (found or "") == text
    assert root.findtext(f"{NAMESPACE}ResponseMetadata/{NAMESPACE}RequestId") == "r-1"
    wrong = error_response("Code", text, 400, request_id="r")
    assert isinstance(wrong.body, bytes)
    ET.fromstring(wrong.body)


def test_json_when_accepted() -> None:
    """An answer in JSON has the shape that aws-iam-authenticator reads."""
    assert wants_json("application/json")
    assert not wants_json("*/*")
    assert not wants_json("text/xml, application/json")
    answer = success("GetCallerIdentity", {"Arn": "a", "No": None}, request_id="r", as_json=True)
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {
        "GetCallerIdentityResponse": {
            "GetCallerIdentityResult": {"Arn": "a", "No": None},
            "ResponseMetadata": {"RequestId": "r"},
        }
    }


def test_a_moment_is_a_date_in_xml_and_a_number_in_json() -> None:
    """What Envoy and Kong read from STS in JSON is seconds since the epoch; XML has AWS's date."""
    result: Result = {"Credentials": {"Expiration": Moment(1514862300)}, "List": ["a"], "Size": 6}
    xml, as_json = (success("AssumeRole", result, request_id="r", as_json=wanted) for wanted in (False, True))
    assert isinstance(xml.body, bytes)
    assert isinstance(as_json.body, bytes)
    assert b"<Expiration>2018-01-02T03:05:00Z</Expiration>" in xml.body
    found = json.loads(as_json.body)["AssumeRoleResponse"]["AssumeRoleResult"]
    assert found == {"Credentials": {"Expiration": 1514862300.0}, "List": ["a"], "Size": 6}


@pytest.mark.parametrize("as_json", [True, False])
def test_failure_carries_the_errors_code_and_words(*, as_json: bool) -> None:
    """An error goes out with its own code, message, fault and status."""
    answer = failure(InvalidIdentityToken("a < b"), request_id="r", as_json=as_json)
    assert answer.status == 400
    assert isinstance(answer.body, bytes)
    text = answer.body.decode()
    assert "InvalidIdentityToken" in text
    assert ("a < b" if as_json else "a &lt; b") in text
    assert "Sender" in text
