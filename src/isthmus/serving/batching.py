"""Requests that come close together go through the network together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Run = Callable[[str, NDArray], NDArray]


@dataclass(frozen=True, eq=False)
class _Job:
    operation: str
    rows: NDArray
    answer: asyncio.Future[NDArray]

    @property
    def key(self) -> tuple[str, str]:
        """What jobs that are computed together have in common."""
        return self.operation, self.rows.dtype.str


class Batcher:
    """Puts rows of several requests together, computes in one thread, and hands each its share.

    Parameters
    ----------
    run : callable
        Computes an operation on rows.
    most_rows : int
        Rows after which no more requests are added.
    seconds : float
        How long the first request waits for others.
    """

    def __init__(self, run: Run, most_rows: int, seconds: float) -> None:
        self._run, self._most_rows, self._seconds = run, most_rows, seconds
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Compute while the block lasts."""
        with ThreadPoolExecutor(1, thread_name_prefix="isthmus-serve") as thread:
            worker = asyncio.create_task(self._work(thread))
            try:
                yield
            finally:
                worker.cancel()

    async def submit(self, operation: str, rows: NDArray) -> NDArray:
        """Give the answer for some rows."""
        job = _Job(operation, rows, asyncio.get_running_loop().create_future())
        self._jobs.put_nowait(job)
        return await job.answer

    async def _work(self, thread: ThreadPoolExecutor) -> None:
        while True:
            groups: dict[tuple[str, str], list[_Job]] = {}
            for job in await self._gathered():
                groups.setdefault(job.key, []).append(job)
            for jobs in groups.values():
                await self._compute([job for job in jobs if not job.answer.done()], thread)

    async def _gathered(self) -> list[_Job]:
        """Wait for a request, then a little for more."""
        jobs = [await self._jobs.get()]
        await asyncio.sleep(self._seconds)
        rows = len(jobs[0].rows)
        while rows < self._most_rows and not self._jobs.empty():
            jobs.append(self._jobs.get_nowait())
            rows += len(jobs[-1].rows)
        return jobs

    async def _compute(self, jobs: list[_Job], thread: ThreadPoolExecutor) -> None:
        if not jobs:
            return
        rows = np.concatenate([job.rows for job in jobs])
        computed = asyncio.get_running_loop().run_in_executor(thread, self._run, jobs[0].operation, rows)
        await asyncio.wait([computed])
        error, start = computed.exception(), 0
        for job in jobs:
            stop = start + len(job.rows)
            if job.answer.done():
                pass
            elif error is not None:
                job.answer.set_exception(error)
            else:
                job.answer.set_result(computed.result()[start:stop])
            start = stop
