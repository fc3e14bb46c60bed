"""`metaglot serve`: a server that adapts and predicts, and the tokens of those who may ask it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaglot.cli.shared.options import DeviceOption, ErrorsOnly, Json, PrecisionOption
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.texts import check_device, parse_precision
from metaglot.cli.shared.usage import Command, SafeGroup, group
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.adaptation import Model
    from metaglot.models.devices import Precision
    from metaglot.serving.jobs.process import ProcessWorker
    from metaglot.serving.jobs.thread import ThreadWorker

StoreOption = Annotated[
    Path, typer.Option("--store", help="The folder of tasks, weights and, if SQLite, the database.")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        help="A PostgreSQL URL in place of SQLite in the store, best in METAGLOT_DATABASE: others see options.",
        envvar="METAGLOT_DATABASE",
        show_default=False,
        show_envvar=False,
    ),
]
STORE = Path("metaglot-store")
TENANT_HELP = "Whose tasks it is for, such as acme."
ID_HELP = "Its id, as `metaglot serve token list` shows it."
MISSING = "`metaglot serve` needs the extra: pip install 'metaglot[serve]' ({error})"


class ServeGroup(SafeGroup):
    """`metaglot serve MODEL` is `metaglot serve run MODEL`; a folder called token or run is ./token or ./run."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return the arguments, with the command that they mean."""
        helps = self.get_help_option_names(ctx)
        if args and args[0] not in self.commands and args[0] not in helps:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = group(
    "Serve a model over HTTP: it learns tasks from examples, and predicts by them.",
    end="Example: metaglot serve builtin:mini   ·   Port, store, limits and more: metaglot serve run --help",
    cls=ServeGroup,
)
token = group(
    "The tokens of those who may ask.",
    end="Example: metaglot serve token add acme",
)


@app.command("run", cls=Command)
def run(
    model: Annotated[str, typer.Argument(help="builtin:mini, a run directory, a Hugging Face folder or hub id.")],
    *,
    host: Annotated[
        str, typer.Option(help="The address to listen at; any but this machine's needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen at.", min=0, max=65535)] = 8000,
    store: StoreOption = STORE,
    database: DatabaseOption = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="Another limit, such as texts=200; docs/serving.md lists them. May be given several times."),
    ] = None,
    worker: Annotated[
        str, typer.Option(help="What adapts: a process of its own, or a thread, which needs less memory.")
    ] = "process",
    threads: Annotated[
        int, typer.Option(help="Threads of a prediction and of an adaptation; 0: one a core.", min=0)
    ] = 0,
    playground: Annotated[
        bool, typer.Option("--playground", help="Show the playground at /, behind the same tokens.")
    ] = False,
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    quiet: ErrorsOnly = False,
) -> None:
    """Serve a model: tasks are learnt from examples that are posted, and predict at once.

    It listens on this machine alone until a token is made.  Ctrl-C or SIGTERM ends it; what was acknowledged stays in
    the store.  Logs are lines of JSON on standard error, without texts.

    Examples:

      metaglot serve builtin:mini

      metaglot serve run builtin:mini --port 9000 --store tickets --limit texts=200

      metaglot serve token add acme

      METAGLOT_DATABASE=postgresql://metaglot@db/metaglot metaglot serve builtin:mini --host 0.0.0.0
    """
    runtime = parse_precision(precision), check_device(device)
    if worker not in ("process", "thread"):
        raise MetaglotError(f"--worker {worker}: unknown; use process or thread")
    from metaglot.data.folders import check_model
    from metaglot.serving.limits import limits_of

    limits = limits_of(limit or ())
    check_model(model)
    try:
        from metaglot.serving.listening import check_address
        from metaglot.serving.run import Address, serve
    except ModuleNotFoundError as error:
        raise MetaglotError(MISSING.format(error=error)) from error
    import torch

    from metaglot.adaptation import load_model
    from metaglot.models import Runtime

    page = _page() if playground else None
    check_address(host, port)
    if threads:
        torch.set_num_threads(threads)
    loaded = load_model(model, Runtime(runtime[0], device=runtime[1]))
    address = Address(host, port)

    def begun() -> None:
        if not quiet:
            shown = f", playground at http://{host}:{port}/" if playground else ""
            tell(f"{loaded.name} at http://{host}:{port}, tasks in {store}{shown}; try:\n{_curl(host, port)}", err=True)

    serve(
        loaded,
        partial(_worker, worker, model, loaded, runtime, threads),
        folder=store,
        database=database,
        address=address,
        limits=limits,
        begun=begun,
        beside=page and page(loaded),
    )


def _worker(
    kind: str, name: str, model: "Model", runtime: "tuple[Precision, str]", threads: int
) -> "ProcessWorker | ThreadWorker":
    """Return what adapts: a thread with the model, or a process that loads it by its name."""
    from metaglot.serving.jobs.process import ProcessWorker
    from metaglot.serving.jobs.thread import ThreadWorker

    if kind == "thread":
        return ThreadWorker(model)
    return ProcessWorker(name, precision=runtime[0], device=runtime[1], threads=threads)


def _page() -> Any:
    """Return what makes the playground of a model; raise MetaglotError without the extra."""
    try:
        from metaglot.playground.beside import beside
        from metaglot.playground.desk import Desk
    except ModuleNotFoundError as error:
        raise MetaglotError(f"--playground needs the extra: pip install 'metaglot[playground]' ({error})") from error
    return lambda model: beside(Desk(model))


def _curl(host: str, port: int) -> str:
    """Return a command that makes a task."""
    examples = [("Refund my order.", "billing"), ("I was charged twice.", "billing")]
    examples += [("The app crashes.", "technical"), ("The screen stays black.", "technical")]
    rows = ", ".join(f'{{"text": "{text}", "label": "{label}"}}' for text, label in examples)
    body = f'{{"name": "tickets", "effort": "instant", "examples": [{rows}]}}'
    return f"curl -s http://{host}:{port}/v1/tasks -H 'Content-Type: application/json' -d '{body}'"


@token.command("add", cls=Command)
def add(
    tenant: Annotated[str, typer.Argument(help=TENANT_HELP)],
    *,
    name: Annotated[str, typer.Option(help="What it is for, for you to know.")] = "",
    scope: Annotated[str, typer.Option(help="tasks, or metrics: for Prometheus alone.")] = "tasks",
    store: StoreOption = STORE,
    database: DatabaseOption = None,
    as_json: Json = False,
) -> None:
    """Make a token, and print it: this once, since only its hash is kept.

    Examples:

      metaglot serve token add acme --name "the web shop"

      metaglot serve token add operators --scope metrics
    """
    from metaglot.serving.store.tokens import add as new

    with _tokens(store, database) as tokens, tokens.write() as session:
        made = new(session, tenant, name=name, scope=scope)
    if as_json:
        tell_json({"id": made.token.id, "tenant": tenant, "scope": scope, "token": made.secret})
    else:
        tell(made.secret)


@token.command("list", cls=Command)
def listed(*, store: StoreOption = STORE, database: DatabaseOption = None, as_json: Json = False) -> None:
    """Show the tokens: id, tenant, scope, state, name.

    Example:

      metaglot serve token list
    """
    from metaglot.serving.store.tokens import listed as all_of

    with _tokens(store, database) as tokens, tokens.read() as session:
        rows = all_of(session)
    if as_json:
        fields = ("id", "tenant", "scope", "name", "created", "revoked")
        tell_json([{field: getattr(row, field) for field in fields} for row in rows])
        return
    for row in rows:
        tell("\t".join([row.id, row.tenant, row.scope, "revoked" if row.revoked else "active", row.name]))


@token.command("revoke", cls=Command)
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help=ID_HELP)],
    *,
    store: StoreOption = STORE,
    database: DatabaseOption = None,
    quiet: ErrorsOnly = False,
) -> None:
    """Revoke a token: from now on nothing is answered to it.

    Example:

      metaglot serve token revoke token_0123456789abcdef0123456789abcdef
    """
    from metaglot.serving.store.tokens import revoke as take

    with _tokens(store, database) as tokens, tokens.write() as session:
        taken = take(session, token_id)
        tenant = taken.tenant
    if not quiet:
        tell(f"revoked a token of {tenant}")


def _tokens(store: Path, database: str | None) -> Any:
    """Return the database of a store, as a context; raise MetaglotError without the extra."""
    try:
        from metaglot.serving.store.store import open_tokens
    except ModuleNotFoundError as error:
        raise MetaglotError(MISSING.format(error=error)) from error
    return open_tokens(store, database)


app.add_typer(token, name="token")
