"""A whole sandbox whose node does not choose how to mount volumes: `python sandbox_in_mode.py --data-dir D MODE`."""

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from iambridge.sandbox.cluster.kubelet.mount_mode import MountMode
from iambridge.sandbox.data_dir import DataDir
from iambridge.sandbox.sandbox import Options, Sandbox


async def main(data_dir: DataDir, mode: MountMode) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sandbox = Sandbox(data_dir, Options(mount_mode=mode))
    try:
        await sandbox.start()
        print("iambridge is ready", flush=True)
        await stop.wait()
    finally:
        await sandbox.stop()


if __name__ == "__main__":
    _, directory, mode = sys.argv[1:]
    held = DataDir(Path(directory))
    uvloop.run(main(held, MountMode(mode)))
    held.close()
