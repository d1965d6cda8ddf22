"""What we serve: one server a file, each a function from `wire.http.Request` to `Response`: parse, decide, render.

A server gets its facts through `ports`, judges them in `core` and never opens a socket itself; `cli` (stand-alone) and
`sandbox` (embedded) give it adapters and a listener.
"""
