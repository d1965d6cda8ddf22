"""Session tags of a call: checked, joined with those that the caller's session passes on, and measured.

Sources: STS API Reference, AssumeRole, Tag; IAM User Guide, "Pass session tags in AWS STS".
"""

from collections.abc import Mapping

from iambridge.core.role_trust import SessionTags
from iambridge.core.session_tags import MAX_TAGS, TAG_KEY_PATTERN, TAG_VALUE_PATTERN, is_tag_text, packed_tags
from iambridge.errors import PackedPolicyTooLarge, ValidationError
from iambridge.servers.sigv4_authentication import AuthenticatedCaller
from iambridge.servers.sts.parameters import SOURCE_IDENTITY, Faults
from iambridge.wire.aws_query import members


def requested_tags(parameters: Mapping[str, str], faults: Faults) -> SessionTags:
    """Tags, TransitiveTagKeys and SourceIdentity. What is wrong with one of them by itself is added to `faults`.

    Raises:
        ValidationError: a key twice (case does not count), or a transitive key without its tag.
    """
    source = faults.text("SourceIdentity", low=2, high=64, required=False, pattern=SOURCE_IDENTITY)
    given = members(parameters, "Tags")
    transitive = tuple(member.get("", "") for member in members(parameters, "TransitiveTagKeys"))
    for name, listed in (("tags", given), ("transitiveTagKeys", transitive)):
        if len(listed) > MAX_TAGS:
            faults.add(f"'{len(listed)} members'", name, f"Member must have length less than or equal to {MAX_TAGS}")
    for number, tag in enumerate(given, 1):
        _check(faults, f"tags.{number}.member.key", tag.get("Key"), key=True)
        _check(faults, f"tags.{number}.member.value", tag.get("Value"), key=False)
    faults.raise_all()
    tags = {tag["Key"]: tag["Value"] for tag in given}
    if len({key.lower() for key in tags}) != len(given):
        raise ValidationError("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if not set(transitive) <= set(tags):
        raise ValidationError("TransitiveTagKeys names a key that is not among Tags", fix="name keys of Tags only")
    return SessionTags(tags, transitive, source)


def _check(faults: Faults, member: str, value: str | None, *, key: bool) -> None:
    low, high, pattern = (1, 128, TAG_KEY_PATTERN) if key else (0, 256, TAG_VALUE_PATTERN)
    if value is None:
        faults.add("null", member, "Member must not be null")
        return
    shown = f"'{value[:high]}'"
    if len(value) < low:
        faults.add(shown, member, f"Member must have length greater than or equal to {low}")
    if len(value) > high:
        faults.add(shown, member, f"Member must have length less than or equal to {high}")
    if not is_tag_text(value):
        faults.add(shown, member, f"Member must satisfy regular expression pattern: {pattern}")


def inherited(asked: SessionTags, caller: AuthenticatedCaller) -> SessionTags:
    """Transitive tags and the source identity of the caller's session pass on and cannot be changed."""
    session = caller.session
    if session is None:
        return asked
    passed_on = {key: session.tags[key] for key in session.transitive_tag_keys if key in session.tags}
    clash = {key.lower() for key in passed_on} & {key.lower() for key in asked.tags}
    if clash:
        raise ValidationError("One of the specified transitive tag keys can't be set because it conflicts with a "
                              "transitive tag key from the calling session.")  # fmt: skip
    if session.source_identity and asked.source_identity not in {"", session.source_identity}:
        raise ValidationError("The source identity of a session cannot be changed.")
    return SessionTags(
        {**asked.tags, **passed_on},
        tuple(dict.fromkeys((*session.transitive_tag_keys, *asked.transitive))),
        session.source_identity or asked.source_identity,
    )


def check_space(tags: Mapping[str, str]) -> None:
    """Raises PackedPolicyTooLarge when session tags, inherited ones included, take more than a session has for them."""
    if (size := packed_tags(tags)) > 100:
        raise PackedPolicyTooLarge(
            f"Packed size of session tags consumes {size}% of allotted space.",
            cause="keys and values of session tags, inherited ones included, are too long together; AWS tells no limit,"
            " and this one follows from what it was seen to say",
            fix="pass fewer or shorter session tags",
        )
