"""Threads that share work out. Compiled code does not hold the interpreter's lock, so they run at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread in a block: those that wait for its next call keep a core busy for milliseconds."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Crew:
    """As many threads as torch uses when it is made, the calling one among them."""

    def __init__(self) -> None:
        self.size = torch.get_num_threads()
        self._process = 0
        self._others: ThreadPoolExecutor | None = None

    def each(self, work: Callable[[int], T], count: int) -> list[T]:
        """Give what work makes of the numbers up to a count, in their order; who is free takes the next one."""
        size = min(self.size, count)
        if size <= 1:
            return [work(number) for number in range(count)]
        made: dict[int, T] = {}
        numbers = iter(range(count))

        def several() -> None:
            for number in numbers:
                made[number] = work(number)

        others = self._ready()
        futures = [others.submit(several) for _ in range(1, size)]
        several()
        for future in futures:
            if not future.cancel():  # one that did not begin is not waited for
                future.result()
        return [made[number] for number in range(count)]

    def _ready(self) -> ThreadPoolExecutor:
        """Give the other threads; a forked process has none of its parent's."""
        if self._others is None or self._process != os.getpid():
            self._process = os.getpid()
            self._others = ThreadPoolExecutor(self.size - 1, "isthmus")
        return self._others
