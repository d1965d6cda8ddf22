import sys
from pathlib import Path

import pytest

from iambridge.errors import InputError
from iambridge.sandbox.cluster.kubelet.command import ImageEntry, image_entry
from iambridge.sandbox.image_map import BUILT_IN, read_image_map

GUIDE = Path(__file__).parents[3] / "docs/how-to/image-map.md"


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "images.yaml"
    file.write_text(text)
    return file


def test_the_guide_s_example_is_read(tmp_path: Path) -> None:
    """The file in docs/how-to/image-map.md means what its text says."""
    example = GUIDE.read_text().partition("```yaml\n")[2].partition("```")[0]
    entries = read_image_map(written(tmp_path, example))
    assert entries[0] == ImageEntry("amazon/aws-cli", ("aws",), {"AWS_PAGER": ""})
    assert image_entry("amazon/aws-cli:2.31.0", entries) is entries[0]
    assert image_entry("registry.example/team/any:1@sha256:00", entries) is entries[1]
    assert image_entry("amazon/aws-cli-other", entries) is None
    assert image_entry("localhost:5000/aws-cli", entries) is None


@pytest.mark.parametrize(
    "image", ["iambridge", "iambridge:0.1", "ghcr.io/any/iambridge:0.1@sha256:00", "localhost:5000/iambridge"]
)
def test_our_own_image_is_this_installation(image: str) -> None:
    """Whatever registry and tag: this interpreter's iambridge; names that only contain ours are not it."""
    entry = image_entry(image, BUILT_IN)
    assert entry is not None
    assert entry.argv == (sys.executable, "-P", "-m", "iambridge")
    assert image_entry(image.replace("iambridge", "not-iambridge"), BUILT_IN) is None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("images: [1]", "images[0] is not a mapping"),
        ("images: [{image: a}]", "images[0].command: is not a list of words"),
        ("images: [{image: a, command: [sleep, 3]}]", "images[0].command: is not a list of words (quote"),
        ("images: [{image: a, command: [./run]}]", "images[0].command: ./run is neither a name on the PATH nor"),
        ("images: [{image: a, command: [b], env: {A: 1}}]", "images[0].env: is not a mapping of names to text"),
        ("images: [{image: a, command: [b], args: [c]}]", "images[0].args: there is no such field"),
        (
            "images: [{image: a, command: [b]}, {image: a, command: [c]}, {command: [d]}]",
            "images[1].image: a stands above already, and the first entry counts; images[2].image: is not a pattern",
        ),
    ],
)
def test_every_fault_is_told_with_its_place(tmp_path: Path, text: str, cause: str) -> None:
    """All faults of the file at once, each with the path to the field."""
    with pytest.raises(InputError, match="the image map is wrong") as refused:
        read_image_map(written(tmp_path, text))
    assert cause in refused.value.cause
    assert refused.value.where == str(tmp_path / "images.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "not YAML"), ("[]", "not of the form"), ("images: {}", "not of the form"), ("images: []\nb: 1", "form")],
)
def test_another_document_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """What is not YAML, and YAML that is something else, say what is expected."""
    with pytest.raises(InputError, match=message) as refused:
        read_image_map(written(tmp_path, text))
    assert "images: a list of entries" in refused.value.fix


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(InputError, match="No such file") as refused:
        read_image_map(tmp_path / "absent")
    assert refused.value.where == str(tmp_path / "absent")
