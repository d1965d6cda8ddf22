"""`iambridge explain` as a whole: it offers what is there, and says of the rest that it is not."""

import importlib.util

import pytest

from iambridge.cli.explain import NOUNS
from iambridge.cli.main import main


def test_a_noun_that_is_not_there_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, unknown, and where the answer may be; `--help` promises only what is there."""
    there = [noun for noun in NOUNS if importlib.util.find_spec(f"iambridge.cli.explain_{noun}")]
    absent = [noun for noun in NOUNS if noun not in there]
    assert {"login", "injection"} <= set(there)
    for noun in absent:
        assert main(["explain", noun, "x"]) == 3
        told = capsys.readouterr().err
        assert f"explain {noun} is not there yet" in told
        assert f"these are: {', '.join(there)}" in told
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    for noun, text in NOUNS.items():
        assert (f"{noun}: {text}" in printed) == (noun in there)
    assert f"(not there yet: {', '.join(absent)})" in printed
