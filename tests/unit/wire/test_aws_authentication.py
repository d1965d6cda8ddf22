import pytest

from iambridge.errors import AuthenticationFault, RequestNotAuthenticated
from iambridge.wire.aws_authentication import Family, spell


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("fault", AuthenticationFault)
def test_every_fault_has_a_spelling_in_every_family(family: Family, fault: AuthenticationFault) -> None:
    """No family is without a code, words and a refusing status for any fault."""
    found = spell(RequestNotAuthenticated(fault, "own words"), family)
    assert found.code
    assert found.message
    assert found.status in {400, 401, 403}


@pytest.mark.parametrize(
    ("family", "fault", "code", "status"),
    [
        (Family.QUERY, AuthenticationFault.MISSING, "MissingAuthenticationToken", 403),
        (Family.QUERY, AuthenticationFault.UNKNOWN_KEY, "InvalidClientTokenId", 403),
        (Family.QUERY, AuthenticationFault.MISMATCH, "SignatureDoesNotMatch", 403),
        (Family.QUERY, AuthenticationFault.EXPIRED_SESSION, "ExpiredToken", 403),
        (Family.JSON, AuthenticationFault.UNKNOWN_KEY, "UnrecognizedClientException", 400),
        (Family.REST_JSON, AuthenticationFault.MISMATCH, "InvalidSignatureException", 403),
        (Family.EC2, AuthenticationFault.MISMATCH, "AuthFailure", 401),
        (Family.S3, AuthenticationFault.MISSING, "AccessDenied", 403),
        (Family.S3, AuthenticationFault.UNKNOWN_KEY, "InvalidAccessKeyId", 403),
        (Family.S3, AuthenticationFault.EXPIRED_SIGNATURE, "RequestTimeTooSkewed", 403),
    ],
)
def test_codes_are_the_services_own(family: Family, fault: AuthenticationFault, code: str, status: int) -> None:
    """Each family answers with the code that its clients know."""
    found = spell(RequestNotAuthenticated(fault, "own words"), family)
    assert (found.code, found.status) == (code, status)
