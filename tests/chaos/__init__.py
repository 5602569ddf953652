"""Chaos: real workers and a real server, killed, frozen and cut off while jobs are counted.

    python -m tests.chaos            everything, beside stock Celery, as a table
    tests/chaos/test_chaos.py        the same scenarios in small, with every `make test`

Each scenario sends jobs, does its damage at moments drawn from a seed, waits until all is quiet,
and counts from what was written: a line for each computing, a row for each storing. The work is
light, since the queue is under test and not the models. Modules import each other relatively, for
the suite is run both as ``tests.chaos`` and by pytest.
"""
