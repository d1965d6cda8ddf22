import pytest

from iambridge.core.pod_identity import Facts, Settings, identity_of_annotations, process_identity

ROLE = "arn:aws:iam::111122223333:role/orders"


def facts(settings: Settings, **annotations: str) -> Facts:
    named = {f"{settings.annotation_prefix}/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return Facts(identity_of_annotations(named, settings))


def test_the_webhooks_settings_and_annotations_reach_the_process() -> None:
    """Region, regional STS, audience and expiration come as a pod would have them."""
    settings = Settings(region="eu-west-1", regional_sts=True)
    found = process_identity(
        "sa", "ns", facts(settings, role_arn=ROLE, audience="a", token_expiration="1200"), settings, environment={}
    )
    assert found.injected
    assert found.environment_with("/here") == {
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/here",
    }
    assert (found.audience, found.expiration) == ("a", 1200)


def test_what_the_process_sets_itself_is_kept() -> None:
    """As the webhook keeps a container's own variables, also a region and half of the pair."""
    settings = Settings(region="eu-west-1")
    own = {"AWS_REGION": "us-east-2", "AWS_ROLE_ARN": f"{ROLE}-2", "PATH": "/bin"}
    found = process_identity("sa", "ns", facts(settings, role_arn=ROLE), settings, environment=own)
    assert found.environment == {
        **own,
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
    }


@pytest.mark.parametrize(("asked", "given"), [(None, 86400), (3600, 3600), (60, 600)])
def test_an_expiration_is_a_pods_annotation(asked: int | None, given: int) -> None:
    """It goes before the ServiceAccount's and is raised to the API's minimum."""
    settings = Settings()
    found = process_identity("sa", "ns", facts(settings, role_arn=ROLE), settings, environment={}, expiration=asked)
    assert found.expiration == given


def test_a_process_gets_no_pods_session_name() -> None:
    """--inject-role-session-name names sessions by pod; all processes would share one name. Their own is kept."""
    settings = Settings(session_name=True)
    found = process_identity("sa", "ns", facts(settings, role_arn=ROLE), settings, environment={})
    assert sorted(found.environment) == ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"]
    own = {"AWS_ROLE_SESSION_NAME": "mine"}
    found = process_identity("sa", "ns", facts(settings, role_arn=ROLE), settings, environment=own)
    assert found.environment["AWS_ROLE_SESSION_NAME"] == "mine"


def test_static_keys_are_warned_of() -> None:
    settings = Settings()
    found = process_identity(
        "sa", "ns", facts(settings, role_arn=ROLE), settings, environment={"AWS_ACCESS_KEY_ID": "x"}
    )
    assert "wins over the injected identity" in found.mutation.warnings[0]


@pytest.mark.parametrize("value", ["", "orders", "arn:aws:iam::1:role/x"])
def test_no_role_no_identity(value: str) -> None:
    settings = Settings()
    found = process_identity("sa", "ns", facts(settings, role_arn=value), settings, environment={})
    assert not found.injected
    assert found.mutation.decision.reasons[-1].code in {"no-role-asked-for", "role-arn-invalid"}
