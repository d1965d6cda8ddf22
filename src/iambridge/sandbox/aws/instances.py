"""Keeps a metadata service beside every running EC2 instance of moto, whoever started it."""

import asyncio
import datetime as dt
import re
from collections.abc import Callable

from iambridge.ports import DecisionLog, Sessions
from iambridge.sandbox.aws import launch_templates, moto_calls
from iambridge.sandbox.aws.entities import InstanceProfile
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.imds import ENDPOINT_TAG, InstanceMetadata
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Call
from iambridge.wire.http import Response

_CHANGES = frozenset(
    {
        "ec2:RunInstances",
        "ec2:TerminateInstances",
        "ec2:CreateFleet",
        "ec2:AssociateIamInstanceProfile",
        "ec2:DisassociateIamInstanceProfile",
        "ec2:ReplaceIamInstanceProfileAssociation",
        "autoscaling:CreateAutoScalingGroup",
        "autoscaling:UpdateAutoScalingGroup",
        "autoscaling:DeleteAutoScalingGroup",
        "autoscaling:SetDesiredCapacity",
        "autoscaling:TerminateInstanceInAutoScalingGroup",
    }
)
_FROM_TEMPLATES = frozenset({"ec2:RunInstances", "ec2:CreateFleet"})
_INSTANCE_ID = re.compile(rb">(i-[0-9a-f]{8,17})<")
_ENDED = frozenset({"terminated", "shutting-down"})


class Instances:
    """`before` and `after` enclose a call to moto; `close` stops every listener."""

    def __init__(
        self,
        account: IamAccount,
        moto: MotoBackend,
        *,
        sessions: Sessions,
        log: DecisionLog,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._account = account
        self._moto = moto
        self._sessions = sessions
        self._log = log
        self._now = now
        self._running: dict[str, InstanceMetadata] = {}
        self._known_profiles: set[tuple[int, str]] = set()
        self._changing = asyncio.Lock()

    async def before(self, call: Call) -> None:
        """Let moto know the account's instance profiles, which it looks up when an instance starts."""
        if call.action not in _CHANGES:
            return
        for profile in self._account.store.all(InstanceProfile):
            if (self._moto.generation, profile.id) not in self._known_profiles:
                await moto_calls.know_instance_profile(self._moto, call.region, profile.name, profile.path)
                self._known_profiles.add((self._moto.generation, profile.id))

    async def after(self, call: Call, answer: Response) -> None:
        """Start a metadata service for each new instance, tell its tag, and stop those of ended ones.

        `answer` is what moto said to `call`: it names the instances that this very call started.
        """
        if call.action not in _CHANGES:
            return
        async with self._changing:
            await self._give_template_profile(call, answer)
            found = {item.id: item for item in await moto_calls.instances(self._moto, call.region)}
            for identity, instance in found.items():
                if instance.state in _ENDED:
                    await self._stop(identity)
                elif identity in self._running:
                    self._running[identity].instance = instance
                else:
                    await self._start(instance)
            for identity, metadata in list(self._running.items()):
                if metadata.instance.region == call.region and identity not in found:
                    await self._stop(identity)

    async def _give_template_profile(self, call: Call, answer: Response) -> None:
        """Give instances from a template the profile that it names: moto starts them without."""
        templates = await launch_templates.named(self._moto, call) if call.action in _FROM_TEMPLATES else []
        names = {
            template.flat.get("IamInstanceProfile.Name") or template.flat.get("IamInstanceProfile.Arn", "")
            for template in templates
        }
        name = names.pop().rpartition("/")[2] if len(names) == 1 else ""
        # the request's own profile wins; of two templates with different ones moto does not say which it took
        if not name or any(key.startswith("IamInstanceProfile.") for key in call.flat):
            return
        told = answer.body if isinstance(answer.body, bytes) else b""
        for identity in dict.fromkeys(_INSTANCE_ID.findall(told)):
            await moto_calls.give_instance_profile(self._moto, call.region, identity.decode(), name)

    async def _start(self, instance: moto_calls.Instance) -> None:
        metadata = InstanceMetadata(instance, self._account, sessions=self._sessions, log=self._log, now=self._now)
        await metadata.start()
        self._running[instance.id] = metadata
        await moto_calls.tag_instance(self._moto, instance.region, instance.id, ENDPOINT_TAG, metadata.url)

    async def _stop(self, identity: str) -> None:
        metadata = self._running.pop(identity, None)
        if metadata is not None:
            await metadata.stop()

    async def close(self) -> None:
        await asyncio.gather(*(self._stop(identity) for identity in list(self._running)))
