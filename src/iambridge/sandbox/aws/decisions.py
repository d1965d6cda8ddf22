"""Every decision that one call needs: its resources found, their facts read from moto, then all of them required."""

from iambridge.core.iam_policy import NamedDocument
from iambridge.sandbox.aws import (
    dependent_actions,
    indirect_names,
    launch_templates,
    moto_calls,
    named_actions,
    resource_tags,
    resources,
)
from iambridge.sandbox.aws.authorization import Authorizer, Caller
from iambridge.sandbox.aws.dynamodb_keys import LEADING_KEYS
from iambridge.sandbox.aws.entities import Role
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.key_grants import KeyGrants
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Asked, Call
from iambridge.sandbox.aws.resource_facts import ResourceFacts


class Decisions:
    """Of all services but IAM, STS and S3, which find their resources in ways of their own."""

    def __init__(self, account: IamAccount, moto: MotoBackend, authorizer: Authorizer, grants: KeyGrants) -> None:
        self._account = account
        self._moto = moto
        self._authorizer = authorizer
        self._known_roles: set[tuple[int, str]] = set()
        self._resource_facts = ResourceFacts(moto, account.account_id, grants)

    async def require(self, call: Call, caller: Caller, context: dict[str, str], request_id: str) -> None:
        """Raises:
        AccessDenied: one of the decisions that the call needs is against the caller.
        """
        asked = await self._asked(call, caller)
        asked, policies = await self._resource_facts.of(call, asked)
        asked = await self._with_resource_tags(call, caller, asked, policies)
        # EC2 alone is documented to encode its denials (STS API Reference, DecodeAuthorizationMessage)
        encoded = call.protocol == "ec2"
        self._authorizer.require(
            caller, asked, context, resource_policies=policies, request_id=request_id, encoded=encoded
        )
        await self._let_moto_know(asked, call.region)

    async def _let_moto_know(self, asked: list[Asked], region: str) -> None:
        """The roles that are passed on: the account has them, and moto looks for them in its own."""
        for item in asked:
            service = dict(item.context).get("iam:PassedToService")
            known = (self._moto.generation, item.resource)
            if not isinstance(service, str) or known in self._known_roles:
                continue
            if self._account.of_arn(Role, item.resource) is not None:
                await moto_calls.know_role(self._moto, region, item.resource, service)
                self._known_roles.add((self._moto.generation, item.resource))

    async def _asked(self, call: Call, caller: Caller) -> list[Asked]:
        call = await indirect_names.resolved(self._moto, call)
        own, launches = launch_templates.launches(call, await launch_templates.named(self._moto, call))
        account = self._account
        asked: list[Asked] = []
        for decided in named_actions.decided(own):
            found = dependent_actions.asked(decided, resources.arns(decided, account.account_id), account)
            if decided.service.prefix == "dynamodb" and caller.reads_leading_keys(decided.action.lower()):
                keys = await self._resource_facts.leading_keys(decided)
                found = [item.having(LEADING_KEYS, keys) if keys else item for item in found]
            asked += found
        for launch in launches:
            asked += dependent_actions.launching(launch, resources.arns(launch, account.account_id), account)
        return asked

    async def _with_resource_tags(
        self, call: Call, caller: Caller, asked: list[Asked], policies: dict[str, tuple[NamedDocument, ...]]
    ) -> list[Asked]:
        """`asked` with aws:ResourceTag keys, when a policy in play has a word on them and they can be read."""
        result = []
        of_resources = [named for documents in policies.values() for named in documents]
        for item in asked:
            prefix = item.action.partition(":")[0]
            wanted = not item.tags_read and caller.reads_resource_tags(item.action.lower(), *of_resources)
            tags = None
            if wanted and not (item.unsure and item.resource.endswith("*")):
                tags = await resource_tags.read(self._moto, prefix, call.region, item.resource)
            if tags is None:
                result.append(item)
                continue
            keys = [(f"{family}:ResourceTag/{key}", tag) for key, tag in tags.items() for family in ("aws", prefix)]
            result.append(item._replace(context=(*item.context, *keys), tags_read=True))
        return result
