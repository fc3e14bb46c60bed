"""What a network allows to be spared, found on four short texts when it is loaded.

A text must give the same features alone, beside a longer one, and with the rows of the embedding in another order.
Most networks do so.  Where padding changes a text, texts of one length are run at a time (`models/alike.py`).  Where
the network reads the numbers of tokens, the embedding keeps all its rows (`models/rows.py`): ESM blanks its mask token,
BART begins with a token of its own.  A network whose texts change each other even then is refused.  Where a text of
one token is too short for it, short texts are widened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, cast

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.models.learner import BODY, HfLearner
from metaglot.models.positions import positions_of
from metaglot.models.quiet import quiet
from metaglot.models.rows import kept_rows
from metaglot.models.trial import running
from metaglot.seeds import torch_generator
from metaglot.types import Batch

SAFE = frozenset(
    {
        *("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "gpt2", "gpt_neox", "llama"),
        *("mistral", "modernbert", "mpnet", "opt", "qwen2", "qwen3", "roberta", "xlm-roberta", "xlnet"),
    }
)
"""Types of models that allow both whatever their config says, as the tests hold; they are not tried again."""
OF_LENGTH = ("dynamic", "longrope")  # rotary positions that depend on the longest text of a batch
LENGTHS = (5, 14, 5, 1)  # tokens of the texts
SHORTEST = 32  # tokens; a network that takes no text of so many is refused
CLOSE = 1e-3  # of the largest state; rounding in fp32 makes 1e-6


def probed(learner: HfLearner, pad: int, name: str) -> tuple[HfLearner, tuple[str, ...]]:
    """Return the learner with what its network allows, and notes about it; `pad` is the token to pad with.

    Raises MetaglotError where the features of a text depend on other texts of the same length or change from one time
    to the next, and where the network fails.
    """
    learner, notes = _settled(learner, name)
    if cast("Any", learner.module).config.model_type in SAFE or learner.embedding is None:
        return learner, notes
    with running(name), quiet():
        learner = replace(learner, least=_shortest(learner.precise()))
        learner, changed = _compared(learner, pad, name)
    return learner, (*notes, *changed)


def _compared(learner: HfLearner, pad: int, name: str) -> tuple[HfLearner, tuple[str, ...]]:
    """Return the learner with what may be spared: texts alone are compared with texts side by side and renumbered."""
    notes: tuple[str, ...] = ()
    precise, texts = learner.precise(), _texts(learner)
    with torch.no_grad():
        alone = [_states(precise, {}, [text], pad)[0] for text in texts]
        if learner.pads and not _same(alone, _states(precise, {}, texts, pad)):
            learner, precise = replace(learner, pads=False, packs=False), replace(precise, pads=False, packs=False)
            notes = ("texts of one length are run at a time, because padding would change them",)
        if not learner.pads and not _same(alone, _states(precise, {}, texts, pad)):
            _refuse(name, learner, steady=_same(alone, [_states(precise, {}, [text], pad)[0] for text in texts]))
        if not _same(alone, _renumbered(precise, texts, pad)):
            learner = replace(learner, renumbers=False)
    return learner, notes


def _refuse(name: str, learner: HfLearner, *, steady: bool) -> NoReturn:
    kind = cast("Any", learner.module).config.model_type
    when = "beside other texts than alone, even without padding" if steady else "each time"
    raise MetaglotError(
        f"{name}: a {kind} gives a text other features {when}, so that no prediction would be sure; choose another "
        "model"
    )


def _shortest(learner: HfLearner) -> int:
    """Return the fewest columns in which the network runs on a text of one token."""
    failure: Exception = ValueError("features that are no numbers")
    for least in range(1, min(SHORTEST, positions_of(learner.module)) + 1):
        try:
            with torch.no_grad():
                (states,) = _states(replace(learner, least=least), {}, [[0]], 0)
        except Exception as error:  # every network has its own way to fail
            failure = error
            continue
        if bool(torch.isfinite(states).all()):
            return least
    raise failure


def _settled(learner: HfLearner, name: str) -> tuple[HfLearner, tuple[str, ...]]:
    """Return the learner with what is known of its config; no short text shows it."""
    config = cast("Any", learner.module).config
    if getattr(config, "attention_type", None) == "block_sparse":
        if config.model_type != "big_bird":
            raise MetaglotError(
                f"{name}: block-sparse attention of a {config.model_type} is not supported, since it depends on the "
                "longest text beside a text; write attention_type: original_full into its config.json"
            )
        # For good, the network itself turns to full attention when it meets the first short text.
        cast("Any", learner.module).base_model.set_attention_type("original_full")
        return learner, ("full attention in place of block-sparse attention, for texts of all lengths",)
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") in OF_LENGTH:
        return replace(learner, pads=False, packs=False), ()
    return learner, ()


def _texts(learner: HfLearner) -> list[list[int]]:
    """Return texts of random tokens, among them every special token that the config names."""
    config, embedding = cast("Any", learner.module).config, learner.embedding
    assert embedding is not None
    rows = len(learner.body()[BODY + embedding.name])
    special, most = sorted(_special(config.to_dict(), rows)), positions_of(learner.module)
    count = min(max(LENGTHS[1], len(special) + 4), most)
    parts = [special[at : at + count - 2] for at in range(0, len(special), count - 2)] or [[]]  # what one text holds
    lengths = (*[count] * len(parts), *(min(length, most) for length in (LENGTHS[0], *LENGTHS[2:])))
    drawn = torch.randint(0, rows, (sum(lengths),), generator=torch_generator(0, "probe")).tolist()
    texts = [drawn[sum(lengths[:i]) : sum(lengths[: i + 1])] for i in range(len(lengths))]
    for text, part in zip(texts, parts, strict=False):
        text[2 : 2 + len(part)] = part
    return texts


def _special(config: Mapping[str, Any], rows: int) -> set[int]:
    values = [value for name, value in config.items() if name.endswith(("_token_id", "_index"))]
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return {one for one in flat if isinstance(one, int) and 0 <= one < rows}


def _states(learner: HfLearner, params: Mapping[str, Tensor], texts: Sequence[Sequence[int]], pad: int) -> list[Tensor]:
    """Return the states [T, D] of each text, run as one batch."""
    hidden = learner.forward(params, _batch(texts, pad, learner.device)).hidden
    return [hidden[i, : len(text)] for i, text in enumerate(texts)]


def _renumbered(learner: HfLearner, texts: Sequence[Sequence[int]], pad: int) -> list[Tensor]:
    """Return the states of the texts over the rows of the embedding that they touch, in another order; none if none."""
    embedding = learner.embedding
    assert embedding is not None
    weight = learner.body()[BODY + embedding.name]
    touched = torch.tensor([pad, *(token for text in texts for token in text)], device=weight.device).unique()
    rows = kept_rows(touched.flip(0), embedding.padding)
    if rows is None:
        return []
    number = {int(row): i for i, row in enumerate(rows)}
    again = [[number[token] for token in text] for text in texts]
    return _states(learner, {BODY + embedding.name: weight[rows]}, again, number[pad])


def _batch(texts: Sequence[Sequence[int]], pad: int, device: torch.device) -> Batch:
    width = max(map(len, texts))
    ids = [[*text, *[pad] * (width - len(text))] for text in texts]
    mask = [[1] * len(text) + [0] * (width - len(text)) for text in texts]
    return {"input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(mask, device=device)}


def _same(alone: Sequence[Tensor], together: Sequence[Tensor]) -> bool:
    """Return whether each text has the states that it has alone."""
    if len(together) != len(alone):
        return False
    size = max(float(one.abs().max()) for one in alone)
    return all(float((a - b).abs().max()) <= CLOSE * size for a, b in zip(alone, together, strict=True))
