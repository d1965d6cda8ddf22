"""Where moto may look, and where not, for what a request asks of it: in the child process, before the first request.

By itself moto takes the region from whatever looks like a host in the URL or from the user agent, parameters from the
query, the body or the headers, whichever has some, and the operation from any of these. The gateway decides on one
reading; what moto would read otherwise it must not execute.
"""

from typing import Any

FORM = "iambridge.form"
OPERATION = "iambridge.operation"
_OF_TAGS = frozenset({"ListTagsForResource", "TagResource", "UntagResource"})


def hold() -> None:
    """Change moto's classes."""
    _take_the_region_of_the_scope()
    _read_forms_where_there_are_some()
    _execute_what_was_decided()
    _keep_uploads_to_their_keys()
    _leave_bucket_policies_to_the_gateway()


def _take_the_region_of_the_scope() -> None:
    from moto.core.responses import BaseResponse  # noqa: PLC0415 - loaded with the application
    from moto.core.utils import extract_region_from_aws_authorization  # noqa: PLC0415
    from moto.s3 import responses as s3  # noqa: PLC0415

    def region(self: BaseResponse, request: Any, full_url: str) -> str:
        del self, full_url
        return str(extract_region_from_aws_authorization(request.headers["Authorization"]))

    def none(url: str, use_default_region: bool = True) -> None:  # noqa: FBT001, FBT002 - moto calls it so
        del url, use_default_region

    BaseResponse.get_region_from_url = region
    s3.parse_region_from_url = none  # it looks into the authorization then


def _read_forms_where_there_are_some() -> None:
    """Not in a body of another protocol, whatever its type says, and not in the headers."""
    from moto.core import responses  # noqa: PLC0415 - loaded with the application
    from moto.moto_server.werkzeug_app import BackendRequest  # noqa: PLC0415

    def nothing(*_: object, **__: object) -> list[tuple[str, str]]:
        return []

    plain = responses.BaseResponse.setup_class

    def setup(self: Any, request: Any, full_url: Any = None, headers: Any = None, *more: Any, **named: Any) -> None:
        del headers
        plain(self, request, full_url, {}, *more, **named)

    responses.parse_qsl = nothing
    responses.BaseResponse.setup_class = setup
    BackendRequest.want_form_data_parsed = property(lambda self: self.environ[FORM])


def _execute_what_was_decided() -> None:
    from moto.core.responses import BaseResponse  # noqa: PLC0415 - loaded with the application

    plain = BaseResponse.call_action

    def call(self: BaseResponse) -> Any:
        decided = self.normalized_request.environ[OPERATION]
        executed = str(self._get_action()).lower()
        # Batch in moto has its own by the path, in lower case, and one for all that is about tags
        of_tags = self.service_name == "batch" and executed == "tags" and decided in _OF_TAGS
        if decided and executed != decided.lower() and not of_tags:
            raise NotImplementedError(f"{self.service_name} would execute {executed}, not {decided}")
        return plain(self)

    BaseResponse.call_action = call


def _keep_uploads_to_their_keys() -> None:
    """The key in the path was decided on; an upload's id alone would lead to another."""
    from moto.s3.exceptions import NoSuchUpload  # noqa: PLC0415 - loaded with the application
    from moto.s3.responses import S3Response  # noqa: PLC0415

    plain = S3Response._key_response  # noqa: SLF001 - what every call on a key goes through

    def respond(self: S3Response, request: Any, full_url: str) -> Any:
        identity = request.args.get("uploadId", "")
        bucket = self.backend.buckets.get(self.bucket_name)
        upload = bucket.multiparts.get(identity) if bucket is not None else None
        if upload is not None and upload.key_name != self.parse_key_name():
            raise NoSuchUpload(upload_id=identity)
        return plain(self, request, full_url)

    S3Response._key_response = respond  # noqa: SLF001


def _leave_bucket_policies_to_the_gateway() -> None:
    """What moto judges of a bucket policy knows no conditions and principals: a Deny would hold for everybody."""
    from moto.iam.access_control import PermissionResult  # noqa: PLC0415 - loaded with the application
    from moto.s3.models import FakeBucket  # noqa: PLC0415

    def allowed(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
        del bucket, action, resource
        return PermissionResult.PERMITTED

    FakeBucket.get_permission = allowed
