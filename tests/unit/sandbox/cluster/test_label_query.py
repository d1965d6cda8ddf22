"""Label selectors as text: read and refused as Kubernetes does it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.label_query import parse


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("a", [("a", "exists", ())]),
        ("!a,b", [("a", "absent", ()), ("b", "exists", ())]),
        (" a = b , c==d,e!=", [("a", "in", ("b",)), ("c", "in", ("d",)), ("e", "notin", ("",))]),
        ("a in (x,, y),in notin ()", [("a", "in", ("x", "", "y")), ("in", "notin", ())]),
        ("a in (,x)", [("a", "in", ("", "x"))]),
        ("n>5,n<20", [("n", "gt", ("5",)), ("n", "lt", ("20",))]),
        ("a=in,b=notin", [("a", "in", ("in",)), ("b", "in", ("notin",))]),
    ],
)
def test_a_selector_is_read(text: str, terms: list[tuple[str, str, tuple[str, ...]]]) -> None:
    """Each requirement with its key, operator and values."""
    assert [(one.key, one.operator, one.values) for one in parse(text)] == terms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b c", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in x", "unable to parse requirement: found 'x' expected: '('"),
        ("=x", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("a=(x)", "unable to parse requirement: found '(', expected: identifier"),
        ("a in (x", "unable to parse requirement: found '', expected: ',' or ')'"),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must",
        ),
    ],
)
def test_what_is_no_selector_is_refused_in_kubernetes_words(text: str, words: str) -> None:
    """Seen on kube-apiserver 1.37."""
    with pytest.raises(BadRequest) as refused:
        parse(text)
    assert refused.value.message.startswith(words)


@given(st.text(alphabet="ab=!(),<> in-/", max_size=20))
def test_every_text_is_read_or_refused(text: str) -> None:
    """There is no third way, and every requirement has a key."""
    try:
        terms = parse(text)
    except BadRequest:
        return
    assert all(one.key for one in terms)
