"""The service account issuer as the world may see it: the discovery document and the key set, and nothing else.

Sources: OpenID Connect Discovery 1.0; kubernetes pkg/routes/openidmetadata.go and pkg/serviceaccount/openidmetadata.go.
"""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from iambridge.core.service_account_token import SigningKey, discovery_document, jwks
from iambridge.wire.http import Request, Response

DISCOVERY_PATH = "/.well-known/openid-configuration"
JWKS_PATH = "/openid/v1/jwks"
_CACHE_CONTROL = ("cache-control", "public, max-age=3600")
_TEXT = ("content-type", "text/plain; charset=utf-8")


class Issuer:
    """Publishes the public halves of `keys` for `url`: the one that signs, and others during a rotation.

    `app` serves them alone, for the issuer's own listener; the API server serves `document(path)` behind its RBAC.
    """

    paths = (DISCOVERY_PATH, JWKS_PATH)

    def __init__(self, url: str, keys: Sequence[SigningKey]) -> None:
        discovery = discovery_document(url, url.rstrip("/") + JWKS_PATH, [key.alg for key in keys])
        self._documents = {
            DISCOVERY_PATH: ("application/json", msgspec.json.encode(discovery)),
            JWKS_PATH: ("application/jwk-set+json", msgspec.json.encode(jwks([key.public for key in keys]))),
        }

    def document(self, path: str) -> Response | None:
        """The answer to GET `path`, or None when it is neither document."""
        found = self._documents.get(path)
        if found is None:
            return None
        return Response(HTTPStatus.OK, (("content-type", found[0]), _CACHE_CONTROL), found[1])

    async def app(self, request: Request) -> Response:
        answer = self.document(request.path)
        if answer is None:
            return Response(HTTPStatus.NOT_FOUND, (_TEXT,), b"404 page not found\n")
        if request.method not in {"GET", "HEAD"}:
            return Response(HTTPStatus.METHOD_NOT_ALLOWED, (_TEXT, ("allow", "GET, HEAD")), b"405: Method Not Allowed")
        return answer if request.method == "GET" else Response(answer.status, answer.headers)
