"""Bearer tokens: 256 random bits, kept as their SHA-256; each speaks for one tenant."""

import re
import time
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from metaglot.errors import MetaglotError
from metaglot.serving.store.ids import digest_of, new_id, new_secret
from metaglot.serving.store.tables import NAME, Token

TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
TASKS, METRICS = "tasks", "metrics"
SCOPES = (TASKS, METRICS)


class NewToken(NamedTuple):
    """A token that was just made: `secret` is told once, and kept nowhere."""

    token: Token
    secret: str


def add(session: Session, tenant: str, *, name: str = "", scope: str = TASKS) -> NewToken:
    """Return a new token of a tenant; raise MetaglotError for a name that is none."""
    if not TENANT_NAME.fullmatch(tenant):
        raise MetaglotError(
            f"tenant {tenant!r:.80}: give up to 64 small letters, digits, dots, hyphens and underscores, such as acme"
        )
    if len(name) > NAME or not name.isprintable():
        raise MetaglotError(f"--name: give up to {NAME} printable characters")
    if scope not in SCOPES:
        raise MetaglotError(f"--scope {scope!r:.40}: unknown; use {' or '.join(SCOPES)}")
    secret = new_secret()
    token = Token(
        id=new_id("token"), tenant=tenant, name=name, scope=scope, digest=digest_of(secret), created=time.time()
    )
    session.add(token)
    return NewToken(token, secret)


def holder(session: Session, secret: str) -> Token | None:
    """Return the token of a secret, unless it was revoked.

    The hash is what is looked for, so that the time of the look-up says nothing of a secret.
    """
    return session.scalar(select(Token).where(Token.digest == digest_of(secret), Token.revoked.is_(None)))


def listed(session: Session) -> list[Token]:
    """Return all tokens, the oldest first."""
    return list(session.scalars(select(Token).order_by(Token.created, Token.id)))


def revoke(session: Session, token_id: str) -> Token:
    """Revoke the token of an id, and return it; raise MetaglotError where there is none."""
    token = session.get(Token, token_id)
    if token is None:
        raise MetaglotError(f"no token {token_id!r:.80}; `metaglot serve token list` shows their ids")
    token.revoked = token.revoked or time.time()
    return token


def is_active(session: Session, token_id: str) -> bool:
    """Return whether there is a token of this id that was not revoked."""
    return session.scalar(select(Token.id).where(Token.id == token_id, Token.revoked.is_(None))) is not None


def required(session: Session) -> bool:
    """Return whether a token was ever made: from then on each request needs one."""
    return session.scalar(select(Token.id).limit(1)) is not None


def any_active(session: Session) -> bool:
    """Return whether there is a token for tasks that was not revoked."""
    query = select(Token.id).where(Token.revoked.is_(None), Token.scope == TASKS).limit(1)
    return session.scalar(query) is not None
