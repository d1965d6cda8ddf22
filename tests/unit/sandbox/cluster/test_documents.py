"""Bodies as objects: duplicates named, garbage refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster import documents


def test_duplicate_fields_are_named_with_their_path() -> None:
    """The last value counts, and each duplicate is told."""
    value, faults = documents.json_object(b'{"data": {"a": "1", "a": "2"}, "list": [{"b": 1, "b": 2}]}')
    assert value["data"] == {"a": "2"}
    assert faults == ('duplicate field "data.a"', 'duplicate field "list[0].b"')


def test_yaml_reads_as_kubernetes_reads_it() -> None:
    """Times stay text, keys become text, and a duplicate is told."""
    value, faults = documents.yaml_object(b"a: 2020-01-01\n1: x\nb: 1\nb: 2\n")
    assert value == {"a": "2020-01-01", "1": "x", "b": 2}
    assert faults == ('yaml: unmarshal errors:\n  line 4: key "b" already set in map',)


def test_aliases_do_not_grow_without_bound() -> None:
    """A small YAML body cannot become a huge object."""
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 20)]
    with pytest.raises(BadRequest, match="too many objects"):
        documents.yaml_object("\n".join(lines).encode())


@pytest.mark.parametrize("body", [b"[]", b"1", b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_a_bad_request(body: bytes) -> None:
    """Never another error."""
    with pytest.raises(BadRequest):
        documents.json_object(body)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_bad_request(body: bytes) -> None:
    """Garbage gives a value or BadRequest, never another exception."""
    for read in (documents.json_object, documents.yaml_object):
        with contextlib.suppress(BadRequest):
            read(body)


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("merge", b"{", "invalid JSON patch"),
        ("merge", b"null", "Invalid JSON Patch"),
        (
            "merge",
            b"[1]",
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        ("strategic", b"5", "json: cannot unmarshal number into Go value of type map[string]interface {}"),
        (
            "json",
            b"{}",
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            "json",
            b"[1]",
            "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
        ),
    ],
)
def test_a_patch_of_another_form_is_refused(kind: str, body: bytes, words: str) -> None:
    """The words are those of kube-apiserver 1.37."""
    with pytest.raises(BadRequest) as refused:
        documents.json_patch(body, kind)
    assert refused.value.message == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "unexpected end of JSON input"),
        (b"{", "unexpected end of JSON input"),
        (b"{} trailing", "invalid character 't' after top-level value"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a": 1 "b": 2}', """invalid character '"' after object key:value pair"""),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"{1: 2}", "invalid character '1' looking for beginning of object key string"),
        (b"x", "invalid character 'x' looking for beginning of value"),
    ],
)
def test_json_that_cannot_be_read_is_told_in_go_s_words(body: bytes, words: str) -> None:
    """What encoding/json says, at the place where it says it."""
    with pytest.raises(BadRequest) as refused:
        documents.json_value(body)
    assert refused.value.message == f"couldn't get version/kind; json parse error: {words}"
