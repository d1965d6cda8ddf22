"""Random changes to good inputs: the cheapest way past the first check of a parser."""

import random

_TOKENS = (
    b"", b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"%", b"%00", b"%zz", b"&", b"=", b";", b"..", b"//", b"+", b" ",
    b"\r\n", b"\r\n\r\n", b"{", b"}", b"[", b"]", b'"', b"\\u0000", b"\\ud800", b"null", b"true", b"NaN", b"-0",
    b"1e999", b"99999999999999999999", b"-1", b"0", b"*", b"?", b"${aws:username}", b"${", b"arn:aws:iam::1:role/x",
    b"aws:PrincipalTag/", b"ForAllValues:", b"IfExists", b"StringLike", b"Deny", b"member.1", b"member.0",
    b"member.99999", b"Tags.member.1.Key", b"X-Amz-Signature=", b"x-amz-", b"Action=", b"Version=2011-06-15",
    b"chunk-signature=", b"AWS4-HMAC-SHA256", b"eyJhbGciOiJub25lIn0", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80",
)  # fmt: skip


class Mutator:
    """Mutations of `seeds`, one after another, from one seed of randomness. An output is at most 64 KiB."""

    _LONGEST = 65_536

    def __init__(self, seeds: list[bytes], randomness: random.Random) -> None:
        self._seeds = seeds
        self._random = randomness

    def __call__(self) -> bytes:
        draw = self._random
        data = draw.choice(self._seeds)
        for _ in range(draw.choice((0, 1, 1, 1, 2, 3, 5, 8))):
            data = self._once(data)[: self._LONGEST]
        return data

    def _once(self, data: bytes) -> bytes:
        draw = self._random
        start = draw.randrange(len(data) + 1)
        end = min(len(data), start + draw.choice((0, 1, 1, 2, 4, 16, 64)))
        match draw.randrange(7):
            case 0:
                return data[:start] + bytes([draw.randrange(256)]) + data[start + 1 :]
            case 1:
                return data[:start] + data[end:]
            case 2:
                return data[:start] + draw.choice(_TOKENS) + data[end:]
            case 3:
                return data[:end] + data[start:end] * draw.choice((1, 2, 50)) + data[end:]
            case 4:
                other = draw.choice(self._seeds)
                cut = draw.randrange(len(other) + 1)
                return data[:start] + other[cut:]
            case 5:
                other = draw.choice(self._seeds)
                cut = draw.randrange(len(other) + 1)
                return data[:start] + other[cut : cut + 40] + data[end:]
            case _:
                return data[:start] + data[start:end].swapcase() + data[end:]
