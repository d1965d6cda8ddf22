import asyncio
import io
import json

from iambridge.adapters.decision_log import JsonLinesDecisionLog
from iambridge.core.decision import Decision, Outcome, Reason


def _decision(text: str = "the caller is known") -> Decision:
    return Decision("sts:GetCallerIdentity", Outcome.ALLOWED, (Reason("authenticated", text, held=True),))


def test_without_linger_every_line_is_on_the_stream_when_record_returns() -> None:
    stream = io.StringIO()
    JsonLinesDecisionLog(stream, lambda: 7.0).record(_decision(), request_id="1", client="127.0.0.1:9")
    line = json.loads(stream.getvalue())
    assert (line["time"], line["requestId"], line["client"]) == (7.0, "1", "127.0.0.1:9")
    assert line["reasons"] == [{"code": "authenticated", "text": "the caller is known", "where": "", "held": True}]


def test_lines_of_a_loop_wait_for_each_other_and_come_by_themselves_in_order() -> None:
    stream = io.StringIO()
    log = JsonLinesDecisionLog(stream, lambda: 0.0, linger=0.001)

    async def run() -> None:
        for number in range(3):
            log.record(_decision(), request_id=str(number))
        assert stream.getvalue() == ""
        async with asyncio.timeout(20):
            while not stream.getvalue():  # noqa: ASYNC110 - a stream has no event
                await asyncio.sleep(0.001)

    asyncio.run(run())
    assert [json.loads(line)["requestId"] for line in stream.getvalue().splitlines()] == ["0", "1", "2"]


def test_what_waits_is_bounded_and_flush_leaves_nothing() -> None:
    stream = io.StringIO()
    log = JsonLinesDecisionLog(stream, lambda: 0.0, linger=3600)

    async def run() -> None:
        for number in range(600):
            log.record(_decision(), request_id=str(number))

    asyncio.run(run())
    assert len(stream.getvalue().splitlines()) == 512
    log.flush()
    log.flush()
    assert [json.loads(line)["requestId"] for line in stream.getvalue().splitlines()] == [str(n) for n in range(600)]


def test_without_a_running_loop_nothing_waits() -> None:
    stream = io.StringIO()
    JsonLinesDecisionLog(stream, lambda: 0.0, linger=3600).record(_decision(), request_id="1")
    assert stream.getvalue().count("\n") == 1


def test_a_line_is_ascii_whatever_was_decided() -> None:
    stream = io.StringIO()
    for text in ("café \u2028", "a lone \udce9 of a client's escapes"):
        JsonLinesDecisionLog(stream, lambda: 0.0).record(_decision(text), request_id="1")
        line = stream.getvalue().splitlines()[-1]
        assert line.isascii()
        assert json.loads(line)["reasons"][0]["text"] == text


def test_reasons_that_are_alike_keep_their_own_facts() -> None:
    """What is kept of a reason that held is its whole spelling: the next call's differs in a fact, or did not hold."""
    stream = io.StringIO()
    log = JsonLinesDecisionLog(stream, lambda: 0.0)
    told = [
        (True, {"statement": "0"}),
        (True, {"statement": "1"}),
        (False, {"statement": "1"}),
        (True, {}),
        (False, {}),
    ]
    for _ in range(2):
        reasons = tuple(Reason("c", "t", "w", held, facts) for held, facts in told)
        log.record(Decision("hop", Outcome.ALLOWED, reasons, "a fix"), request_id="1")
    for line in map(json.loads, stream.getvalue().splitlines()):
        assert [(reason["held"], reason.get("facts", {})) for reason in line["reasons"]] == told
        assert list(line) == ["time", "requestId", "hop", "outcome", "reasons", "fix"]
