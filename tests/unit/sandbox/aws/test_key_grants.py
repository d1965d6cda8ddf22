"""KMS grants with boto3 over a real socket: what they allow, within what, and how they end."""

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import policy, refusal

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

ACCOUNT = "111122223333"
CONTEXT = {"app": "mail"}


@pytest.fixture(scope="module")
def kms(running: "RunningAccount") -> Any:
    return running.client("kms")


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


def grantee(running: "RunningAccount", name: str, *statements: dict[str, Any]) -> tuple[str, Any]:
    """The ARN of a user without other rights than `statements`, and its KMS client."""
    iam = running.client("iam")
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return arn, running.client("kms", iam.create_access_key(UserName=name)["AccessKey"])


def test_a_grant_lets_its_grantee_do_what_it_names(running: "RunningAccount", kms: Any, key: str) -> None:
    """Nothing before the grant, its operations with it, no other operation, and nothing once it is revoked."""
    arn, own = grantee(running, "granted")
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert refusal(own.decrypt, CiphertextBlob=sealed)[0] == "AccessDeniedException"
    made = kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Decrypt", "DescribeKey"], Name="n")
    assert own.decrypt(CiphertextBlob=sealed, GrantTokens=[made["GrantToken"]])["Plaintext"] == b"x"
    assert own.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    assert refusal(own.encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"
    (told,) = kms.list_grants(KeyId=key)["Grants"]
    assert (told["GrantId"], told["GranteePrincipal"], told["Operations"], told["Name"]) == (
        made["GrantId"],
        arn,
        ["Decrypt", "DescribeKey"],
        "n",
    )
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert refusal(own.decrypt, CiphertextBlob=sealed)[0] == "AccessDeniedException"
    assert kms.list_grants(KeyId=key)["Grants"] == []
    assert refusal(kms.revoke_grant, KeyId=key, GrantId=made["GrantId"])[0] == "NotFoundException"


def test_constraints_hold_exactly(running: "RunningAccount", kms: Any, key: str) -> None:
    """EncryptionContextSubset takes more pairs, EncryptionContextEquals does not, and both heed case."""
    subset, equal = grantee(running, "subset"), grantee(running, "equal")
    for (arn, _), constraint in ((subset, "EncryptionContextSubset"), (equal, "EncryptionContextEquals")):
        kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Encrypt"], Constraints={constraint: CONTEXT})
    for _, own in (subset, equal):
        assert own.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
        for other in ({}, {"app": "payroll"}, {"App": "mail"}):
            refused = refusal(own.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=other)
            assert refused[0] == "AccessDeniedException"
    more = {**CONTEXT, "more": "1"}
    assert subset[1].encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=more)["CiphertextBlob"]
    assert refusal(equal[1].encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=more)[0] == "AccessDeniedException"


def test_a_deny_goes_before_a_grant(running: "RunningAccount", kms: Any, key: str) -> None:
    arn, own = grantee(running, "denied", {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"})
    kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Encrypt"])
    assert "explicit deny" in refusal(own.encrypt, KeyId=key, Plaintext=b"x")[1]


def test_a_role_is_granted_for_all_its_sessions(running: "RunningAccount", kms: Any, key: str) -> None:
    """A grant to a role is its sessions'; a role of the same name made later is another."""
    iam = running.client("iam")
    trust = policy({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})

    def session() -> Any:
        role = iam.create_role(RoleName="granted", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        answer = running.client("sts").assume_role(RoleArn=role, RoleSessionName="session")
        return role, running.client("kms", answer["Credentials"])

    role, first = session()
    kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Encrypt"])
    assert first.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    iam.delete_role(RoleName="granted")
    _, second = session()
    assert refusal(second.encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"


def test_a_grant_delegates_no_more_than_it_holds(running: "RunningAccount", kms: Any, key: str) -> None:
    parent, child = grantee(running, "parent"), grantee(running, "child")
    kms.create_grant(KeyId=key, GranteePrincipal=parent[0], Operations=["CreateGrant", "Encrypt"])
    wider = {"KeyId": key, "GranteePrincipal": child[0], "Operations": ["Encrypt", "Decrypt"]}
    assert refusal(parent[1].create_grant, **wider)[0] == "AccessDeniedException"
    parent[1].create_grant(KeyId=key, GranteePrincipal=child[0], Operations=["Encrypt"])
    assert child[1].encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


def test_a_grant_is_retired_by_its_retiring_principal(running: "RunningAccount", kms: Any, key: str) -> None:
    """By token or by key and id; a grantee only when RetireGrant is among its operations."""
    (arn, own), (retiring, retirer) = grantee(running, "retired"), grantee(running, "retirer")
    wanted = {"KeyId": key, "GranteePrincipal": arn, "Operations": ["Encrypt"], "RetiringPrincipal": retiring}
    made = kms.create_grant(**wanted)
    assert refusal(own.retire_grant, GrantToken=made["GrantToken"])[0] == "AccessDeniedException"
    listed = kms.list_retirable_grants(RetiringPrincipal=retiring)["Grants"]
    assert [item["GrantId"] for item in listed] == [made["GrantId"]]
    retirer.retire_grant(GrantToken=made["GrantToken"])
    assert kms.list_grants(KeyId=key)["Grants"] == []
    assert refusal(retirer.retire_grant, GrantToken=made["GrantToken"])[0] == "InvalidGrantTokenException"
    again = kms.create_grant(**wanted)
    retirer.retire_grant(KeyId=key, GrantId=again["GrantId"])
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_policies_look_at_what_a_grant_would_hold(running: "RunningAccount", kms: Any, key: str) -> None:
    """kms:GrantOperations is read, and a user who calls KMS directly grants for no AWS resource."""
    condition = {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]}}
    statement = {"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "*"}
    arn, own = grantee(running, "granter", {**statement, "Condition": condition})
    assert own.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Decrypt"])["GrantId"]
    wider = {"KeyId": key, "GranteePrincipal": arn, "Operations": ["Decrypt", "Encrypt"]}
    assert refusal(own.create_grant, **wider)[0] == "AccessDeniedException"
    for_services = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    _, driver = grantee(running, "driver", {**statement, "Condition": for_services})
    refused = refusal(driver.create_grant, KeyId=key, GranteePrincipal=arn, Operations=["Decrypt"])
    assert refused[0] == "AccessDeniedException"


def test_a_grant_of_the_same_name_and_content_is_the_same(kms: Any, key: str) -> None:
    wanted = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root", "Operations": ["Encrypt"], "Name": "n"}
    assert kms.create_grant(**wanted)["GrantId"] == kms.create_grant(**wanted)["GrantId"]
    ids = {kms.create_grant(**{**wanted, "Name": f"n{i}"})["GrantId"] for i in range(2)}
    first = kms.list_grants(KeyId=key, Limit=2)
    assert (len(ids), len(first["Grants"]), first["Truncated"]) == (2, 2, True)
    pages = kms.get_paginator("list_grants").paginate(KeyId=key, PaginationConfig={"PageSize": 1})
    assert sum(len(page["Grants"]) for page in pages) == 3
    assert refusal(kms.list_grants, KeyId=key, Limit=1000)[0] == "ValidationException"


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/nobody"}, "InvalidArnException"),
    ({"Operations": ["Sign"]}, "ValidationException"),
    ({"GrantTokens": ["none"]}, "InvalidGrantTokenException"),
    ({"DryRun": True}, "DryRunOperationException"),
    ({"Constraints": {"SourceArn": "arn:aws:s3:::some-bucket"}}, "NotImplemented"),
    ({"KeyId": "11111111-2222-3333-4444-555555555555"}, "NotFoundException"),
]


@pytest.mark.parametrize(("change", "code"), FAULTS, ids=[code for _, code in FAULTS])
def test_a_faulty_grant_is_refused(kms: Any, key: str, change: dict[str, Any], code: str) -> None:
    wanted = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root", "Operations": ["Encrypt"]}
    assert refusal(kms.create_grant, **{**wanted, **change})[0] == code
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_a_disabled_key_takes_no_grant(kms: Any, key: str) -> None:
    kms.disable_key(KeyId=key.rpartition("/")[2])
    grant = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root", "Operations": ["Encrypt"]}
    assert refusal(kms.create_grant, **grant)[0] == "DisabledException"
