"""The store's history, one file a revision, applied by ``Database.migrate``."""
