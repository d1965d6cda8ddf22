"""Keeps a metadata service beside every running EC2 instance of moto, whoever started it."""

import asyncio
import datetime as dt
from collections.abc import Callable

from iambridge.ports import DecisionLog, Sessions
from iambridge.sandbox.aws import moto_calls
from iambridge.sandbox.aws.entities import InstanceProfile
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.imds import ENDPOINT_TAG, InstanceMetadata
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Call

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

    async def after(self, call: Call) -> None:
        """Start a metadata service for each new instance, tell its tag, and stop those of ended ones."""
        if call.action not in _CHANGES:
            return
        async with self._changing:
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
