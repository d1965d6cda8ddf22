"""What is true: pure decisions over values. No I/O, clock, randomness or logging may enter here.

Functions take `now`, keys and documents as arguments and return values; a refusal that a caller must see is a
`Decision`, a malformed input is a `BridgeError`.
"""
