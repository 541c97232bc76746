"""The demo's small servers as processes."""

import asyncio
import signal
import sys

import pytest

from xds.demo.client import EdgeClient
from xds.demo.ports import LOOPBACK, free_port


@pytest.mark.parametrize("program", [("xds.demo.idp_api",), ("xds.demo.cell_api", "--name", "cell-a")])
async def test_it_serves_until_it_is_told_to_end(program: tuple[str, ...]) -> None:
    port = free_port()
    command = (sys.executable, "-P", "-m", *program, "--port", str(port), "--host", LOOPBACK)
    process = await asyncio.create_subprocess_exec(*command)
    try:
        async with asyncio.timeout(15), EdgeClient(port) as client:
            while not await client.is_answering():  # noqa: ASYNC110 -- another process has no event for us
                await asyncio.sleep(0.05)
        second = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        _, said = await asyncio.wait_for(second.communicate(), 15)
        assert (second.returncode, b"cannot listen on" in said) == (1, True)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
