"""The folder of a run: whether `pretrain` may write there."""

from pathlib import Path

from metaglot.errors import MetaglotError


def prepare_folder(folder: Path, *, resume: bool, force: bool) -> None:
    """Refuse a folder with another run, unless that is resumed, or deleted after all other checks."""
    from metaglot.data.folders import is_dir
    from metaglot.data.rawfiles import is_there

    if resume and force:
        raise MetaglotError("--resume goes on with the run and --force deletes it; give one of them")
    if is_there(folder) and not is_dir(folder):
        raise MetaglotError(f"--out {folder}: that is a file; name a folder")
    # A .part is a file that a killed run did not finish.
    names = {path.name for path in folder.iterdir() if path.suffix != ".part"} if folder.is_dir() else set[str]()
    if names and (force or resume):
        _check_run(folder, whole=force)
    if names and not (resume or force):
        raise MetaglotError(
            f"--out {folder}: it is not empty; use --resume to go on with the run there, --force to delete it"
        )


def _check_run(folder: Path, *, whole: bool) -> None:
    from metaglot.data.owned import RUN, check_kind, check_owned

    try:
        (check_owned if whole else check_kind)(folder, RUN)
    except MetaglotError as error:
        raise MetaglotError(f"--out {folder}: it is not a run, or it has other files too. {error}") from error
