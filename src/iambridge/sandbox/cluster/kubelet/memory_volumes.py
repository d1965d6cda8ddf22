"""Where emptyDir volumes of medium Memory lie: on the machine's own memory file system, private to the node.

They end with the node, as they do when a real one is switched off.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it, closed to others


class MemoryVolumes:
    """One directory a pod below `root`; None where the machine has no such file system."""

    def __init__(self, root: Path | None) -> None:
        self.root = root

    @classmethod
    def of(cls, directory: Path) -> "MemoryVolumes":
        """Begin anew for the kubelet whose pods are in `directory`: what an earlier one left is removed."""
        if sys.platform != "linux" or not os.access(_SHARED_MEMORY, os.W_OK | os.X_OK):
            return cls(None)
        digest = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:16]
        root = _SHARED_MEMORY / f"iambridge-{os.getuid()}-{digest}"
        shutil.rmtree(root, ignore_errors=True)
        try:
            root.mkdir(mode=0o700)
        except OSError:  # somebody else's, whom we would not trust with it
            return cls(None)
        return cls(root)

    def place(self, uid: str, volume: str) -> Path | None:
        return self.root / uid / volume if self.root is not None else None

    def remove(self, uid: str) -> None:
        if self.root is not None:
            shutil.rmtree(self.root / uid, ignore_errors=True)

    def close(self) -> None:
        if self.root is not None:
            shutil.rmtree(self.root, ignore_errors=True)
