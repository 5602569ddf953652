"""Runs that transformers' and sentence-transformers' own trainers make.

These libraries take seconds to import, so nothing here is imported before a run needs it. Their
reports, progress bars, model cards and hub are off, and none of their pickles is written or read:
checkpoints are those of every other run.
"""
