"""`metaglot playground`: a page in the browser on which examples teach a model a task."""

from typing import Annotated

import typer

from metaglot.cli.shared.options import DeviceOption, ErrorsOnly, PrecisionOption
from metaglot.cli.shared.printing import tell
from metaglot.cli.shared.texts import check_device, parse_precision
from metaglot.errors import MetaglotError


def playground(
    model: Annotated[str, typer.Argument(help="builtin:mini, a run directory, a Hugging Face folder or hub id.")],
    *,
    port: Annotated[int, typer.Option(help="The port of this machine to listen at.", min=1, max=65535)] = 7860,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    quiet: ErrorsOnly = False,
) -> None:
    """Open a page on which a few examples teach a model a task: click, learn, ask, correct, download.

    It listens on this machine alone, fetches nothing from other hosts and sends nothing to them.  What is learnt stays
    in memory, each visitor's apart, and goes when it ends (Ctrl-C).

    Examples:

      metaglot playground builtin:mini

      metaglot playground builtin:multilingual --port 9000 --open
    """
    runtime = parse_precision(precision), check_device(device)
    from metaglot.data.folders import ADAPTED, check_model, folder_of, is_file

    if is_file(folder_of(model) / ADAPTED):
        raise MetaglotError(f"{model} is adapted already; give the model that adapts, such as builtin:mini")
    check_model(model)
    try:
        from metaglot.playground.run import HOST, serve
    except ModuleNotFoundError as error:
        raise MetaglotError(
            f"`metaglot playground` needs the extra: pip install 'metaglot[playground]' ({error})"
        ) from error
    from metaglot.adaptation import load_model
    from metaglot.models import Runtime
    from metaglot.playground.desk import Desk
    from metaglot.serving.listening import check_address

    check_address(HOST, port)
    loaded = load_model(model, Runtime(runtime[0], device=runtime[1]))
    address = f"http://{HOST}:{port}"

    def begun() -> None:
        if not quiet:
            tell(f"{loaded.name}: open {address} in a browser; Ctrl-C ends it", err=True)
        if open_browser:
            typer.launch(address)

    serve(Desk(loaded), port, begun)
