"""What a user asked `metaglot pretrain` for, and what of it a rank does."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from metaglot.cli.shared.ranks import Place

if TYPE_CHECKING:
    from metaglot.config import Recipe


class Call(NamedTuple):
    """What the user asked for."""

    recipe: str
    overrides: tuple[str, ...]
    out: Path | None
    resume: bool
    force: bool
    track: tuple[str, ...]
    quiet: bool
    as_json: bool
    on: str | None
    workers: int | None
    plain: bool = False

    def settings(self) -> "Recipe":
        """Return the recipe with its overrides; a name without an ending is a recipe of the package."""
        from metaglot.config import load_recipe, packaged_recipes

        named = Path(self.recipe).suffix in {".yaml", ".yml"}
        path = self.recipe if named else str(packaged_recipes().get(self.recipe, self.recipe))
        return load_recipe(path, list(self.overrides))

    def folder(self) -> Path:
        """Return the folder of the run."""
        return self.out or Path("runs") / self.settings().name

    def of(self, place: Place) -> "Call":
        """Return the call as a rank does it: one that was started again goes on, and only rank 0 speaks.

        With `force` it goes on once the run that was there is deleted, and begins anew else.
        """
        force = self.force and not place.begun()
        call = self._replace(resume=self.resume or not force, force=force) if place.restarted else self
        return call if place.first else call._replace(quiet=True, track=())
