"""The IAM authenticator: TokenReview in, STS asked who signed, `core.aws_auth.map_identity`, TokenReview out.

A refusal is 200 with `authenticated: false`. Its `status.error` is empty only when the token can never become valid, so
that kube-apiserver caches nothing else. That STS or EC2 cannot be asked is 429 or 503 and never a refusal.

Source: aws-iam-authenticator pkg/server/server.go; kube-apiserver's webhook token authenticator.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from iambridge.core.authenticator_token import (
    CallerIdentity,
    HostRules,
    PresignedCallerIdentity,
    admissible,
    still_admissible,
)
from iambridge.core.aws_auth import (
    PRINCIPAL_RECREATED,
    Mapped,
    MappedUser,
    Match,
    Source,
    decisive,
    instance_wanted,
    map_identity,
)
from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.errors import AwsError, BadRequest, ServiceUnavailable, Throttling
from iambridge.ports import DecisionLog, InstanceNames
from iambridge.servers.authenticator_metrics import AuthenticatorMetrics
from iambridge.servers.caller_identity_cache import CachedCallerIdentities, Known
from iambridge.wire import token_review
from iambridge.wire.http import Request, Response
from iambridge.wire.prometheus import CONTENT_TYPE
from iambridge.wire.token_review import TokenReview

HOP = "TokenReview"
BREAK_GLASS = "break-glass"
_JSON = (("content-type", "application/json"),)
_TEXT = (("content-type", "text/plain; charset=utf-8"),)
# kube-apiserver comes back after so many seconds, again and again for half a minute. Each time costs a call to STS: one
# that throttles is not to be asked 31 times for one login.
_RETRY_NOT_READY, _RETRY_OUTAGE, _RETRY_THROTTLED = ((*_TEXT, ("retry-after", seconds)) for seconds in ("1", "2", "5"))
# Refusals that time, an operator or AWS may still turn: kube-apiserver must not cache them.
_MAY_BECOME_VALID = frozenset({"token-not-yet-current", "token-host", "sts-refused"})
_LOG_TEXT = 300


@dataclass(frozen=True, slots=True)
class AuthenticatorSettings:
    """`hosts` are the STS endpoints that a token may name; callers of `scrubbed_accounts` are logged without ARN."""

    cluster_id: str
    hosts: HostRules
    scrubbed_accounts: AbstractSet[str] = field(default_factory=frozenset)


BreakGlass = Callable[[CallerIdentity], None]
Recreated = Callable[[CallerIdentity, str], None]


class _Accepted:
    """How one caller was let in by one entry, ready to be said again.

    Caller and entry are values that do not change. What may change is which entry decides, so that is looked up for
    every review and compared here: an edited document is made of other entries.
    """

    __slots__ = ("_bodies", "_match", "_source", "_user", "arn", "decision")

    def __init__(self, source: Source, match: Match, decision: Decision, arn: str, user: MappedUser) -> None:
        self._source = source
        self._match = match
        self._user = user
        self._bodies: dict[str, bytes] = {}
        self.decision = decision
        self.arn = arn

    def still(self, source: Source, match: Match) -> bool:
        return (
            match.entry is self._match.entry
            and match.line == self._match.line
            and source.name == self._source.name
            and source.reserved_prefixes == self._source.reserved_prefixes
        )

    def body(self, review: TokenReview) -> bytes:
        body = self._bodies.get(review.api_version)
        if body is None:
            body = self._bodies[review.api_version] = token_review.accepted(review, self._user)
        return body


class IamAuthenticator:
    """Judges tokens by what `sources()` maps at that moment.

    `not_ready()` says why no token can be judged yet, or is empty. `break_glass_used` is told of every login by the
    source of that name, `principal_recreated` of every caller who bears a pinned principal's name, with the entry's
    place. `now` is the UTC clock that tokens' dates are compared with.
    """

    def __init__(
        self,
        settings: AuthenticatorSettings,
        *,
        callers: CachedCallerIdentities,
        instances: InstanceNames,
        sources: Callable[[], Sequence[Source]],
        not_ready: Callable[[], str],
        decision_log: DecisionLog,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        metrics: AuthenticatorMetrics | None = None,
        break_glass_used: BreakGlass | None = None,
        principal_recreated: Recreated | None = None,
    ) -> None:
        self._settings = settings
        self._callers = callers
        self._instances = instances
        self._sources = sources
        self._not_ready = not_ready
        self._log = decision_log
        self._now = now
        self._new_id = new_id
        self._break_glass_used = break_glass_used
        self._principal_recreated = principal_recreated
        self.metrics = metrics or AuthenticatorMetrics()

    async def app(self, request: Request) -> Response:
        match request.path:
            case "/authenticate":
                started = perf_counter()
                response, result = await self._authenticate(request)
                self.metrics.latency.observe(perf_counter() - started, result)
                return response
            case "/healthz":
                return Response(200, _TEXT, b"ok")
            case "/readyz":
                missing = self._not_ready()
                return Response(503, _TEXT, f"{missing}\n".encode()) if missing else Response(200, _TEXT, b"ok")
            case "/metrics":
                return Response(200, (("content-type", CONTENT_TYPE),), self._rendered_metrics())
        return Response(404, _TEXT, b"not found\n")

    def _rendered_metrics(self) -> bytes:
        self.metrics.observe_sources(self._sources())
        self.metrics.cache_hits.set(self._callers.hits)
        return self.metrics.render()

    async def _authenticate(self, request: Request) -> tuple[Response, str]:
        if request.method != "POST":
            return Response(405, (*_TEXT, ("allow", "POST")), b"expected POST\n"), "malformed_request"
        try:
            review = token_review.decode(request.body)
        except BadRequest as error:
            return Response(400, _TEXT, f"{error.message}\n".encode()), "malformed_request"
        if (missing := self._not_ready()) and not self._emergency():
            return _not_ready(missing)
        try:
            return await self._judge(review)
        except Throttling as error:
            self.metrics.throttled.add()
            return self._outage(error, "sts_throttling")
        except ServiceUnavailable as error:
            return self._outage(error, "sts_error")

    async def _judge(self, review: TokenReview) -> tuple[Response, str]:
        now = self._now()
        key = self._callers.key(review.spec.token)
        known = self._callers.known(key)
        if known is not None and still_admissible(known.presigned, now=now):
            if (again := self._again(review, known)) is not None:
                return again, "success"
            identity, presigned = known.identity, known.presigned
        else:
            known = None
            asked = admissible(review.spec.token, now=now, hosts=self._settings.hosts)
            if isinstance(asked, Reason):
                return self._refuse(review, asked), "invalid_token"
            answer = await self._callers.caller_identity(key, asked)
            if isinstance(answer, Reason):
                return self._refuse(review, answer), "sts_error" if answer.code == "sts-refused" else "invalid_token"
            identity, presigned = answer, asked
        # The mapping is taken after every wait, so that an edit made meanwhile counts.
        if missing := self._not_ready():
            mapped = map_identity(identity, self._emergency())
            return self._answer(review, presigned, identity, mapped) if mapped.user is not None else _not_ready(missing)
        sources, name = self._sources(), ""
        if wanted := instance_wanted(identity, sources):
            name = await self._instances.private_dns_name(wanted)
            sources = self._sources()
        mapped = map_identity(
            identity,
            sources,
            private_dns_name=name,
            scrubbed_accounts=self._settings.scrubbed_accounts,
        )
        if known is not None and not wanted:
            self._remember(known, mapped, sources)
        return self._answer(review, presigned, identity, mapped)

    def _again(self, review: TokenReview, known: Known) -> Response | None:
        """The answer that this token had before, if what decided it decides still."""
        accepted: _Accepted | None = known.remembered
        if accepted is None or self._not_ready():
            return None
        found = decisive(known.identity, self._sources())
        if found is None or not accepted.still(*found):
            return None
        self._record(accepted.decision, accepted.arn)
        return Response(200, _JSON, accepted.body(review))

    def _remember(self, known: Known, mapped: Mapped, sources: Sequence[Source]) -> None:
        """For a token that came twice, and an ordinary login: all else is told to somebody each time."""
        found = decisive(known.identity, sources)
        known.remembered = None
        if found is not None and mapped.user is not None and mapped.source != BREAK_GLASS:
            decision, arn = self._told(known.presigned, known.identity, mapped)
            known.remembered = _Accepted(*found, decision, arn, mapped.user)

    def _emergency(self) -> list[Source]:
        """Those who get in while the mapping cannot be read: that day is what they are for."""
        return [source for source in self._sources() if source.name == BREAK_GLASS]

    def _answer(
        self, review: TokenReview, presigned: PresignedCallerIdentity, identity: CallerIdentity, mapped: Mapped
    ) -> tuple[Response, str]:
        self._record(*self._told(presigned, identity, mapped))
        if mapped.user is None:
            failed = mapped.decision.reasons[-1] if mapped.entry is not None else mapped.decision.reasons[0]
            self.metrics.denied.add(failed.code)
            if failed.code == PRINCIPAL_RECREATED and self._principal_recreated is not None:
                self._principal_recreated(identity, failed.where)
            text = failed.code if identity.account in self._settings.scrubbed_accounts else failed.text
            return Response(200, _JSON, token_review.refused(review, text)), "unknown_user"
        if mapped.source == BREAK_GLASS and self._break_glass_used is not None:
            self.metrics.break_glass.add()
            self._break_glass_used(identity)
        return Response(200, _JSON, token_review.accepted(review, mapped.user)), "success"

    def _told(
        self, presigned: PresignedCallerIdentity, identity: CallerIdentity, mapped: Mapped
    ) -> tuple[Decision, str]:
        """What the log is told: the decision and the caller's ARN, neither of which names a scrubbed caller."""
        proven = Reason("caller-proven", f"STS at `{presigned.host}` vouches for `{identity.arn}`", held=True)
        decision = Decision(HOP, mapped.decision.outcome, (proven, *mapped.decision.reasons), mapped.decision.fix)
        if identity.account in self._settings.scrubbed_accounts:
            return _scrubbed(decision), ""
        return decision, identity.arn

    def _refuse(self, review: TokenReview, reason: Reason) -> Response:
        self.metrics.denied.add(reason.code)
        self._record(Decision(HOP, Outcome.IMPLICIT_DENY, (reason,), _FIXES.get(reason.code, "")), "")
        error = reason.text if reason.code in _MAY_BECOME_VALID else ""
        return Response(200, _JSON, token_review.refused(review, error))

    def _outage(self, error: AwsError, result: str) -> tuple[Response, str]:
        reason = Reason("outage", error.cause[:_LOG_TEXT], facts=dict(error.facts))
        self._record(Decision(HOP, Outcome.IMPLICIT_DENY, (reason,), error.fix), "")
        headers = _RETRY_THROTTLED if isinstance(error, Throttling) else _RETRY_OUTAGE
        return Response(int(error.status), headers, f"{error.message}\n".encode()), result

    def _record(self, decision: Decision, arn: str) -> None:
        self._log.record(decision, request_id=self._new_id(), **({"arn": arn} if arn else {}))


def _not_ready(missing: str) -> tuple[Response, str]:
    return Response(503, _RETRY_NOT_READY, f"{missing}\n".encode()), "not_ready"


def _scrubbed(decision: Decision) -> Decision:
    """Codes only: texts and facts name the caller."""
    reasons = tuple(Reason(one.code, "scrubbed account", one.where, held=one.held) for one in decision.reasons)
    return Decision(decision.hop, decision.outcome, reasons)


_FIXES = {
    "token-expired": "get a fresh token: an exec plugin makes kubectl do so, a copied token lives 15 minutes",
    "token-not-yet-current": "set the client's clock",
    "token-host": "use a regional STS endpoint of this partition, or allow the host with --sts-host",
    "token-prefix": "log in with `iambridge token` or `aws eks get-token`",
    "sts-signature-mismatch": "check the secret key, and that the cluster name in the kubeconfig is this cluster's id",
    "sts-expired": "renew the AWS session: aws sso login, or assume the role again",
}
