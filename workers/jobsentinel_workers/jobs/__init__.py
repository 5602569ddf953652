"""How a job lives in a worker: claimed, kept by a lease, answered, committed once, closed."""
