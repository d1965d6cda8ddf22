import os
import threading
import uuid

from iambridge.adapters.randomness import random_bytes, uuid4
from iambridge.sandbox.aws.unique_ids import access_key_id, account_of


def test_no_byte_is_handed_out_twice_to_whichever_thread() -> None:
    drawn: list[bytes] = []

    def draw() -> None:
        drawn.extend([random_bytes(12) for _ in range(5000)])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == len(drawn) == 20_000
    assert {len(one) for one in drawn} == {12}


def test_a_forked_child_draws_other_bytes() -> None:
    random_bytes(1)
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writable, random_bytes(32))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(readable, 32)
    os.close(readable)
    os.close(writable)
    assert len(theirs) == 32
    assert theirs != random_bytes(32)


def test_a_request_id_is_a_random_uuid() -> None:
    for text in {uuid4() for _ in range(200)}:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)


def test_an_access_key_id_names_its_account() -> None:
    for account in ("000000000000", "111122223333", "999999999999"):
        key_id = access_key_id("ASIA", account)
        assert (len(key_id), key_id[:4], account_of(key_id)) == (20, "ASIA", account)
