"""One verb a file. A verb imports what it needs inside its `run`, so that `--help` and `token` stay light."""
