"""Where facts live: the only I/O outside the sandbox. Each adapter is one outside thing: a socket, a file, an API."""
