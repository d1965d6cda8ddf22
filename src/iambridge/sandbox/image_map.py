"""What images are on this machine: a file of the user's, and one entry of our own.

The node has no container runtime. A container with a `command` needs no image; for one without, the image's entrypoint
must be told, never guessed. See docs/how-to/image-map.md.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from iambridge.errors import InputError
from iambridge.sandbox.cluster.kubelet.command import ImageEntry

_FORM = "images: a list of entries with image (a pattern), command (a list of words), and env (names to values)"
_KEYS = {"image", "command", "env"}

# our own image's entrypoint, as this very interpreter runs it
BUILT_IN = tuple(
    ImageEntry(pattern, (sys.executable, "-P", "-m", "iambridge")) for pattern in ("iambridge", "*/iambridge")
)


def read_image_map(file: Path) -> tuple[ImageEntry, ...]:
    """The entries of `file`, in its order.

    Raises:
        InputError: the file is not there, is not YAML, or an entry is wrong; all faults at once, each with its path.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"cannot read the image map: {error.strerror}", where=str(file), fix="give --image-map a file that exists"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            "the image map is not YAML", where=str(file), cause=str(error), fix=f"write {_FORM}"
        ) from error
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list) or set(document) != {"images"}:
        raise InputError("the image map is not of the form expected", where=str(file), fix=f"write {_FORM}")
    faults: list[str] = []
    entries: list[ImageEntry] = []
    for index, entry in enumerate(images):
        found = _faults(entry, [each.pattern for each in entries])
        faults += [f"images[{index}]{fault}" for fault in found]
        if not found:
            entries.append(ImageEntry(entry["image"], tuple(entry["command"]), entry.get("env") or {}))
    if faults:
        raise InputError("the image map is wrong", where=str(file), cause="; ".join(faults), fix=f"write {_FORM}")
    return tuple(entries)


def _faults(entry: Any, before: list[str]) -> list[str]:
    if not isinstance(entry, dict):
        return [" is not a mapping"]
    faults = [f".{key}: there is no such field" for key in sorted(map(str, set(entry) - _KEYS))]
    image, command, env = entry.get("image"), entry.get("command"), entry.get("env") or {}
    if not isinstance(image, str) or not image:
        faults.append(".image: is not a pattern of image names")
    elif image in before:
        faults.append(f".image: {image} stands above already, and the first entry counts")
    if not isinstance(command, list) or not command or not all(isinstance(word, str) and word for word in command):
        faults.append(".command: is not a list of words (quote what YAML takes for a number)")
    elif "/" in command[0] and not command[0].startswith("/"):
        faults.append(f".command: {command[0]} is neither a name on the PATH nor an absolute path")
    if not isinstance(env, dict) or not all(isinstance(part, str) for pair in env.items() for part in pair):
        faults.append(".env: is not a mapping of names to text (quote what YAML takes for a number)")
    return faults
