"""A typed client: it retries, sends idempotency keys by itself, and follows jobs to their end."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel

from metaglot.serving.client.sending import Sender, ServerError, fault
from metaglot.serving.forms.answers import (
    Embeddings,
    ExampleList,
    JobInfo,
    JobPage,
    ManyPredictions,
    Prediction,
    Predictions,
    RowPrediction,
    TaskInfo,
    TaskPage,
    VersionList,
)
from metaglot.serving.forms.texts import Example

AnswerT = TypeVar("AnswerT", bound=BaseModel)
PageT = TypeVar("PageT", TaskPage, JobPage)
Examples = Sequence[Mapping[str, Any] | tuple[str, Any]]
Inputs = Sequence[str | Mapping[str, Any]]
WAIT = 20  # seconds that one request waits for an adaptation
PAUSE = 0.5  # seconds between two looks at a job


class Client:
    """A client of `metaglot serve`.

    A request that meets a full server (429, 503) or no connection is sent again, after pauses that grow.  What begins
    an adaptation carries a key, so that it begins once however often it is sent.

    Parameters
    ----------
    url : str
        Where the server is.
    token : str, optional
        What `metaglot serve token add` printed; a server on this machine may have none.
    timeout : float, default=60
        Seconds that one request may take.
    retries : int, default=6
        How often a request is sent again.
    transport : httpx.BaseTransport, optional
        What carries requests, for tests and proxies.

    Examples
    --------
    The examples of the methods go on from this one; `url` is that of a server.

    >>> from metaglot.serving import Client
    >>> client = Client(url, token=token)
    >>> examples = [
    ...     ("Refund my order.", "billing"), ("I was charged twice.", "billing"),
    ...     ("The app crashes.", "technical"), ("The screen stays black.", "technical"),
    ... ]
    >>> task = client.create("tickets", examples, effort="instant")
    >>> task.family, task.version.labels
    ('classification', ['billing', 'technical'])
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        timeout: float = 60.0,
        retries: int = 6,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)
        self._sender = Sender(self._http, retries)

    def __enter__(self) -> "Client":
        """Return itself, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create(
        self,
        name: str,
        examples: Examples,
        *,
        family: str | None = None,
        effort: str | None = None,
        seed: int = 0,
        key: str | None = None,
    ) -> TaskInfo:
        """Return a new task that is learnt from examples, once it is.

        Parameters
        ----------
        name : str
            What it is called.
        examples : list of (text, label) or of dict
            The examples; a dict may have a second text (`pair`) or `candidates`.
        family, effort, seed
            As `metaglot.Model.adapt` has them; the family is its `task`.
        key : str, optional
            The idempotency key; by default a new one.

        Returns
        -------
        TaskInfo
            The task.

        Raises
        ------
        ServerError
            Where the server refuses it, or cannot be reached.
        """
        body = {"name": name, "examples": _rows(examples), "family": family, "effort": effort, "seed": seed}
        return self._adapted("/v1/tasks", body, key)

    def add_examples(self, task: str, examples: Examples, *, key: str | None = None) -> TaskInfo:
        """Return the task of this id with more examples, once it has learnt them.

        >>> client.add_examples(task.id, [("Where is my parcel?", "delivery")]).version.labels
        ['billing', 'technical', 'delivery']
        """
        return self._adapted(f"/v1/tasks/{task}/examples", {"examples": _rows(examples)}, key)

    def predict(
        self, task: str, inputs: Inputs, *, top_k: int | None = None, unknown: str | None = None, explain: int = 0
    ) -> list[Prediction]:
        """Return a prediction for each input.

        >>> client.predict(task.id, ["Why is there a fee on my invoice?"])[0].label
        'billing'
        """
        options = {"top_k": top_k, "unknown": unknown, "explain": explain}
        found = self._ask("POST", f"/v1/tasks/{task}/predict", Predictions, {"inputs": list(inputs), **options})
        return found.predictions

    def predict_rows(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        top_k: int | None = None,
        unknown: str | None = None,
        explain: int = 0,
    ) -> list[RowPrediction]:
        """Return a prediction for each row, a dict of `task` and `text`.

        >>> client.predict_rows([{"task": task.id, "text": "It crashes."}])[0].label
        'technical'
        """
        options = {"top_k": top_k, "unknown": unknown, "explain": explain}
        return self._ask("POST", "/v1/predict", ManyPredictions, {"rows": [*map(dict, rows)], **options}).predictions

    def embed(self, inputs: Inputs) -> list[list[float]]:
        """Return the features of texts, by the model as it is.

        >>> len(client.embed(["A fee?", "It does not start."]))
        2
        """
        return self._ask("POST", "/v1/embed", Embeddings, {"inputs": list(inputs)}).embeddings

    def tasks(self) -> Iterator[TaskInfo]:
        """Yield the tasks, the oldest first.

        >>> [task.name for task in client.tasks()]
        ['tickets']
        """
        for page in self._pages("/v1/tasks", TaskPage):
            yield from page.tasks

    def task(self, task: str) -> TaskInfo:
        """Return the task of this id."""
        return self._get(f"/v1/tasks/{task}", TaskInfo)

    def delete(self, task: str) -> None:
        """Remove a task with its versions and examples."""
        self._sender.send("DELETE", f"/v1/tasks/{task}", gone_is_done=True)

    def examples(self, task: str) -> list[Example]:
        """Return the examples that a task has learnt.

        >>> client.examples(task.id)[-1].label
        'delivery'
        """
        return self._get(f"/v1/tasks/{task}/examples", ExampleList).examples

    def versions(self, task: str) -> VersionList:
        """Return the versions of a task.

        >>> client.versions(task.id).current
        2
        """
        return self._get(f"/v1/tasks/{task}/versions", VersionList)

    def rollback(self, task: str, version: int) -> TaskInfo:
        """Return the task, which answers as that version did.

        >>> client.rollback(task.id, 1).version.number
        1
        """
        return self._ask("POST", f"/v1/tasks/{task}/rollback", TaskInfo, {"version": version})

    def jobs(self) -> Iterator[JobInfo]:
        """Yield the jobs, the oldest first."""
        for page in self._pages("/v1/jobs", JobPage):
            yield from page.jobs

    def job(self, job: str) -> JobInfo:
        """Return the job of this id."""
        return self._get(f"/v1/jobs/{job}", JobInfo)

    def follow(self, job: str) -> Iterator[JobInfo]:
        """Yield a job at each change, until it has ended.

        >>> [job.state for job in client.follow(next(client.jobs()).id)]
        ['done']
        """
        with self._http.stream("GET", f"/v1/jobs/{job}/events") as response:
            if not response.is_success:
                response.read()
                raise fault(response)
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    yield JobInfo.model_validate(json.loads(line.removeprefix("data: ")))

    def ready(self) -> bool:
        """Return whether the server can adapt and predict.

        >>> client.ready()
        True
        """
        try:
            return self._http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def _get(self, path: str, kind: type[AnswerT], query: Mapping[str, str] | None = None) -> AnswerT:
        return kind.model_validate_json(self._sender.send("GET", path, params=query).content)

    def _pages(self, path: str, kind: type[PageT]) -> Iterator[PageT]:
        page = self._get(path, kind)
        yield page
        while page.next is not None:
            page = self._get(path, kind, {"after": page.next})
            yield page

    def _ask(self, method: str, path: str, kind: type[AnswerT], body: Mapping[str, Any]) -> AnswerT:
        return kind.model_validate_json(self._sender.send(method, path, json=_given(body)).content)

    def _adapted(self, path: str, body: Mapping[str, Any], key: str | None) -> TaskInfo:
        """Return the task once its job has ended, which may be longer than one request waits."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        while True:
            response = self._sender.send("POST", path, json={**_given(body), "wait": WAIT}, headers=headers)
            if response.status_code != HTTPStatus.ACCEPTED:
                return TaskInfo.model_validate_json(response.content)
            self._end(JobInfo.model_validate_json(response.content))

    def _end(self, job: JobInfo) -> None:
        """Wait until a job has ended; the request that began it then says how."""
        while job.state in ("queued", "running"):
            time.sleep(PAUSE)
            try:
                job = self.job(job.id)
            except ServerError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                return


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a body is given."""
    return {name: value for name, value in body.items() if value is not None}


def _rows(examples: Examples) -> list[dict[str, Any]]:
    return [{"text": one[0], "label": one[1]} if isinstance(one, tuple) else dict(one) for one in examples]
