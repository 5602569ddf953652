"""The commands that need the store, the registry or the workers; found by entry points.

Importing one loads neither torch nor SQLAlchemy: `jobsentinel runs --help` stays quick, and says
what to install where the heavy packages are missing.
"""
