"""What Prometheus reads; nothing of it names a tenant or a task."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from metaglot.serving.store.tables import Job

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)


class Meters:
    """The meters of one server, in a registry of its own."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        labels = ("route", "method", "status")
        self.requests = Counter("metaglot_requests", "Requests.", labels, registry=own)
        about = "Until an answer begins."
        self.seconds = Histogram("metaglot_request_seconds", about, ("route",), buckets=SECONDS, registry=own)
        self.open = Gauge("metaglot_open_requests", "Requests that are not answered yet.", registry=own)
        self.texts = Counter("metaglot_texts", "Texts that were predicted or embedded.", registry=own)
        self._jobs = Counter("metaglot_jobs", "Jobs that ended.", ("kind", "state"), registry=own)
        about = "From when a job began to when it ended."
        self._job_seconds = Histogram("metaglot_job_seconds", about, ("kind",), buckets=SECONDS, registry=own)

    def job(self, job: Job) -> None:
        """Count a job that ended."""
        self._jobs.labels(job.kind, job.state).inc()
        if job.started is not None and job.finished is not None:
            self._job_seconds.labels(job.kind).observe(job.finished - job.started)

    def page(self) -> bytes:
        """Return all meters, as Prometheus reads them."""
        return generate_latest(self._registry)
