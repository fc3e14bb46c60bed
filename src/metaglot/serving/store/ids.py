"""Names that nobody can guess: 128 bits of the system's randomness for what is listed, 256 for a token."""

import hashlib
import secrets

PREFIX = "mg_"


def new_id(kind: str) -> str:
    """Return a new id, such as task_9f…"""
    return f"{kind}_{secrets.token_hex(16)}"


def new_secret() -> str:
    """Return a new token."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """Return what is kept of a token: SHA-256, which is enough where a secret has 256 bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
