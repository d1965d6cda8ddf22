"""The published policies of the EBS CSI driver, external-dns and cert-manager, with the calls that these make."""

from typing import TYPE_CHECKING, Any

from tests.unit.sandbox.aws.test_gateway import refusal
from tests.unit.sandbox.aws.test_named_actions import allow, user

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

OWNED = "ebs.csi.aws.com/cluster"
VOLUMES, SNAPSHOTS = "arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:snapshot/*"


def test_the_ebs_driver(running: "RunningAccount") -> None:
    """What the driver made it may tag, attach, grow, snapshot and delete; what it did not make it may not delete."""
    admin = running.client("ec2")
    requested = {"StringLike": {f"aws:RequestTag/{OWNED}": "true"}}
    had = {"StringLike": {f"ec2:ResourceTag/{OWNED}": "true"}}
    created = {"StringEquals": {"ec2:CreateAction": ["CreateVolume", "CreateSnapshot"]}}
    driver = user(
        running,
        "ebs-driver",
        allow(["ec2:Describe*"]),
        allow("ec2:CreateVolume", VOLUMES, condition=requested),
        allow("ec2:CreateVolume", SNAPSHOTS),
        allow("ec2:CreateTags", [VOLUMES, SNAPSHOTS], condition=created),
        allow(["ec2:AttachVolume", "ec2:DetachVolume"], [VOLUMES, "arn:aws:ec2:*:*:instance/*"]),
        allow("ec2:ModifyVolume", VOLUMES),
        allow("ec2:DeleteVolume", VOLUMES, condition=had),
        allow("ec2:CreateSnapshot", VOLUMES),
        allow("ec2:CreateSnapshot", SNAPSHOTS, condition=requested),
        allow("ec2:DeleteSnapshot", SNAPSHOTS, condition=had),
    )("ec2")
    place: dict[str, Any] = {"AvailabilityZone": "us-east-1a"}

    def tagged(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [{"Key": OWNED, "Value": "true"}]}]

    volume = driver.create_volume(**place, Size=1, TagSpecifications=tagged("volume"))["VolumeId"]
    assert refusal(driver.create_volume, **place, Size=1)[0] == "UnauthorizedOperation"
    image = admin.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instance = admin.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    driver.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/xvdaa")
    driver.detach_volume(VolumeId=volume, InstanceId=instance)
    driver.modify_volume(VolumeId=volume, Size=2)
    assert driver.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"]
    snapshot = driver.create_snapshot(VolumeId=volume, TagSpecifications=tagged("snapshot"))["SnapshotId"]
    assert driver.create_volume(**place, SnapshotId=snapshot, TagSpecifications=tagged("volume"))["VolumeId"]
    driver.delete_snapshot(SnapshotId=snapshot)
    driver.delete_volume(VolumeId=volume)
    theirs = admin.create_volume(**place, Size=1)["VolumeId"]
    assert refusal(driver.delete_volume, VolumeId=theirs)[0] == "UnauthorizedOperation"
    # it may not tag itself into a right
    tag = [{"Key": OWNED, "Value": "true"}]
    assert refusal(driver.create_tags, Resources=[theirs], Tags=tag)[0] == "UnauthorizedOperation"


def change(name: str, kind: str, value: str) -> dict[str, Any]:
    record = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
    return {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}


def test_dns_controllers_keep_to_their_zone_and_their_records(running: "RunningAccount") -> None:
    """external-dns: one zone, whose tags it reads; cert-manager: TXT records of challenges alone."""
    admin = running.client("route53")
    mine, theirs = (
        admin.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"].rpartition("/")[2]
        for name in ("mine.org.", "theirs.org.")
    )
    names = ["ChangeResourceRecordSets", "ListResourceRecordSets", "ListTagsForResources"]
    external = user(
        running,
        "external-dns",
        allow([f"route53:{name}" for name in names], f"arn:aws:route53:::hostedzone/{mine}"),
        allow("route53:ListHostedZones"),
    )("route53")
    assert len(external.list_hosted_zones()["HostedZones"]) == 2
    external.change_resource_record_sets(HostedZoneId=mine, ChangeBatch=change("a.mine.org", "A", "1.2.3.4"))
    assert external.list_resource_record_sets(HostedZoneId=mine)["ResourceRecordSets"]
    assert external.list_tags_for_resources(ResourceType="hostedzone", ResourceIds=[mine])["ResourceTagSets"]
    refused = [
        refusal(external.list_tags_for_resources, ResourceType="hostedzone", ResourceIds=[mine, theirs]),
        refusal(
            external.change_resource_record_sets,
            HostedZoneId=theirs,
            ChangeBatch=change("a.theirs.org", "A", "1.2.3.4"),
        ),
    ]
    assert {code for code, _, _ in refused} == {"AccessDenied"}
    keys = "route53:ChangeResourceRecordSets"
    condition = {
        "ForAllValues:StringEquals": {f"{keys}RecordTypes": ["TXT"]},
        "ForAllValues:StringLike": {f"{keys}NormalizedRecordNames": ["_acme-challenge.*"]},
    }
    zones = "arn:aws:route53:::hostedzone/*"
    certs = user(running, "cert-manager", allow("route53:ChangeResourceRecordSets", zones, condition=condition))
    own = certs("route53").change_resource_record_sets
    own(HostedZoneId=mine, ChangeBatch=change("_ACME-challenge.mine.org.", "TXT", '"token"'))
    for batch in (change("_acme-challenge.mine.org", "A", "1.2.3.4"), change("www.mine.org", "TXT", '"token"')):
        assert refusal(own, HostedZoneId=mine, ChangeBatch=batch)[0] == "AccessDenied"
