"""The bridge as a pure function: proven claims, a provider and a role in, a decision with its reasons out."""

from typing import Any

import pytest

from iambridge.core.decision import Decision, Outcome
from iambridge.core.iam_policy import PolicyDocument, PolicyKind
from iambridge.core.role_trust import (
    SOURCE_IDENTITY_CLAIM,
    TAGS_CLAIM,
    OidcProvider,
    Session,
    SessionTags,
    TrustedRole,
    judge_subject,
    judge_web_identity,
    provider_urls,
    role_missing,
    session_keys,
    session_tags,
    web_identity_context,
    web_identity_keys,
)
from iambridge.core.service_account_token import SigningKey, VerifiedClaims
from iambridge.errors import InvalidIdentityToken

ACCOUNT = "111122223333"
KEY = SigningKey.generate("ES256").public
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/reader"
HOST = "oidc.example.com/id/1"
PROVIDER = OidcProvider(f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}", HOST, ("sts.amazonaws.com",))
SUBJECT = "system:serviceaccount:demo:reader"
WEB = "sts:AssumeRoleWithWebIdentity"
TAGGED = SessionTags({"team": "blue"}, ("team",))
NAMED = SessionTags(source_identity="alice")


def proven(
    audiences: tuple[str, ...] = ("sts.amazonaws.com",), azp: str | None = None, subject: str = "reader", **claims: Any
) -> VerifiedClaims:
    named = f"system:serviceaccount:demo:{subject}"
    return VerifiedClaims(f"https://{HOST}", named, audiences, azp, 2, 1, 1, claims, KEY)


def allow(action: Any = WEB, principal: Any = None, **condition: Any) -> dict[str, Any]:
    found = {"Effect": "Allow", "Principal": principal or {"Federated": PROVIDER.arn}, "Action": action}
    return {**found, "Condition": condition} if condition else found


def judged(*statements: dict[str, Any], tags: SessionTags | None = None, **asked: Any) -> Decision:
    document: dict[str, Any] = {"Version": "2012-10-17", "Statement": list(statements)}
    trust = PolicyDocument.parse(document, kind=PolicyKind.TRUST)
    role = TrustedRole(ROLE, ACCOUNT, "reader", "AROA1", trust, tags={"env": "prod"})
    claims, audience = asked.pop("claims", proven()), asked.pop("audience", "sts.amazonaws.com")
    known = {"claims": claims, "audience": audience, "tags": tags or SessionTags()}
    context = web_identity_context(
        role,
        PROVIDER,
        keys=web_identity_keys(claims, PROVIDER, audience),
        tags=known["tags"],
        session_name="pod-1",
        duration=3600,
    )
    return judge_web_identity(role, PROVIDER, context={"aws:SourceIp": "10.0.0.1", **asked, **context}, **known)


SUB = {f"{HOST}:sub": SUBJECT}
OTHER_PROVIDER = PROVIDER.arn.replace(HOST, "other.example.com")

ALLOWED: dict[str, tuple[list[dict[str, Any]], SessionTags]] = {
    "provider alone": ([allow()], SessionTags()),
    "every sts action": ([allow("sts:*")], SessionTags()),
    "any action": ([allow("*")], SessionTags()),
    "one of two providers": ([allow(principal={"Federated": [OTHER_PROVIDER, PROVIDER.arn]})], SessionTags()),
    "subject": ([allow(StringEquals=SUB)], SessionTags()),
    "subject by pattern": ([allow(StringLike={f"{HOST}:sub": "system:serviceaccount:demo:*"})], SessionTags()),
    "key name in capitals": ([allow(StringEquals={f"{HOST.upper()}:SUB": SUBJECT})], SessionTags()),
    "session name": ([allow(StringEquals={"sts:RoleSessionName": "pod-1"})], SessionTags()),
    "duration": ([allow(NumericLessThanEquals={"sts:DurationSeconds": "3600"})], SessionTags()),
    "federated provider": ([allow(ArnEquals={"aws:FederatedProvider": PROVIDER.arn})], SessionTags()),
    "the role's own tag": ([allow(StringEquals={"aws:ResourceTag/env": "prod", "iam:ResourceTag/env": "prod"})], SessionTags()),
    "address": ([allow(IpAddress={"aws:SourceIp": "10.0.0.0/8"})], SessionTags()),
    "the second statement": ([allow("sts:TagSession"), allow()], SessionTags()),
    "tags": ([allow([WEB, "sts:TagSession"], StringEquals={"aws:RequestTag/team": "blue"})], TAGGED),
    "transitive keys": (
        [allow([WEB, "sts:TagSession"], **{"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["team"]}})], TAGGED,
    ),
    "source identity": (
        [allow([WEB, "sts:SetSourceIdentity"], StringEquals={"sts:SourceIdentity": "alice"})], NAMED,
    ),
}  # fmt: skip

# statements, tags, outcome, what the reasons must name
DENIED: dict[str, tuple[list[dict[str, Any]], SessionTags, Outcome, str]] = {
    "other provider": (
        [allow(principal={"Federated": OTHER_PROVIDER})], SessionTags(), Outcome.IMPLICIT_DENY, "other.example.com",
    ),
    "an AWS principal": (
        [allow(principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})], SessionTags(), Outcome.IMPLICIT_DENY, "Principal",
    ),
    "other action": ([allow("sts:AssumeRole")], SessionTags(), Outcome.IMPLICIT_DENY, "sts:AssumeRole"),
    "other subject": (
        [allow(StringEquals={f"{HOST}:sub": "system:serviceaccount:demo:writer"})], SessionTags(),
        Outcome.IMPLICIT_DENY, "system:serviceaccount:demo:writer",
    ),
    "subject in another case": (
        [allow(StringEquals={f"{HOST}:sub": SUBJECT.upper()})], SessionTags(), Outcome.IMPLICIT_DENY, SUBJECT.upper(),
    ),
    "another issuer's key": (
        [allow(StringEquals={"other.example.com:sub": SUBJECT})], SessionTags(), Outcome.IMPLICIT_DENY,
        "other.example.com:sub",
    ),
    "an external id, which web identity has not": (
        [allow(StringEquals={"sts:ExternalId": "x"})], SessionTags(), Outcome.IMPLICIT_DENY, "sts:ExternalId",
    ),
    "an explicit deny after the allow": (
        [allow(), {**allow(StringEquals=SUB), "Effect": "Deny", "Sid": "Never"}], SessionTags(),
        Outcome.EXPLICIT_DENY, "Never",
    ),
    "tags without sts:TagSession": ([allow()], TAGGED, Outcome.IMPLICIT_DENY, "sts:TagSession"),
    "other tag value": (
        [allow([WEB, "sts:TagSession"], StringEquals={"aws:RequestTag/team": "red"})], TAGGED, Outcome.IMPLICIT_DENY,
        "aws:RequestTag/team",
    ),
    "source identity without its action": (
        [allow([WEB, "sts:TagSession"])], NAMED, Outcome.IMPLICIT_DENY, "sts:SetSourceIdentity",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ALLOWED.values(), ids=ALLOWED.keys())
def test_trust_that_holds_allows(case: tuple[list[dict[str, Any]], SessionTags]) -> None:
    """A trust policy that names the provider, the action and what the token says allows, with nothing to fix."""
    statements, tags = case
    decision = judged(*statements, tags=tags)
    assert decision.outcome is Outcome.ALLOWED
    assert decision.hop == WEB
    assert [reason.code for reason in decision.reasons[:4]] == [
        "provider-found", "signature-proved", "audience-registered", "role-found",
    ]  # fmt: skip
    assert decision.reasons[-1].held
    assert decision.fix == ""


@pytest.mark.parametrize("case", DENIED.values(), ids=DENIED.keys())
def test_trust_that_does_not_hold_says_why_and_what_to_do(
    case: tuple[list[dict[str, Any]], SessionTags, Outcome, str],
) -> None:
    """A denial has the outcome of its kind, names the value that did not fit, and a fix."""
    statements, tags, outcome, named = case
    decision = judged(*statements, tags=tags)
    assert decision.outcome is outcome
    assert named in repr(decision.reasons)
    assert not decision.reasons[-1].held
    assert decision.fix


@pytest.mark.parametrize(
    "statements",
    [case[0] for case in (*ALLOWED.values(), *DENIED.values()) if case[1] == SessionTags()],
    ids=[name for name, case in (*ALLOWED.items(), *DENIED.items()) if case[1] == SessionTags()],
)
def test_a_remembered_decision_is_the_decision(statements: list[dict[str, Any]]) -> None:
    """Where subject and audience alone are asked for: same outcome, reasons and fix. Elsewhere nothing is remembered."""
    document: dict[str, Any] = {"Version": "2012-10-17", "Statement": statements}
    role = TrustedRole(ROLE, ACCOUNT, "reader", "AROA1", PolicyDocument.parse(document, kind=PolicyKind.TRUST))
    whole = judged(*statements)
    for _ in range(2):
        quick = judge_subject(role, PROVIDER, subject=SUBJECT, audience="sts.amazonaws.com")
        own = {f"{HOST}:{name}" for name in ("sub", "aud")}
        asked = {key.lower() for key in role.trust.context_keys(WEB.lower())}
        assert (quick is not None) == (asked <= own)
        if quick is not None:
            assert (quick.outcome, quick.reasons, quick.fix) == (whole.outcome, whole.reasons, whole.fix)
            other = judge_subject(role, PROVIDER, subject="system:serviceaccount:demo:other", audience="vault")
            assert other is not None
            assert (
                other.allowed
                == judged(*statements, claims=proven(("vault",), subject="other"), audience="vault").allowed
            )


def test_the_fix_of_an_untrusted_token_is_what_to_write() -> None:
    """It names the provider, the subject and the audience as the trust policy must have them."""
    fix = judged(allow(StringEquals={f"{HOST}:sub": "system:serviceaccount:demo:writer"})).fix
    assert all(
        part in fix for part in (PROVIDER.arn, f"`{HOST}:sub` = `{SUBJECT}`", f"`{HOST}:aud` = `sts.amazonaws.com`")
    )
    assert "sts:TagSession" in judged(allow(), tags=TAGGED).fix


def test_a_missing_role_is_a_denial_with_its_arn() -> None:
    """A role that is not there denies, and the decision names the ARN that was asked for."""
    decision = role_missing(WEB, ROLE)
    assert (decision.outcome, decision.reasons[0].code) == (Outcome.IMPLICIT_DENY, "role-missing")
    assert ROLE in decision.reasons[0].text
    assert ROLE in decision.fix


def test_keys_of_the_token_name_the_provider() -> None:
    """`aud` is the audience that counted; `azp`, `oaud` and `amr` are there when the token has them."""
    plain = web_identity_keys(proven(), PROVIDER, "sts.amazonaws.com")
    assert plain == {f"{HOST}:sub": SUBJECT, f"{HOST}:aud": "sts.amazonaws.com"}
    claims = proven(("a", "b"), "app", amr=["mfa", "otp"])
    assert web_identity_keys(claims, PROVIDER, "app") == {
        f"{HOST}:sub": SUBJECT, f"{HOST}:aud": "app", f"{HOST}:azp": "app", f"{HOST}:oaud": ("a", "b"),
        f"{HOST}:amr": ("mfa", "otp"),
    }  # fmt: skip
    assert web_identity_keys(proven(("a",), "app", amr="mfa"), PROVIDER, "app")[f"{HOST}:oaud"] == "a"


def test_claims_that_aws_has_keys_for_are_keys_of_their_provider_only() -> None:
    """GitHub's `repository` is a key of GitHub's tokens, and of no other issuer's."""
    github = "token.actions.githubusercontent.com"
    provider = OidcProvider(f"arn:aws:iam::{ACCOUNT}:oidc-provider/{github}", github, ("sts.amazonaws.com",))
    claims = proven(repository="octo/app", repository_id=7, ref=["a list"], job="build")
    keys = web_identity_keys(claims, provider, "sts.amazonaws.com")
    assert (keys[f"{github}:repository"], keys[f"{github}:repository_id"]) == ("octo/app", "7")
    assert not {f"{github}:ref", f"{github}:job", f"{github}:environment"} & set(keys)
    assert not any("repository" in key for key in web_identity_keys(claims, PROVIDER, "sts.amazonaws.com"))


@pytest.mark.parametrize(
    ("url", "claims"),
    [
        ("token.actions.githubusercontent.com/octo", {"repository": "octo/app"}),
        ("token.actions.octo.ghe.com", {"enterprise_id": "7"}),
        ("github.com/enterprises/octo", {"actor": "mona"}),
        ("gitlab.com", {"project_id": "42"}),
        ("agent.octo.buildkite.dev", {"pipeline_slug": "app"}),
        ("oidc.circleci.com/org/0a1b", {"oidc.circleci.com/project-id": "2c3d"}),
        ("idcs-9e8f.identity.oraclecloud.com", {"rpst_id": "ocid1"}),
    ],
)
def test_tenants_of_shared_providers_have_their_providers_keys(url: str, claims: dict[str, Any]) -> None:
    """Those of the Service Authorization Reference with a variable part, and no lookalike's."""
    found = web_identity_keys(proven(**claims), OidcProvider("arn", url, ()), "sts.amazonaws.com")
    for name, value in claims.items():
        assert found[f"{url}:{name}"] == value
    host = url.partition("/")[0]
    for lookalike in (url.replace(host, f"{host}.evil.example", 1), f"evil.example/{url}", f"a{url}"):
        keys = web_identity_keys(proven(**claims), OidcProvider("arn", lookalike, ()), "sts.amazonaws.com")
        assert len(keys) == 2


def test_a_session_keeps_subject_and_audience_alone() -> None:
    """The other claims count when the role is assumed; a policy of the role does not see them."""
    github = "token.actions.githubusercontent.com"
    claims = proven(("a", "b"), "app", amr=["mfa"], repository="octo/app")
    kept = session_keys(claims, OidcProvider("arn", github, ()), "app")
    assert kept == {f"{github}:sub": SUBJECT, f"{github}:aud": "app"}


def test_amr_is_many_valued_in_a_trust_policy() -> None:
    """ForAnyValue holds when one of the token's authentication methods fits."""
    statement = allow(**{"ForAnyValue:StringEquals": {f"{HOST}:amr": "mfa"}})
    assert judged(statement, claims=proven(amr=["pwd", "mfa"])).allowed
    assert not judged(statement, claims=proven(amr=["pwd"])).allowed
    assert not judged(statement).allowed


@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        ("https://x.example", ("x.example",)),
        ("https://x.example/", ("x.example/", "x.example")),
        ("https://x.example//", ("x.example//", "x.example/")),
        ("https://x.example/a/", ("x.example/a/", "x.example/a")),
        ("http://x.example", ()),
        ("HTTPS://x.example", ()),
        ("https://", ()),
        ("", ()),
    ],
)
def test_one_trailing_slash_is_tolerated(issuer: str, urls: tuple[str, ...]) -> None:
    """An issuer is looked up as spelled, then without one trailing slash; nothing but https is looked up."""
    assert provider_urls(issuer) == urls


def test_tags_and_source_identity_are_read_from_the_claims() -> None:
    """Tags are strings or lists of one; transitive keys name tags; without the claims there is nothing."""
    assert session_tags(proven()) == SessionTags()
    tags = {"principal_tags": {"team": ["blue"], "cost": "7"}, "transitive_tag_keys": ["team"]}
    claims: dict[str, Any] = {TAGS_CLAIM: tags, SOURCE_IDENTITY_CLAIM: "alice"}
    found = session_tags(proven(**claims))
    claims.pop(TAGS_CLAIM)
    assert found == SessionTags({"team": "blue", "cost": "7"}, ("team",), "alice")
    assert session_tags(proven(**claims)) == NAMED


MALFORMED: list[Any] = [
    "text",
    [],
    {"principal_tags": []},
    {"principal_tags": {"a": 1}},
    {"principal_tags": {"a": []}},
    {"principal_tags": {"a": ["b", "c"]}},
    {"principal_tags": {"a": [1]}},
    {"principal_tags": {"": "b"}},
    {"principal_tags": {"a" * 129: "b"}},
    {"principal_tags": {"a": "b" * 257}},
    {"principal_tags": {"a": "1", "A": "2"}},
    {"principal_tags": {"a*": "1"}},
    {"principal_tags": {"a": ["${aws:username}"]}},
    {"principal_tags": {str(number): "" for number in range(51)}},
    {"principal_tags": {"a": "b"}, "transitive_tag_keys": "a"},
    {"principal_tags": {"a": "b"}, "transitive_tag_keys": ["c"]},
    {"principal_tags": {"a": "b"}, "transitive_tag_keys": [["a"]]},
    {"principal_tags": {"a": "b"}, "transitive_tag_keys": [{}]},
    {"transitive_tag_keys": ["a"]},
    {"principal_tags": {}, "more": 1},
]


@pytest.mark.parametrize("claim", MALFORMED, ids=lambda claim: repr(claim)[:40])
def test_a_tag_claim_of_another_shape_is_refused(claim: Any) -> None:
    """A tags claim that AWS could not read is never taken in part."""
    with pytest.raises(InvalidIdentityToken) as caught:
        session_tags(proven(**{TAGS_CLAIM: claim}))
    assert TAGS_CLAIM in caught.value.cause


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ([], "it is not an object of"),
        ({"principal_tags": []}, "`principal_tags` is no object"),
        ({"principal_tags": {"a": ["b", "c"]}}, "the tag `a` is not one string"),
        ({"principal_tags": {"a": "b" * 257}}, "the tag `a` has no key of 1 to 128"),
        ({"principal_tags": {"a*": "b"}}, "the tag `a*` holds more than letters"),
        ({"principal_tags": {"a": "1", "A": "2"}}, "two keys differ by case alone"),
        ({"transitive_tag_keys": ["a"]}, "`transitive_tag_keys` names a key"),
    ],
)
def test_what_is_wrong_with_a_tag_claim_is_told(claim: Any, why: str) -> None:
    """The cause, which only the operator reads, names the fault; a tag's value is not repeated."""
    with pytest.raises(InvalidIdentityToken) as caught:
        session_tags(proven(**{TAGS_CLAIM: claim}))
    assert caught.value.cause.startswith(f"the claim `{TAGS_CLAIM}` has not the shape that AWS reads: {why}")


@pytest.mark.parametrize("claim", [7, ["alice"], "a", "a b", "x" * 65, "é" * 3])
def test_a_source_identity_of_another_shape_is_refused(claim: Any) -> None:
    """A source identity has 2 to 64 characters of AWS's alphabet, or is refused."""
    with pytest.raises(InvalidIdentityToken):
        session_tags(proven(**{SOURCE_IDENTITY_CLAIM: claim}))


def test_a_session_stands_for_its_role_with_both_tags() -> None:
    """Session tags win over the role's; a session's keys are those of its token, provider and source identity."""
    session = Session(
        "ASIA1", "secret", ACCOUNT, "role-session", f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/s", ROLE, "AROA1",
        "AROA1:s", 1, 2, tags={"team": "blue"}, source_identity="alice", federated_provider=PROVIDER.arn,
        web_identity={f"{HOST}:sub": SUBJECT},
    )  # fmt: skip
    principal = session.principal({"team": "red", "cost": "7"})
    assert (principal.role_arn, principal.tags) == (ROLE, {"team": "blue", "cost": "7"})
    assert session.keys() == {
        f"{HOST}:sub": SUBJECT, "aws:FederatedProvider": PROVIDER.arn, "aws:SourceIdentity": "alice",
        "aws:MultiFactorAuthPresent": "false",
    }  # fmt: skip
    assert "secret" not in repr(session)
    user = Session("ASIA1", "s", ACCOUNT, "user", f"arn:aws:iam::{ACCOUNT}:user/a", "u", "AIDA1", "AIDA1", 1, 2)
    assert (user.principal({}).role_arn, user.keys()) == ("", {"aws:MultiFactorAuthPresent": "false"})
