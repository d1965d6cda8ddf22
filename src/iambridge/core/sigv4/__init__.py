"""AWS Signature Version 4: sign, presign and verify, with the standard library only.

`sign` and `presign` make what a client sends. `parse` reads what a request claims about its signature, `verify` proves
it and gives back the payload as the service shall see it. Refusals are `errors.RequestRefused` with a neutral kind:
each protocol family spells a kind in its own code (`wire.aws_authentication`).

Sources: IAM User Guide "Create a signed AWS API request"; Amazon S3 API Reference "Authenticating Requests (AWS
Signature Version 4)".
"""

from iambridge.core.sigv4.canonical import ByName, Credentials, by_name, signing_key
from iambridge.core.sigv4.request import SignedRequest, parse
from iambridge.core.sigv4.sign import presign, sign
from iambridge.core.sigv4.verify import VerifiedPayload, verify

__all__ = [
    "ByName",
    "Credentials",
    "SignedRequest",
    "VerifiedPayload",
    "by_name",
    "parse",
    "presign",
    "sign",
    "signing_key",
    "verify",
]
