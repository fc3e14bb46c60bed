"""Texts are written by transformers' own `generate`, with parameters substituted and prompts padded on the left.

A decoder writes behind the last token of a prompt: a batch is padded on the left, positions are counted from the first
token of each prompt, and a cache keeps what was read.  Networks that take no positions, or that padding would change,
get prompts of one length at a time; so do all where no sequence may come twice, since padding would be counted.
Settings of the network itself that `Decoding` does not name (tokens that must not be written, a first token) stand.
"""

import copy
import inspect
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import LogitsProcessor, StoppingCriteria

from metaglot.decoding import Continuations, Decoding
from metaglot.errors import MetaglotError
from metaglot.models.beginning import Inputs, padded, prefix_of
from metaglot.models.positions import check_written, positions_of
from metaglot.models.quiet import quiet
from metaglot.types import Batch


def write(
    module: nn.Module,
    batch: Batch,
    decoding: Decoding,
    tokenizer: Any,
    *,
    pads: bool,
    heard: Callable[[Sequence[int]], None] | None = None,
    at_once: int | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> Continuations:
    """Return what the network writes behind each prompt; whoever calls substitutes parameters and seeds.

    Without `pads`, prompts of one length are run at a time, and `at_once` prompts at most; `done` gets how many were.
    `heard` gets the new tokens of the first prompt of those that are run together, after each of them.  What all
    prompts begin with is read once.  Raises MetaglotError where the network cannot write, where
    a prompt is empty, where prompt and text have no room in its positions, and for stop strings without a tokenizer.
    """
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    _check(module, inputs, decoding, tokenizer)
    config = _settings(module, decoding)
    begin = perf_counter()
    texts: list[tuple[int, ...]] = [()] * len(inputs["input_ids"])
    likelihoods: list[tuple[float, ...]] = [()] * len(texts)
    seq2seq = _is_seq2seq(module)
    side_by_side = pads and not decoding.no_repeat_ngram and (seq2seq or _takes_positions(module))
    with quiet(), torch.no_grad(), _complete(module, config):
        shared = prefix_of(module, inputs) if side_by_side and not seq2seq else None
        for rows in _groups(inputs["attention_mask"], side_by_side=side_by_side, most=at_once):
            own = {name: value[rows] for name, value in inputs.items()}
            part = padded(own, left=not seq2seq) if shared is None else shared.inputs(own)
            cache = {} if shared is None else {"past_key_values": shared.cache_for(len(rows) * decoding.beams)}
            begin_at = 1 if seq2seq else part["input_ids"].shape[1]
            chosen = Chosen()
            criteria: list[StoppingCriteria] = [ChosenTokens(chosen)]
            if decoding.stop:
                criteria.append(StopStrings(tokenizer, decoding.stop, begin_at))
            if heard is not None:
                criteria.append(Heard(heard, begin_at))
            more = {"logits_processor": [chosen]} if decoding.beams == 1 else {}
            criteria = criteria if more else criteria[1:]
            found = cast("Any", module).generate(
                **part, **cache, generation_config=config, stopping_criteria=criteria, **more
            )
            for place, (row, tokens) in enumerate(zip(rows.tolist(), found[:, begin_at:].tolist(), strict=True)):
                texts[row] = _ended(tokens, config.eos_token_id or (), decoding.stop, tokenizer)
                likelihoods[row] = tuple(float(step[place]) for step in chosen.steps[: len(texts[row])])
            done(len(rows))
    return Continuations(tuple(texts), perf_counter() - begin, tuple(likelihoods) if decoding.beams == 1 else ())


def rounded(run: Callable[[torch.dtype | None], Continuations]) -> Continuations:
    """Return what is written with weights that are rounded to bf16 once.

    A network that makes numbers in fp32 as it runs, as XLNet makes its places, cannot multiply them by such weights: it
    fails before its first token, and is run without a type, in autocast, which rounds for each token.
    """
    try:
        return run(torch.bfloat16)
    except RuntimeError as error:
        if not any(words in str(error) for words in ("dtype", "scalar type")):
            raise
    return run(None)


def texts_of(continuations: Continuations, tokenizer: Any, stop: Sequence[str] = ()) -> list[str]:
    """Return the texts of continuations, without special tokens, cut before the first stop string."""
    texts = _decoded(tokenizer, continuations.tokens)
    return [min((text.split(end, 1)[0] for end in stop), key=len, default=text) for text in texts]


class StopStrings(StoppingCriteria):
    """A row is finished when what is new in it has one of the strings.

    The criterion of transformers looks at the prompt as well, and fails for vocabularies that lack letters.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str], begin: int) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._begin = begin  # the column of the first new token

    def __call__(self, input_ids: Tensor, *_: Any, **__: Any) -> Any:
        """Return which rows are finished [B]."""
        texts = _decoded(self._tokenizer, input_ids[:, self._begin :].tolist())
        return torch.tensor([any(end in text for end in self._stop) for text in texts], device=input_ids.device)


class Heard(StoppingCriteria):
    """Stops nothing: somebody hears each token as it is written."""

    def __init__(self, heard: Callable[[Sequence[int]], None], begin: int) -> None:
        self._heard = heard
        self._begin = begin  # the column of the first new token

    def __call__(self, input_ids: Tensor, *_: Any, **__: Any) -> Any:
        """Return that no row is finished [B]."""
        self._heard(input_ids[0, self._begin :].tolist())
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


class Chosen(LogitsProcessor):
    """Changes nothing: it keeps the log-probabilities of each step, of which `ChosenTokens` takes those written."""

    def __init__(self) -> None:
        self.steps: list[Tensor] = []  # of each step [B]
        self.last: Tensor | None = None  # of the step that is under way [B, V]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Any:
        """Return the scores [B, V] as they are, before a temperature changes them."""
        del input_ids
        self.last = scores.float().log_softmax(-1)
        return scores


class ChosenTokens(StoppingCriteria):
    """Stops nothing: it tells the log-probability of each token when it was chosen."""

    def __init__(self, chosen: Chosen) -> None:
        self._chosen = chosen

    def __call__(self, input_ids: Tensor, *_: Any, **__: Any) -> Any:
        """Return that no row is finished [B]."""
        if self._chosen.last is not None:
            self._chosen.steps.append(self._chosen.last.gather(1, input_ids[:, -1:])[:, 0])
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def _groups(mask: Tensor, *, side_by_side: bool, most: int | None = None) -> list[Tensor]:
    """Return the rows that are run together: all, or those of one length at a time; `most` at once, of like length."""
    rows = torch.arange(len(mask), device=mask.device)
    lengths = mask.sum(1)
    if not len(rows):
        return []
    groups = [rows] if side_by_side else [rows[lengths == length] for length in lengths.unique()]
    if most is None:
        return groups
    return [part for group in groups for part in group[lengths[group].argsort(stable=True)].split(most)]


_UNUSED = (
    *("typical_p", "min_p", "top_h", "epsilon_cutoff", "eta_cutoff", "penalty_alpha", "dola_layers"),
    *("max_time", "stop_strings", "cache_implementation"),
)
"""Other ways to choose tokens and to stop, which the file of a network may ask for and `Decoding` does not have."""


@contextmanager
def _complete(module: nn.Module, config: Any) -> Generator[None]:
    """Within the block the settings are all that there are: transformers would take what is None from the network's."""
    model = cast("Any", module)
    own = model.generation_config
    model.generation_config = config
    try:
        yield
    finally:
        model.generation_config = own


def _settings(module: nn.Module, decoding: Decoding) -> Any:
    """Return transformers' settings: those of the network, under those of `decoding`."""
    config = copy.deepcopy(cast("Any", module).generation_config)
    own = config.eos_token_id
    ends = [*decoding.ends, *([] if own is None else own if isinstance(own, list) else [own])]
    drawn = decoding.seed is not None
    config.update(
        max_new_tokens=decoding.most,
        min_new_tokens=decoding.min_new_tokens,
        max_length=None,
        min_length=0,
        num_beams=decoding.beams,
        length_penalty=decoding.length_penalty,
        no_repeat_ngram_size=decoding.no_repeat_ngram,
        do_sample=drawn,
        temperature=decoding.temperature if drawn else None,
        top_p=decoding.top_p if drawn else None,
        top_k=decoding.top_k if drawn else None,
        **dict.fromkeys(_UNUSED),
        num_return_sequences=1,
        use_cache=True,
        return_dict_in_generate=False,
        eos_token_id=list(dict.fromkeys(ends)) or None,
    )
    if config.forced_eos_token_id not in ends:  # BART's config has the number of its own vocabulary, whatever is used
        config.forced_eos_token_id = None
    if config.pad_token_id is None:  # finished rows are filled with it; no reader sees it
        config.pad_token_id = ends[0] if ends else 0
    return config


def _check(module: nn.Module, inputs: Inputs, decoding: Decoding, tokenizer: Any) -> None:
    model = cast("Any", module)
    if not callable(getattr(model, "can_generate", None)) or not model.can_generate():
        raise MetaglotError(f"a {type(module).__name__} writes no text; take a decoder, or an encoder with a decoder")
    if decoding.stop and tokenizer is None:
        raise MetaglotError("stop strings need the tokenizer: generate(…, tokenizer=backbone.tokenizer)")
    lengths = inputs["attention_mask"].sum(1)
    empty = (lengths == 0).nonzero()
    if len(empty):
        raise MetaglotError(f"prompt {int(empty[0]) + 1} of {len(lengths)} has no token; give it at least one")
    check_written(module, decoding.most)
    positions, longest = positions_of(module), int(lengths.max()) if len(lengths) else 0
    behind = 0 if _is_seq2seq(module) else longest
    if max(longest, behind + decoding.most) > positions:
        raise MetaglotError(
            f"the longest prompt has {longest} tokens and up to {decoding.most} are to be written, but the "
            f"model has {positions} positions; shorten the prompt or lower max_new_tokens"
        )


def _ended(tokens: Sequence[int], ends: Sequence[int], stop: Sequence[str], tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens up to the one that ends the text; behind it, rows of a batch are filled or go on."""
    places = [place for place, token in enumerate(tokens) if token in ends]
    kept = tuple(tokens[: places[0] + 1] if places else tokens)
    if not stop or not any(end in _decoded(tokenizer, [kept])[0] for end in stop):
        return kept
    return next(
        kept[:n] for n in range(len(kept) + 1) if any(end in _decoded(tokenizer, [kept[:n]])[0] for end in stop)
    )


def _decoded(tokenizer: Any, rows: Sequence[Sequence[int]]) -> list[str]:
    return tokenizer.batch_decode([list(row) for row in rows], skip_special_tokens=True)


def _is_seq2seq(module: nn.Module) -> bool:
    return bool(cast("Any", module).config.is_encoder_decoder)


def _takes_positions(module: nn.Module) -> bool:
    return "position_ids" in inspect.signature(module.forward).parameters
