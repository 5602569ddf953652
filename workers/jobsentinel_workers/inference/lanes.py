"""A lane of their own for interactive messages, from Redis to a thread.

Celery's consumer takes as many messages as the pool has threads, whatever their queue; under a
flood of bulk jobs an interactive one would wait until a whole chunk of postings is done. So the
bulk queue alone is Celery's, and interactive messages come by a second channel, whose prefetch
count is its own, to threads that bulk jobs never take. Both are extension points of Celery:
https://docs.celeryq.dev/en/stable/userguide/extending.html#custom-message-consumers
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from celery import bootsteps
from celery.concurrency.thread import TaskPool
from kombu.messaging import Consumer

from jobsentinel.contract.tasks import INTERACTIVE

INTERACTIVE_THREADS: Final = 4


class InferencePool(TaskPool):  # type: ignore[misc]  # Celery ships no types
    """Celery's thread pool with some threads more than Celery knows of."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.executor: ThreadPoolExecutor = ThreadPoolExecutor(
            max_workers=self.limit + INTERACTIVE_THREADS, thread_name_prefix="inference"
        )


class InteractiveConsumer(bootsteps.ConsumerStep):  # type: ignore[misc]  # likewise
    """Consumes the interactive queue on a channel of its own, in workers that serve it."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        self._celery_consumer = parent
        super().__init__(parent, **kwargs)

    def include_if(self, parent: Any) -> bool:
        """Only a worker that serves the bulk queue as well needs this lane."""
        return bool(parent.controller.has_interactive_lane)

    def get_consumers(self, channel: Any) -> list[Any]:
        """Return one consumer, whose messages take the same way as all others."""
        queue = self._celery_consumer.app.amqp.queues[INTERACTIVE]
        channel.basic_qos(0, 2 * INTERACTIVE_THREADS, False)
        handle = self._celery_consumer.create_task_handler()
        make_consumer: Any = Consumer  # untyped in kombu
        return [make_consumer(channel, [queue], on_message=handle, accept=["msgpack"])]
