"""What an S3 operation asks IAM for: actions and resources. Pure.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3", and S3 User Guide,
"Required permissions for Amazon S3 API operations".
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote

from iambridge.errors import NotImplementedBySandbox
from iambridge.sandbox.aws import s3_deletions
from iambridge.sandbox.aws.operations import Asked, Call

# operations whose action has another name; the rest are named as their action is
_ACTIONS = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "HeadObject": "GetObject",
    "SelectObjectContent": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
} | {
    f"{verb}Bucket{name}Configuration{plural}": f"{'Put' if verb in {'Put', 'Delete'} else 'Get'}{name}Configuration"
    for name in ("Analytics", "Inventory", "Metrics", "IntelligentTiering")
    for verb, plural in (("Get", ""), ("Put", ""), ("Delete", ""), ("List", "s"))
}
# with a versionId these ask for the action on that version
_VERSIONED = {
    "GetObject": "GetObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "GetObjectAttributes": "GetObjectVersionAttributes",
    "GetObjectTagging": "GetObjectVersionTagging",
    "GetObjectTorrent": "GetObjectVersionTorrent",
    "PutObjectAcl": "PutObjectVersionAcl",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObject": "DeleteObjectVersion",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
}
# headers on a write that ask for one action more
_EXTRA_HEADERS = {
    "x-amz-tagging": "PutObjectTagging",
    "x-amz-acl": "PutObjectAcl",
    "x-amz-grant-full-control": "PutObjectAcl",
    "x-amz-grant-read": "PutObjectAcl",
    "x-amz-grant-read-acp": "PutObjectAcl",
    "x-amz-grant-write-acp": "PutObjectAcl",
    "x-amz-object-lock-mode": "PutObjectRetention",
    "x-amz-object-lock-legal-hold": "PutObjectLegalHold",
}
_WRITES = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})
_COPIES = frozenset({"CopyObject", "UploadPartCopy"})
# all that moto tells apart: of another subresource it would give, change or delete the bucket or object itself
SERVED = frozenset(
    {"AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateBucket", "CreateMultipartUpload"}
    | {"DeleteBucket", "DeleteObject", "DeleteObjectTagging", "DeleteObjects", "DeletePublicAccessBlock"}
    | {"GetBucketInventoryConfiguration", "GetBucketPolicyStatus", "GetObject", "GetObjectAcl", "GetObjectAttributes"}
    | {"GetObjectLegalHold", "GetObjectLockConfiguration", "GetObjectTagging", "GetPublicAccessBlock", "HeadBucket"}
    | {"HeadObject", "ListBucketInventoryConfigurations", "ListBuckets", "ListMultipartUploads", "ListObjectVersions"}
    | {"ListObjects", "ListObjectsV2", "ListParts", "PutBucketInventoryConfiguration", "PutObject", "PutObjectAcl"}
    | {"PutObjectLegalHold", "PutObjectLockConfiguration", "PutObjectRetention", "PutObjectTagging"}
    | {"PutPublicAccessBlock", "RestoreObject", "SelectObjectContent", "UploadPart", "UploadPartCopy"}
    | {
        f"{verb}Bucket{name}"
        for name in ("Cors", "Encryption", "OwnershipControls", "Policy", "Replication", "Tagging", "Website")
        for verb in ("Get", "Put", "Delete")
    }
    | {
        f"{verb}Bucket{name}"
        for name in ("AccelerateConfiguration", "Acl", "LifecycleConfiguration", "Logging")
        for verb in ("Get", "Put")
    }
    | {"DeleteBucketLifecycle", "GetBucketLocation", "GetBucketNotificationConfiguration", "GetBucketVersioning"}
    | {"PutBucketNotificationConfiguration", "PutBucketVersioning"}
)
# moto would look for access points behind these hosts
_OTHER_APIS = re.compile(r"s3-(?:control|accesspoint)", re.IGNORECASE)
# moto keeps its own doors under these first path segments
_RESERVED_BUCKETS = frozenset({"moto-api", "latest", "favicon.ico", "v20180820"})
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")


class Source(NamedTuple):
    """Of a copy. `header` spells it in one way."""

    bucket: str
    key: str
    version: str

    @property
    def header(self) -> str:
        version = f"?versionId={quote(self.version, safe='')}" if self.version else ""
        return f"{self.bucket}/{quote(self.key, safe='/~')}{version}"


def bucket_of(call: Call) -> str:
    return call.flat.get("Bucket", "")


def bucket_arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


def asked(call: Call, body: bytes) -> list[Asked]:
    """Every decision that the call needs, the most telling first.

    Raises:
        NotImplementedBySandbox: a bucket name that the sandbox keeps for itself, a body that it cannot read, or an
            operation that moto takes for another.
    """
    if _OTHER_APIS.search(call.headers.get("host")):
        raise NotImplementedBySandbox("S3 Control and S3 access points are not available in this sandbox.")
    if call.operation not in SERVED:
        raise NotImplementedBySandbox(
            f"s3:{call.operation} is not available in this sandbox: moto, which answers for S3, does not know it.",
            fix="report the operation and the client that needs it",
        )
    bucket = bucket_of(call)
    if bucket and (bucket in _RESERVED_BUCKETS or not _BUCKET.fullmatch(bucket)):
        raise NotImplementedBySandbox(f"The bucket name {bucket[:64]} is not available in this sandbox.")
    name = _ACTIONS.get(call.operation, call.operation)
    key = call.flat.get("Key")
    if call.operation == "DeleteObjects":
        return [
            Asked("s3:DeleteObjectVersion" if item.version else "s3:DeleteObject", f"{bucket_arn(bucket)}/{item.key}")
            for item in s3_deletions.keys(body)
        ]
    if key is None:
        return [Asked(f"s3:{name}", bucket_arn(bucket) if bucket else "*")]
    resource = f"{bucket_arn(bucket)}/{key}"
    if call.flat.get("versionId") and call.operation != "CompleteMultipartUpload":
        name = _VERSIONED.get(name, name)
    result = [Asked(f"s3:{name}", resource), *_more(call, resource)]
    return list(dict.fromkeys(result))


def _more(call: Call, resource: str) -> Iterator[Asked]:
    if call.operation in _COPIES:
        yield _copy_source(call.headers.get("x-amz-copy-source"))
    if call.operation == "GetObjectAttributes":
        yield Asked("s3:GetObjectVersion" if call.flat.get("versionId") else "s3:GetObject", resource)
    if call.operation in _WRITES:
        for name, _ in call.headers.items:
            if extra := _EXTRA_HEADERS.get(name.lower()):
                yield Asked(f"s3:{extra}", resource)
    if call.headers.get("x-amz-bypass-governance-retention").lower() == "true":
        yield Asked("s3:BypassGovernanceRetention", resource)


def _copy_source(header: str) -> Asked:
    source = copied(header)
    action = "s3:GetObjectVersion" if source.version else "s3:GetObject"
    return Asked(action, f"{bucket_arn(source.bucket)}/{source.key}")


def copied(header: str) -> Source:
    """What an `x-amz-copy-source` names: `bucket/key`, percent-encoded, and `?versionId=`.

    Raises:
        NotImplementedBySandbox: an access point, or no such name.
    """
    path, _, query = header.partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    if not key or bucket in _RESERVED_BUCKETS or not _BUCKET.fullmatch(bucket):
        raise NotImplementedBySandbox(
            "Copying from an access point is not available in this sandbox.",
            cause="x-amz-copy-source is not a bucket, a slash and a key",
            fix="name the source as bucket/key, percent-encoded",
        )
    return Source(bucket, key, parse_qs(query).get("versionId", [""])[0])


def context(call: Call) -> Mapping[str, str]:
    """S3's own condition keys of a request (Service Authorization Reference, condition keys of S3)."""
    keys: dict[str, str] = {}
    if call.operation in {"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"}:
        keys |= {f"s3:{name}": call.flat[name] for name in ("prefix", "delimiter", "max-keys") if name in call.flat}
    if version := call.flat.get("versionId"):
        keys["s3:VersionId"] = version
    for name, value in call.headers.items:
        lower = name.lower()
        if lower.startswith("x-amz-") and not lower.startswith("x-amz-meta-"):
            keys.setdefault(f"s3:{lower}", value)
    for name, value in call.flat.items():
        # a presigned URL may carry them in its query
        if name.lower().startswith("x-amz-"):
            keys.setdefault(f"s3:{name.lower()}", value)
    return keys
