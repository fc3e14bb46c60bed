"""How many tokens the positions of a network allow, as its config and its table of positions say."""

from typing import Any, cast

from torch import nn

from metaglot.errors import MetaglotError

STATED = ("max_position_embeddings", "max_encoder_position_embeddings")  # keys of a config
TABLES = ("position_embeddings", "embed_positions")  # names of the table of learnt positions
UNBOUNDED = 1 << 30  # tokens
WRITTEN = 4096  # new tokens of a text where positions set no limit: a slip of the finger would run for hours


def positions_of(module: nn.Module) -> int:
    """Return the tokens that a network can read at once; very many where its config does not bound them.

    A table of positions that has a row for padding (RoBERTa and its kin) numbers the positions from after that row.
    """
    config = cast("Any", module).config
    values = [getattr(config, name, None) for name in STATED]
    stated = min((n for n in values if isinstance(n, int) and n > 0), default=UNBOUNDED)
    rows = [_rows_in_use(one) for name, one in module.named_modules() if name.endswith(TABLES)]
    return min([stated, *(n for n in rows if n is not None)])


def check_written(module: nn.Module, count: int) -> None:
    """Raise MetaglotError where more tokens are to be written than a network without positions writes."""
    if count > WRITTEN and positions_of(module) == UNBOUNDED:
        raise MetaglotError(
            f"{count:,} tokens are to be written; a model whose positions have no limit, as those of this one, writes "
            f"{WRITTEN:,} at most; lower max_new_tokens"
        )


def _rows_in_use(table: nn.Module) -> int | None:
    if type(table) is not nn.Embedding or table.padding_idx is None:
        return None
    return table.num_embeddings - table.padding_idx - 1
