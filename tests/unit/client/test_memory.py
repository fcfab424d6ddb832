"""What a clip costs the client while its answer is awaited."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from samples.silent_server import SilentServer

CLIP_MIB = 48
PROGRAM = """
import asyncio, psutil, sys, threading
from triptych_client import AsyncClient, Client

url, clip, kind = sys.argv[1:]
used_mib = lambda: psutil.Process().memory_info().rss / (1 << 20)

def ask():
    with Client(url) as client:
        client.triton_version()
        print(used_mib(), flush=True)
        list(client.map([clip]))

async def ask_in_a_loop():
    async with AsyncClient(url) as client:
        await client.triton_version()
        print(used_mib(), flush=True)
        [outcome async for outcome in client.map([clip])]

threading.Thread(target=ask if kind == "Client" else lambda: asyncio.run(ask_in_a_loop()), daemon=True).start()
sys.stdin.readline()
print(used_mib(), flush=True)
"""


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_a_clip_is_held_twice_while_it_is_analysed(kind: str, tmp_path: Path):
    """Once as the message, once as what gRPC sends of it, and would send again."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(bytes(CLIP_MIB << 20))
    with SilentServer() as server:
        command = [sys.executable, "-c", PROGRAM, server.url, str(clip), kind]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdin
            assert client.stdout
            before_mib = float(client.stdout.readline())
            assert server.asked.wait(60)
            client.stdin.write("\n")
            client.stdin.flush()
            during_mib = float(client.stdout.readline())
            client.kill()
    assert 1.9 < (during_mib - before_mib) / CLIP_MIB < 2.5
