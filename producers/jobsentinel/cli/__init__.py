"""The ``jobsentinel`` command: one module for each group of commands.

What needs only Redis is here. What needs the store, the registry or the workers belongs to the
heavy wing, and is found by entry points of the group ``jobsentinel.commands``.
"""

from __future__ import annotations


def main() -> int:
    """Run the command of this process and return its exit code."""
    from jobsentinel.cli.program import program

    return program.run()
