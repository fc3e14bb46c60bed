"""A server under load, and killed.

    python -m benchmarks.soak [--clients 500] [--tenants 20] [--seconds 300] [--kills 50]

Clients of many tenants make tasks, add examples, predict, roll back and delete, all at once, on this machine alone and
for a fixed time.  Each tenant has labels that nobody else knows, so that another's label is seen at once.  Then the
server is killed (SIGKILL) at random moments under load, and begun again: what it acknowledged must be there and answer
as before, and what was sent again must not be there twice.  Prints percentiles, statuses, and what went wrong.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.soaked_server import SoakedServer

PROBE = "what is this about"
WORDS = (
    *("red", "blue", "green", "black", "white", "open", "shut", "early"),
    *("late", "near", "far", "old", "new", "warm", "cold", "tall"),
)
LIMITS = ("requests_per_second=10000", "burst=100000", "concurrent_requests=1024", "all_waiting_jobs=64")


@dataclass
class Known:
    """What a tenant was told of a task."""

    name: str
    versions: set[int] = field(default_factory=set)
    answers: dict[int, tuple[Any, float]] = field(default_factory=dict)  # of the probe, by version
    busy: bool = False  # a client changes it


@dataclass
class Tenant:
    """A tenant, and what it was told."""

    number: int
    token: str
    tasks: dict[str, Known] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    names: Counter[str] = field(default_factory=Counter)  # of tasks that were asked for

    def label(self, number: int) -> str:
        """A label that nobody else has."""
        return f"secret-{self.number}-{number}"

    def examples(self, draw: random.Random, labels: list[int], each: int = 2) -> list[dict[str, str]]:
        """Examples of some labels."""
        return [
            {"text": f"{WORDS[label]} {draw.choice(WORDS)} {draw.randrange(100)}", "label": self.label(label)}
            for label in labels
            for _ in range(each)
        ]


@dataclass
class Count:
    """What was seen."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    mixed: int = 0
    double: int = 0
    other: int = 0  # answers that are neither 2xx nor 429 or 503 with Retry-After
    kills: int = 0


class Load:
    """Clients that ask until they are told to stop."""

    def __init__(self, server: SoakedServer, tenants: list[Tenant], seed: int = 0) -> None:
        self.server, self.tenants, self.count = server, tenants, Count()
        self.stop = asyncio.Event()
        self.seed = seed
        # A pool looks at all of its connections at each request, so that each tenant has its own, without a limit.
        self.http = [httpx.AsyncClient(base_url=server.url, timeout=90, limits=httpx.Limits()) for _ in tenants]

    async def run(self, clients: int, seconds: float) -> None:
        """Let so many clients ask for so many seconds."""
        self.stop.clear()
        asked = [asyncio.create_task(self.client(number)) for number in range(clients)]
        await asyncio.sleep(seconds)
        self.stop.set()
        await asyncio.gather(*asked)

    async def client(self, number: int) -> None:
        """Ask, one request after another."""
        self.seed += 1
        draw, tenant = random.Random(self.seed), self.tenants[number % len(self.tenants)]
        while not self.stop.is_set():
            kind = draw.random()
            free = [key for key, one in tenant.tasks.items() if not one.busy]
            if not free or (kind < 0.08 and len(tenant.tasks) < 20):
                await self.create(tenant, draw)
            elif kind < 0.16:
                await self.change(tenant, draw.choice(free), draw)
            elif kind < 0.17 and len(free) > 5:
                await self.delete(tenant, draw.choice(free))
            elif kind < 0.25:
                await self.rows(tenant, draw.sample(free, min(4, len(free))))
            elif kind < 0.3:
                await self.listing(tenant)
            else:
                await self.predict(tenant, draw.choice(free), draw)

    async def ask(self, tenant: Tenant, kind: str, method: str, path: str, body: Any = None) -> Any:
        """Return the answer, after as many tries as it takes; None where there is none (404)."""
        headers = {"Authorization": f"Bearer {tenant.token}", "Idempotency-Key": f"{random.getrandbits(128):x}"}
        for attempt in range(1000):
            begin = time.monotonic()
            try:
                response = await self.http[tenant.number].request(method, path, json=body, headers=headers)
            except httpx.TransportError as error:  # the server was killed
                self.count.statuses[type(error).__name__] += 1
                await asyncio.sleep(0.2 + random.random() * min(2, 0.1 * 2 ** min(attempt, 6)))
                continue
            self.count.seconds[kind].append(time.monotonic() - begin)
            self.count.statuses[str(response.status_code)] += 1
            if response.is_success:
                if response.status_code == 202:  # sent again, it waits for the same job
                    continue
                return response.json() if response.content else {}
            if response.status_code in (429, 503) and "retry-after" in response.headers:
                await asyncio.sleep(float(response.headers["retry-after"]) * (0.5 + random.random()))
                continue
            if response.status_code == 404 and (attempt or kind in ("predict", "rows", "examples")):
                return None
            self.count.other += 1
            print(f"{method} {path}: {response.status_code} {response.text[:300]}", file=sys.stderr)
            return None
        raise RuntimeError(f"{method} {path}: no answer after 1000 tries")

    async def create(self, tenant: Tenant, draw: random.Random) -> None:
        tenant.names[name := f"task {draw.getrandbits(64):x}"] += 1
        body = {"name": name, "effort": "instant", "examples": tenant.examples(draw, draw.sample(range(8), 3))}
        if (task := await self.ask(tenant, "create", "POST", "/v1/tasks", body)) is not None:
            tenant.tasks[task["id"]] = Known(name, {task["version"]["number"]})

    async def change(self, tenant: Tenant, key: str, draw: random.Random) -> None:
        """Add examples, a new label now and then."""
        known = tenant.tasks[key]
        known.busy = True
        try:
            body = {"examples": tenant.examples(draw, [draw.randrange(12)])}
            task = await self.ask(tenant, "examples", "POST", f"/v1/tasks/{key}/examples", body)
            if task is None:
                self.count.lost += key in tenant.tasks
            else:
                known.versions.add(task["version"]["number"])
        finally:
            known.busy = False

    async def delete(self, tenant: Tenant, key: str) -> None:
        tenant.tasks.pop(key)
        tenant.gone.add(key)
        await self.ask(tenant, "delete", "DELETE", f"/v1/tasks/{key}")

    async def predict(self, tenant: Tenant, key: str, draw: random.Random) -> None:
        inputs = [PROBE, *(f"{draw.choice(WORDS)} {draw.choice(WORDS)}" for _ in range(draw.randrange(8)))]
        found = await self.ask(tenant, "predict", "POST", f"/v1/tasks/{key}/predict", {"inputs": inputs})
        if found is None:
            self.count.lost += key in tenant.tasks
        elif key in tenant.tasks:
            self.check(tenant, found["predictions"])
            self.same(tenant.tasks[key], found["version"], found["predictions"][0])

    async def rows(self, tenant: Tenant, keys: list[str]) -> None:
        body = {"rows": [{"task": key, "text": PROBE} for key in keys]}
        found = await self.ask(tenant, "rows", "POST", "/v1/predict", body)
        if found is None:
            self.count.lost += all(key in tenant.tasks for key in keys)
            return
        self.check(tenant, found["predictions"])
        for key, one in zip(keys, found["predictions"], strict=True):
            self.count.mixed += one["task"] != key
            if key in tenant.tasks:
                self.same(tenant.tasks[key], one["version"], one)

    async def listing(self, tenant: Tenant) -> None:
        before = {key for key, one in tenant.tasks.items() if not one.busy}
        page = await self.ask(tenant, "list", "GET", "/v1/tasks?limit=500")
        self.count.lost += len((before & set(tenant.tasks)) - {one["id"] for one in page["tasks"]})

    def check(self, tenant: Tenant, predictions: list[dict[str, Any]]) -> None:
        """Count labels that are not the tenant's."""
        own = f"secret-{tenant.number}-"
        self.count.mixed += sum(not one["label"].startswith(own) for one in predictions)

    def same(self, known: Known, version: int, one: dict[str, Any]) -> None:
        """Count an answer of a version that is another than before."""
        before = known.answers.setdefault(version, (one["label"], one["probability"]))
        self.count.lost += before[0] != one["label"] or abs(before[1] - one["probability"]) > 1e-4

    async def verify(self) -> None:
        """Compare all that a server holds with all that it acknowledged."""
        for tenant in self.tenants:
            page = await self.ask(tenant, "list", "GET", "/v1/tasks?limit=500")
            there = Counter(one["id"] for one in page["tasks"])
            names = Counter(one["name"] for one in page["tasks"])
            self.count.lost += len(set(tenant.tasks) - set(there))
            self.count.double += sum(count - 1 for count in names.values())
            self.count.mixed += len(set(names) - set(tenant.names))
            self.count.lost += len(set(there) & tenant.gone)  # what was deleted came back
            for key, known in tenant.tasks.items():
                await self._verify_task(tenant, key, known)

    async def _verify_task(self, tenant: Tenant, key: str, known: Known) -> None:
        page = await self.ask(tenant, "versions", "GET", f"/v1/tasks/{key}/versions")
        if page is None:
            self.count.lost += 1
            return
        numbers = {one["number"] for one in page["versions"]}
        self.count.lost += len(known.versions - numbers)
        for number in sorted(known.versions & set(known.answers)):
            await self.ask(tenant, "rollback", "POST", f"/v1/tasks/{key}/rollback", {"version": number})
            found = await self.ask(tenant, "predict", "POST", f"/v1/tasks/{key}/predict", {"inputs": [PROBE]})
            self.same(known, found["version"], found["predictions"][0])
            self.count.mixed += found["version"] != number


async def killed(load: Load, clients: int, kills: int, draw: random.Random) -> None:
    """Kill the server under load at random moments, and begin it again each time."""
    load.stop.clear()
    asked = [asyncio.create_task(load.client(number)) for number in range(clients)]
    for _ in range(kills):
        await asyncio.sleep(0.2 + 3 * draw.random())
        await asyncio.to_thread(load.server.kill)
        load.count.kills += 1
        await asyncio.to_thread(load.server.start)
    load.stop.set()
    await asyncio.gather(*asked)


def report(count: Count) -> str:
    """Return the table."""
    lines = [f"{'request':<10}{'count':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}"]
    for kind, seconds in sorted(count.seconds.items()):
        ordered = sorted(seconds)
        at = [1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 0.99)]
        lines.append(f"{kind:<10}{len(ordered):>8}" + "".join(f"{value:>9.1f}" for value in at))
    lines.append("statuses: " + ", ".join(f"{key} {number}" for key, number in sorted(count.statuses.items())))
    wrong = f"lost {count.lost}, mixed up {count.mixed}, double {count.double}, other answers {count.other}"
    return "\n".join([*lines, f"kills {count.kills}, {wrong}"])


async def soak(options: argparse.Namespace, folder: Path) -> Count:
    """Return what was seen."""
    server = SoakedServer(options.model, folder, limits=LIMITS, database=options.database, worker=options.worker)
    tokens = await asyncio.to_thread(server.tokens, [f"tenant-{number}" for number in range(options.tenants)])
    await asyncio.to_thread(server.start)
    try:
        load = Load(server, [Tenant(number, token) for number, token in enumerate(tokens)], options.seed)
        await load.run(options.clients, options.seconds)
        print(f"{options.clients} clients, {options.tenants} tenants, {options.seconds:g} s\n{report(load.count)}")
        if options.kills:
            await killed(load, min(options.clients, 50), options.kills, random.Random(options.seed))
        await load.verify()
        versions = [len(one.versions) for tenant in load.tenants for one in tenant.tasks.values()]
        print(f"in all; {len(versions)} tasks and {sum(versions)} versions verified\n{report(load.count)}")
        for http in load.http:
            await http.aclose()
        return load.count
    finally:
        await asyncio.to_thread(server.kill)


def main(arguments: list[str] | None = None) -> Count:
    """Soak a server, and end with 1 where anything was lost, mixed up or double."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="builtin:mini")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--tenants", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--worker", default="process")
    parser.add_argument("--database", help="a PostgreSQL URL on this machine, in place of SQLite")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        count = asyncio.run(soak(options, Path(folder)))
    print(json.dumps({name: getattr(count, name) for name in ("kills", "lost", "mixed", "double", "other")}))
    return count


if __name__ == "__main__":
    seen = main()
    sys.exit(1 if seen.lost or seen.mixed or seen.double or seen.other else 0)
