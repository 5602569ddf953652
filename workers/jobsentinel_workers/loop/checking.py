"""Asking the fleet to check its loops: on a schedule, after labels came in, or by hand.

A check that waits in the queue sees whatever is stored before it begins, so a second one is not
sent beside it. After labels came in, the newest label names the job: for the same labels there is
one check, however many processes ask.
"""

from __future__ import annotations

import logging
from contextlib import closing

from jobsentinel.backpressure import Gate
from jobsentinel.contract.errors import ConfigurationError, QueueUnavailable
from jobsentinel.contract.loops import CheckLoopsRequest
from jobsentinel.ledger import Ledger, connect
from jobsentinel.new_jobs import make_job
from jobsentinel.settings import Settings
from jobsentinel_workers.loop.label_counts import newest_label
from jobsentinel_workers.store import Database, loops

logger = logging.getLogger(__name__)

CHECK_LOOPS = "check_loops"


def request_check(settings: Settings) -> bool:
    """Ask for a check after labels were stored; return whether one is on its way.

    Nothing is asked where no loop is active or no Redis can be reached: what is stored is seen by
    the next check on the schedule.

    Raises:
        ConfigurationError, StoreUnavailable: the store cannot be used.
    """
    with closing(Database.open(settings.store_url)) as database:
        try:
            with closing(connect(settings.resolve_redis_url())) as client:
                return ask_after_labels(settings, database, Ledger(client, settings.namespace))
        except (ConfigurationError, QueueUnavailable) as error:
            logger.info("loop.check_not_sent %s", error)
            return False


def ask_after_labels(settings: Settings, database: Database, ledger: Ledger) -> bool:
    """Send a check for the labels that are stored now, if a loop is active.

    Raises:
        QueueUnavailable: Redis cannot be reached.
    """
    with database.connect() as connection:
        if not loops.find(connection, active=True):
            return False
        newest = newest_label(connection)
    return ask(settings, ledger, key=f"labels:{newest}")


def ask(settings: Settings, ledger: Ledger, *, key: str) -> bool:
    """Send the check of this name unless one waits; return whether one is on its way.

    Raises:
        QueueUnavailable: Redis cannot be reached.
    """
    if ledger.waiting([CHECK_LOOPS]):
        return True
    job = make_job(CHECK_LOOPS, CheckLoopsRequest(), generation=lambda: "", key=key)
    refusal = Gate(ledger, settings).offer(job)
    if refusal is not None:
        logger.info("loop.check_not_sent the queue is full")
    return refusal is None
