"""Which command a container is on this machine. There is no image: a command is given, or mapped, and never guessed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from iambridge.errors import CreateContainerConfigError
from iambridge.sandbox.cluster.kubelet.environment import Object, expand


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """What stands for images whose name matches `pattern`: an entrypoint and variables of its own.

    `pattern` (with `*` and `?`) is held against the image as it is written, and against it without tag and digest.
    """

    pattern: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def image_entry(image: str, entries: Sequence[ImageEntry]) -> ImageEntry | None:
    """The first entry that matches."""
    name = image.partition("@")[0]
    path, slash, last = name.rpartition("/")
    untagged = f"{path}{slash}{last.partition(':')[0]}"
    spellings = (image, name, untagged)
    return next((one for one in entries if any(fnmatchcase(each, one.pattern) for each in spellings)), None)


def argv(container: Object, entry: ImageEntry | None, environment: Mapping[str, str]) -> list[str]:
    """The container's command and args with `$(NAME)` expanded.

    Raises:
        CreateContainerConfigError: no command, and no entry stands for the image.
    """
    command = [expand(word, environment) for word in container.get("command") or ()]
    arguments = [expand(word, environment) for word in container.get("args") or ()]
    if command:
        return command + arguments
    if entry is not None:
        return [*entry.argv, *arguments]
    image = container.get("image") or ""
    raise CreateContainerConfigError(
        f"embedded node has no container runtime: image {image} is not pulled;"
        " give the container a command, or map the image with iambridge up --image-map FILE",
        fix="set the container's command, or map the image to one",
    )
