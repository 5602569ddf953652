"""Between a thread and whatever Scrapy runs on: asyncio's loop, or a reactor of Twisted's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from scrapy.utils.asyncio import is_asyncio_available
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

T = TypeVar("T")


class Bridge(Protocol):
    """Promises that Scrapy can await, kept by calls that come from a thread."""

    def promise(self) -> Awaitable[None]:
        """Return something to be awaited."""
        ...

    def keep(self, promise: Any, error: Exception | None) -> None:
        """Let who awaits it go on, or raise; called in the loop."""
        ...

    def call(self, work: Callable[[], None]) -> None:
        """Do something in the loop soon; called from any thread."""
        ...

    def in_thread(self, work: Callable[[], T]) -> Awaitable[T]:
        """Do something in a thread."""
        ...


class _Loop:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def promise(self) -> asyncio.Future[None]:
        return self._loop.create_future()

    def keep(self, promise: asyncio.Future[None], error: Exception | None) -> None:
        if promise.done():  # it was cancelled
            return
        if error is None:
            promise.set_result(None)
        else:
            promise.set_exception(error)

    def call(self, work: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            self._loop.call_soon_threadsafe(work)

    def in_thread(self, work: Callable[[], T]) -> Awaitable[T]:
        return self._loop.run_in_executor(None, work)


class _Reactor:
    def promise(self) -> Deferred[None]:
        return Deferred()

    def keep(self, promise: Deferred[None], error: Exception | None) -> None:
        if error is None:
            promise.callback(None)
        else:
            promise.errback(error)

    def call(self, work: Callable[[], None]) -> None:
        from twisted.internet import reactor  # which one is known only when it runs

        reactor.callFromThread(work)

    def in_thread(self, work: Callable[[], T]) -> Deferred[T]:
        return deferToThread(work)


def bridge() -> Bridge:
    """Return the bridge to the loop or reactor that runs now."""
    return _Loop() if is_asyncio_available() else _Reactor()
