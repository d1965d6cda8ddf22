"""Paths with and without their last slash: SDKs differ in it, and AWS takes both. boto3's path is changed as it signs."""

from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSRequest
from tests.unit.sandbox.aws.test_authorization_of_drivers import change
from tests.unit.sandbox.aws.test_gateway import refusal
from tests.unit.sandbox.aws.test_named_actions import allow, user

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount


def respelled(client: Any, *, slash: bool) -> list[str]:
    """Makes a client end its paths with a slash, or without one; the paths that it then sends."""
    sent: list[str] = []

    def respell(request: AWSRequest, **_: object) -> None:
        path, question, query = request.url.partition("?")
        request.url = path.rstrip("/") + ("/" if slash else "") + question + query
        sent.append(request.url)

    client.meta.events.register("before-sign", respell)
    return sent


def test_a_record_is_changed_as_the_sdk_for_go_asks_for_it(running: "RunningAccount") -> None:
    """external-dns posts to .../rrset, boto3 to .../rrset/; allowed and denied, both are the same action on the zone."""
    zone = running.client("route53").create_hosted_zone(Name="go.org.", CallerReference="go.org.")["HostedZone"]["Id"]
    zone = zone.rpartition("/")[2]
    arn = f"arn:aws:route53:::hostedzone/{zone}"
    for name, policies in (("writer", [allow("route53:ChangeResourceRecordSets", arn)]), ("reader", [])):
        client = user(running, f"go-{name}", *policies, allow("route53:ListHostedZones"))("route53")
        sent = respelled(client, slash=False)
        asked = {"HostedZoneId": zone, "ChangeBatch": change("a.go.org", "A", "1.2.3.4")}
        if policies:
            client.change_resource_record_sets(**asked)
        else:
            code, message, _ = refusal(client.change_resource_record_sets, **asked)
            assert code == "AccessDenied"
            assert f"route53:ChangeResourceRecordSets on resource: {arn}" in message
        assert [url.rpartition("/")[2] for url in sent] == ["rrset"]
    records = running.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert "a.go.org." in {record["Name"] for record in records}


@pytest.mark.parametrize("slash", [True, False])
@pytest.mark.parametrize(
    ("service", "operation", "member"),
    [
        ("backup", "list_backup_vaults", "BackupVaultList"),
        ("backup", "list_backup_plans", "BackupPlansList"),
        ("lambda", "list_functions", "Functions"),
        ("efs", "describe_file_systems", "FileSystems"),
    ],
)
def test_the_backend_gets_the_path_that_it_knows(
    running: "RunningAccount", service: str, operation: str, member: str, *, slash: bool
) -> None:
    """Whatever the client wrote: models with a last slash (Backup) and without (Lambda, EFS)."""
    client = running.client(service)
    sent = respelled(client, slash=slash)
    assert getattr(client, operation)()[member] == []
    assert sent[0].partition("?")[0].endswith("/") is slash
