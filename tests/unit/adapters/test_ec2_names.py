"""Private DNS names over a real socket, from an endpoint that answers as DescribeInstances does."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.ec2_names import Ec2InstanceNames
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core import sigv4
from iambridge.errors import ServiceUnavailable, Throttling
from iambridge.wire.http import Request, Response

KEYS = sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "secret")


class Ec2:
    """Knows `names`; answers in pages of `page` instances, and with `failure` (status, code) when set."""

    def __init__(self, names: dict[str, str], page: int = 1000) -> None:
        self.names = names
        self.page = page
        self.asked: list[list[str]] = []
        self.failure: tuple[int, str] | None = None

    async def app(self, request: Request) -> Response:
        query = dict(parse_qsl(request.body.decode()))
        signed = sigv4.parse(query="", headers=list(request.headers.items))
        assert signed is not None
        wanted = [value for name, value in query.items() if name.startswith("Filter.1.Value")]
        self.asked.append(wanted)
        if self.failure is not None:
            return Response(
                self.failure[0],
                (),
                f"<Response><Errors><Error><Code>{self.failure[1]}</Code></Error></Errors></Response>".encode(),
            )
        start = int(query.get("NextToken", "0"))
        known = [one for one in wanted if one in self.names]
        items = "".join(
            f"<item><instanceId>{one}</instanceId><privateDnsName>{self.names[one]}</privateDnsName></item>"
            for one in known[start : start + self.page]
        )
        more = f"<nextToken>{start + self.page}</nextToken>" if len(known) > start + self.page else ""
        return Response(200, (), (
            '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet>'
            f"{items}</instancesSet></item></reservationSet>{more}</DescribeInstancesResponse>"
        ).encode())  # fmt: skip


@contextlib.asynccontextmanager
async def running(ec2: Ec2, directory: Path) -> AsyncIterator[Ec2InstanceNames]:
    authority = CertificateAuthority(directory, name="test", now=dt.datetime.now(dt.UTC))
    leaf = authority.leaf("ec2", hosts=("127.0.0.1",))
    port = free_port()
    server = RunningServer(ec2.app, Listener("127.0.0.1", port, leaf.certificate, leaf.key))
    await server.start()

    async def credentials() -> sigv4.Credentials:
        return KEYS

    names = Ec2InstanceNames(
        credentials, endpoint=f"https://127.0.0.1:{port}", region="us-east-1", now=lambda: dt.datetime.now(dt.UTC),
        ca_file=authority.certificate_file,
    )  # fmt: skip
    try:
        yield names
    finally:
        await names.close()
        await server.stop()


def instance(number: int) -> str:
    return f"i-{number:017x}"


def test_a_storm_of_nodes_is_one_call_a_hundred_and_one_unknown_fails_nobody(tmp_path: Path) -> None:
    """Names asked for together are fetched together; an id that does not exist is only itself without a name."""

    async def play() -> None:
        ec2 = Ec2({instance(n): f"ip-{n}.ec2.internal" for n in range(150)}, page=40)
        async with running(ec2, tmp_path) as names:
            found = await asyncio.gather(*(names.private_dns_name(instance(n)) for n in range(151)))
            assert found == [f"ip-{n}.ec2.internal" for n in range(150)] + [""]
            assert max(len(batch) for batch in ec2.asked) <= 100
            calls = len(ec2.asked)
            assert calls <= 5
            assert await names.private_dns_name(instance(3)) == "ip-3.ec2.internal"
            assert len(ec2.asked) == calls

    asyncio.run(play())


def test_an_empty_name_is_asked_for_again(tmp_path: Path) -> None:
    """A name that EC2 does not have yet is never remembered as empty."""

    async def play() -> None:
        ec2 = Ec2({instance(1): ""})
        async with running(ec2, tmp_path) as names:
            assert await names.private_dns_name(instance(1)) == ""
            ec2.names[instance(1)] = "ip-1.ec2.internal"
            assert await names.private_dns_name(instance(1)) == "ip-1.ec2.internal"

    asyncio.run(play())


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (503, "RequestLimitExceeded", Throttling),
        (403, "UnauthorizedOperation", ServiceUnavailable),
        (500, "InternalError", ServiceUnavailable),
    ],
)
def test_a_failure_is_an_outage_and_not_a_missing_name(
    tmp_path: Path, status: int, code: str, error: type[Exception]
) -> None:
    """What EC2 refuses or fails to say is raised, and the next question is asked anew."""

    async def play() -> None:
        ec2 = Ec2({instance(1): "ip-1.ec2.internal"})
        async with running(ec2, tmp_path) as names:
            ec2.failure = (status, code)
            with pytest.raises(error):
                await names.private_dns_name(instance(1))
            ec2.failure = None
            assert await names.private_dns_name(instance(1)) == "ip-1.ec2.internal"

    asyncio.run(play())
