"""Checks what `deploy/` holds, offline: ``python -m deploy.checking``, a part of `make check`.

Every overlay is rendered and must satisfy the API's own schemas for several versions of Kubernetes,
our schemas of the custom resources, and our rules; the Dockerfiles must satisfy hadolint.
"""
