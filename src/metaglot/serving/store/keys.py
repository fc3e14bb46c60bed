"""Idempotency keys: a request that is sent again under its key begins nothing new.

The key is written in the transaction that begins the job, so that there is no moment at which one is there without the
other.  The header: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import time

from sqlalchemy import delete
from sqlalchemy.orm import Session

from metaglot.serving.store.tables import Key

SECONDS = 24 * 3600  # that a key is known


class KeyReusedError(Exception):
    """The key stood at another request before."""


def job_of(session: Session, tenant: str, key: str, fingerprint: str) -> str | None:
    """Return the id of the job that began under a key; raise KeyReusedError where that was by another request."""
    known = session.get(Key, (tenant, key))
    if known is None or known.created < time.time() - SECONDS:
        return None
    if known.fingerprint != fingerprint:
        raise KeyReusedError
    return known.job_id


def remember(session: Session, tenant: str, key: str, fingerprint: str, job_id: str) -> None:
    """Note the job that begins under a key."""
    session.execute(delete(Key).where(Key.tenant == tenant, Key.key == key))
    session.add(Key(tenant=tenant, key=key, fingerprint=fingerprint, job_id=job_id, created=time.time()))


def expire(session: Session) -> None:
    """Forget keys that are too old."""
    session.execute(delete(Key).where(Key.created < time.time() - SECONDS))
