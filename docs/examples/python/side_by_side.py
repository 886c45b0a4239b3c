"""Statements from asyncio: creates two jobs side by side while a third task listens to the events.

Beside `jobplane dev`, with the topics `orders` and `big_orders`: python docs/examples/python/side_by_side.py
"""

import asyncio
import os

from jobplane import AsyncClient

BOOTSTRAP = os.environ.get("JOBPLANE_BOOTSTRAP", "127.0.0.1:9092")
PREFIX = os.environ.get("JOBPLANE_PREFIX", "jobplane.")


async def listen(client: AsyncClient, listening: asyncio.Event) -> None:
    """Prints each event from now on, until cancelled."""
    start = 0
    async for entry in client.events():
        start = entry.offset + 1
    listening.set()
    async for entry in client.events(start, follow=True):
        print("event", entry.job, type(entry.event.body).__name__)


async def run(client: AsyncClient, name: str) -> None:
    """One job, from its creation to its end."""
    created = await client.execute(f"CREATE JOB {name} AS INSERT INTO big_orders SELECT id FROM orders", timeout=30)
    print(name, created.status)
    dropped = await client.execute(f"DROP JOB {name}")
    print(name, dropped.status)


async def main() -> None:
    async with AsyncClient(BOOTSTRAP, PREFIX) as client:
        listening = asyncio.Event()
        listener = asyncio.create_task(listen(client, listening))
        await listening.wait()
        await asyncio.gather(run(client, "east"), run(client, "west"))
        listener.cancel()  # its thread ends with it


asyncio.run(main())
