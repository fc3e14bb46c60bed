"""What a server takes from one request and one tenant at most."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from metaglot.errors import MetaglotError


@dataclass(frozen=True)
class Limits:
    """The limits of a server; each is a whole number above 0."""

    body_bytes: int = 4_000_000  # of a request
    texts: int = 1_000  # that one request asks about
    characters: int = 20_000  # of a text with its second text or its candidates
    probabilities: int = 50_000  # of one answer
    examples: int = 5_000  # of a task
    marked_characters: int = 500_000  # of a task that reads all of a text: spans, answers, choices
    classes: int = 1_000  # or labels, of a task
    label_characters: int = 1_000  # of a class, or of the label of a span
    versions: int = 200  # of a task
    candidates: int = 100  # of a text
    tasks: int = 1_000  # of a tenant
    tenant_megabytes: int = 10_000  # on the disk: weights of all versions, and their examples
    waiting_jobs: int = 16  # of a tenant
    all_waiting_jobs: int = 256
    requests_per_second: int = 100  # of a tenant, on average
    burst: int = 300  # requests of a tenant at once
    concurrent_requests: int = 512  # of all tenants
    followers: int = 32  # of a tenant that follow jobs at the same time
    request_seconds: int = 30  # that a request takes, to be read and to be answered
    job_seconds: int = 900  # that one adaptation takes
    cache_megabytes: int = 256  # of adaptations in memory


def limits_of(changes: Sequence[str]) -> Limits:
    """Return the limits with changes such as "texts=500"; raise MetaglotError for what is none."""
    names = [field.name for field in fields(Limits)]
    limits = Limits()
    for change in changes:
        name, _, value = change.partition("=")
        if name not in names:
            raise MetaglotError(f"--limit {change!r:.60}: unknown; there are {', '.join(names)}")
        if not (value.isascii() and value.isdigit() and int(value[:18]) > 0 and len(value) < 18):
            raise MetaglotError(f"--limit {change!r:.60}: give a whole number above 0, such as {name}=100")
        limits = replace(limits, **{name: int(value)})
    return limits
