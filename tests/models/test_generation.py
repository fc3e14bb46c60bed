"""What a decoder writes: transformers' own tokens, in a batch as alone, with other parameters, as the settings say."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.language import decoder, noise
from tests.learners import VOCAB, random_module
from tests.models.architectures import ARCHITECTURES, word_tokenizer
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from metaglot.decoding import Continuations, Decoding
from metaglot.errors import MetaglotError
from metaglot.models import HfLearner
from metaglot.models.beginning import padded, prefix_of
from metaglot.models.generation import texts_of
from metaglot.models.learner import OUTPUT
from metaglot.models.lora import SCALE, lora_init
from metaglot.seeds import generator

KINDS = ("gpt2", "llama")
GREEDY = Decoding(max_new_tokens=8)
LENGTHS = (3, 7, 1, 5)
SETTINGS: Mapping[str, Decoding] = {
    "greedy": GREEDY,
    "beam": Decoding(max_new_tokens=8, beams=3, length_penalty=0.7),
    "least": Decoding(max_new_tokens=8, min_new_tokens=6),
    "no-repeat": Decoding(max_new_tokens=8, no_repeat_ngram=1),
}


@pytest.fixture(scope="module", params=KINDS)
def learner(request) -> HfLearner:
    return in_fp32(decoder(request.param))


def in_fp32(learner: HfLearner) -> HfLearner:
    """In fp64 the masks of transformers overflow where it takes the softmax in fp32, and padding on the left is NaN."""
    return replace(learner, module=learner.module.float())


def prompts(*lengths: int, right: bool = False) -> dict[str, Tensor]:
    rng, width = generator(1, "prompts"), max(lengths)
    ids, mask = torch.zeros(len(lengths), width, dtype=torch.int64), torch.zeros(len(lengths), width, dtype=torch.int64)
    for i, length in enumerate(lengths):
        place = slice(0, length) if right else slice(width - length, width)
        ids[i, place], mask[i, place] = torch.tensor(rng.integers(3, VOCAB, length)), 1
    return {"input_ids": ids, "attention_mask": mask}


def alone(batch: Mapping[str, Tensor]) -> list[Tensor]:
    return [ids[mask.bool()][None] for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]


def theirs(module: Any, batch: Mapping[str, Tensor], decoding: Decoding) -> list[tuple[int, ...]]:
    """What transformers itself writes behind each prompt alone, in its own words for the settings."""
    settings = {"max_new_tokens": decoding.max_new_tokens, "min_new_tokens": decoding.min_new_tokens}
    settings |= {"num_beams": decoding.beams, "length_penalty": decoding.length_penalty, "do_sample": False}
    settings |= {"no_repeat_ngram_size": decoding.no_repeat_ngram, "pad_token_id": 0}
    found = [module.generate(ids, attention_mask=torch.ones_like(ids), **settings) for ids in alone(batch)]
    return [tuple(row[0, ids.shape[1] :].tolist()) for row, ids in zip(found, alone(batch), strict=True)]


def changed(learner: HfLearner, params: Mapping[str, Tensor]) -> Any:
    """A copy of the module with the parameters in it."""
    module = copy.deepcopy(learner.module)
    own = dict(module.named_parameters())
    with torch.no_grad():
        for name, value in params.items():
            own[name.removeprefix("body.")].copy_(value)
    return module


@pytest.mark.parametrize("name", SETTINGS)
def test_each_row_of_a_batch_is_what_transformers_writes_alone(learner, name):
    batch, decoding = prompts(*LENGTHS), SETTINGS[name]
    found = learner.generate({}, batch, decoding)
    assert list(found.tokens) == theirs(learner.module, batch, decoding)
    assert found.seconds > 0
    assert found.speed == pytest.approx(sum(map(len, found.tokens)) / found.seconds)
    assert learner.generate({}, prompts(*LENGTHS, right=True), decoding).tokens == found.tokens


def test_parameters_are_substituted_and_the_module_stays_as_it_was(learner):
    batch, params, before = prompts(*LENGTHS), noise(learner.body()), copy.deepcopy(learner.module.state_dict())
    found = learner.generate(params, batch, GREEDY)
    assert list(found.tokens) == theirs(changed(learner, params), batch, GREEDY)
    assert found.tokens != learner.generate({}, batch, GREEDY).tokens
    assert all(torch.equal(before[name], value) for name, value in learner.module.state_dict().items())
    assert not learner.module.training


def test_low_rank_updates_are_applied(learner):
    batch, own, rng = prompts(*LENGTHS), learner.body(), torch.Generator().manual_seed(3)
    start = lora_init(own, rank=2, targets=None, seed=0)
    pairs = {n: v + 0.5 * torch.randn(v.shape, generator=rng, dtype=v.dtype) for n, v in start.items()}
    weights = {
        f"body.{n.removeprefix('lora.').removesuffix('.a')}": n.removesuffix(".a") for n in pairs if ".a" in n[-2:]
    }
    merged = {n: own[n] + SCALE * (pairs[p + ".b"] @ pairs[p + ".a"]).view_as(own[n]) for n, p in weights.items()}
    found = learner.generate(pairs, batch, GREEDY)
    assert list(found.tokens) == theirs(changed(learner, merged), batch, GREEDY)
    assert found.tokens != learner.generate({}, batch, GREEDY).tokens


def test_an_output_embedding_that_moved_apart_scores_and_the_input_embedding_stays(learner):
    batch = prompts(*LENGTHS)
    (weight,) = learner.scoring({}).values()
    moved = weight + 0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(5)).to(weight)
    found = learner.generate({OUTPUT: moved}, batch, GREEDY).tokens
    assert found != learner.generate({}, batch, GREEDY).tokens
    for ids, row in zip(alone(batch), found, strict=True):
        for at, token in enumerate(row):
            seen = torch.cat([ids, torch.tensor([row[:at]], dtype=torch.int64)], dim=1)
            logits = learner.forward(
                {OUTPUT: moved}, {"input_ids": seen, "attention_mask": torch.ones_like(seen)}, logits=True
            )
            assert int(logits.logits[0, -1].argmax()) == token


def test_the_cache_changes_no_token(learner):
    batch = prompts(*LENGTHS)
    for ids, row in zip(alone(batch), learner.generate({}, batch, GREEDY).tokens, strict=True):
        for at, token in enumerate(row):
            seen = torch.cat([ids, torch.tensor([row[:at]], dtype=torch.int64)], dim=1)
            assert int(learner.module(seen).logits[0, -1].argmax()) == token


def test_draws_are_a_function_of_the_seed_and_of_nothing_global(learner):
    batch = prompts(*LENGTHS)
    drawn = Decoding(max_new_tokens=8, seed=1, temperature=2.0)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    found = learner.generate({}, batch, drawn).tokens
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    assert learner.generate({}, batch, drawn).tokens == found
    assert learner.generate({}, batch, replace(drawn, seed=2)).tokens != found
    greedy = learner.generate({}, batch, GREEDY).tokens
    assert found != greedy
    assert learner.generate({}, batch, replace(drawn, top_k=1)).tokens == greedy
    assert learner.generate({}, batch, replace(drawn, top_p=1e-6)).tokens == greedy
    assert learner.generate({}, batch, replace(drawn, temperature=1e-6)).tokens == greedy


def test_settings_for_draws_that_a_network_came_with_change_nothing(learner):
    batch, drawn = prompts(*LENGTHS), Decoding(max_new_tokens=8, seed=1, temperature=2.0)
    other = replace(learner, module=copy.deepcopy(learner.module))
    settings = other.module.generation_config
    settings.update(do_sample=True, temperature=0.1, top_k=2, top_p=0.3, max_length=9, num_beams=2, typical_p=0.2)
    settings.update(min_p=0.5, max_time=1e-9, forced_eos_token_id=5, stop_strings=["a"], cache_implementation="static")
    for decoding in (GREEDY, drawn):
        assert other.generate({}, batch, decoding).tokens == learner.generate({}, batch, decoding).tokens
    assert other.module.generation_config is settings


def test_a_text_ends_with_the_token_that_ends_it(learner):
    batch = prompts(*LENGTHS)
    plain = learner.generate({}, batch, GREEDY).tokens
    end = plain[0][3]
    found = learner.generate({}, batch, replace(GREEDY, ends=(end,))).tokens
    assert found == tuple(row[: row.index(end) + 1] if end in row else row for row in plain)
    assert len(found[0]) <= 4


def test_a_text_ends_with_a_stop_string():
    learner, tokenizer = in_fp32(decoder("llama", vocab_size=96)), word_tokenizer()
    batch = prompts(*LENGTHS)
    plain = learner.generate({}, batch, replace(GREEDY, ends=(2,)))
    word = tokenizer.decode([plain.tokens[0][2]])
    stopping = replace(GREEDY, ends=(2,), stop=(word,))
    found = learner.generate({}, batch, stopping, tokenizer=tokenizer)
    token = plain.tokens[0][2]
    assert found.tokens[0] == plain.tokens[0][: plain.tokens[0].index(token) + 1]
    texts = texts_of(found, tokenizer, stopping.stop)
    assert texts == [text.split(word)[0] for text in texts_of(plain, tokenizer)]
    with pytest.raises(MetaglotError, match="tokenizer"):
        learner.generate({}, batch, stopping)


@pytest.mark.parametrize("kind", ["opt", "xlnet", "bloom", "mamba", "gpt_neo", "mpt", "biogpt"])
def test_other_networks_write_the_same_in_a_batch_as_alone(kind):
    """Of those that take no positions, prompts are run by length: padding on the left would move them."""
    settings = {**ARCHITECTURES[kind], "vocab_size": VOCAB, "pad_token_id": 0, "eos_token_id": 2}
    config = AutoConfig.for_model(kind, **settings, initializer_range=0.25)
    module = random_module(lambda: AutoModelForCausalLM.from_config(config), dtype=torch.float32)
    learner, batch = HfLearner(module, decoder=True), prompts(*LENGTHS)
    single = [{"input_ids": ids, "attention_mask": torch.ones_like(ids)} for ids in alone(batch)]
    one_by_one = tuple(learner.generate({}, prompt, GREEDY).tokens[0] for prompt in single)
    assert learner.generate({}, batch, GREEDY).tokens == one_by_one
    assert len(set(one_by_one)) > 1
    assert len(replace(learner, bf16=True).generate({}, batch, GREEDY).tokens) == len(LENGTHS)  # XLNet mixes types


def test_bf16_writes_what_the_network_in_bf16_writes(learner):
    batch = prompts(*LENGTHS)
    found = replace(learner, bf16=True).generate({}, batch, GREEDY)
    module: Any = copy.deepcopy(learner.module).bfloat16()
    tokens = module.generate(**batch, max_new_tokens=8, do_sample=False, pad_token_id=0)[:, max(LENGTHS) :].tolist()
    assert list(found.tokens) == [tuple(row[: row.index(2) + 1] if 2 in row else row) for row in tokens]
    assert next(learner.module.parameters()).dtype == torch.float32


def test_what_cannot_be_written_is_said(learner):
    with pytest.raises(MetaglotError, match=r"30 tokens and up to 11 .* 40 positions"):
        learner.generate({}, prompts(2, 30), Decoding(max_new_tokens=11))
    empty = prompts(2, 3)
    empty["attention_mask"][0] = 0
    with pytest.raises(MetaglotError, match="prompt 1 of 2 has no token"):
        learner.generate({}, empty, GREEDY)
    assert learner.generate({}, {n: v[:0] for n, v in empty.items()}, GREEDY).tokens == ()


WRONG = (
    *({"max_new_tokens": 0}, {"min_new_tokens": 65}, {"beams": 0}, {"beams": 65}, {"temperature": 0.0}, {"top_p": 0.0}),
    *({"top_k": -1}, {"no_repeat_ngram": -1}, {"stop": ("",)}, {"beams": 2, "seed": 1}),
    *({"temperature": 0.5}, {"top_p": 0.5}, {"length_penalty": 2.0}, {"beams": 2.5}, {"beams": True}, {"stop": "x"}),
    *({"seed": 1 << 64}, {"temperature": float("nan"), "seed": 1}, {"max_new_tokens": "3"}),
)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: next(iter(one)))
def test_settings_without_a_meaning_are_refused(wrong):
    with pytest.raises(MetaglotError, match=next(iter(wrong)).replace("beams", "beam")):
        Decoding(**wrong)


def test_padding_moves_to_one_side_and_columns_without_tokens_go():
    batch = {
        "input_ids": torch.tensor([[0, 5, 6, 0], [0, 7, 0, 0]]),
        "attention_mask": torch.tensor([[0, 1, 1, 0], [0, 1, 0, 0]]),
    }
    assert padded(batch, left=True)["input_ids"].tolist() == [[5, 6], [0, 7]]
    assert padded(batch, left=True)["attention_mask"].tolist() == [[1, 1], [0, 1]]
    assert padded(batch, left=False)["input_ids"].tolist() == [[5, 6], [7, 0]]


def test_no_time_is_no_speed():
    assert Continuations((), 0.0).speed == 0.0


PREFIX = list(range(20, 40))


def with_prefix(*sizes: int) -> dict[str, Tensor]:
    """Prompts that begin alike, with so many tokens of their own."""
    batch = prompts(*sizes)
    first = torch.tensor(PREFIX).expand(len(sizes), -1)
    whole = torch.cat([first, batch["input_ids"]], dim=1)
    mask = torch.cat([torch.ones_like(first), batch["attention_mask"]], dim=1)
    return padded({"input_ids": whole, "attention_mask": mask}, left=True)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen2", "gpt_neox", "mistral"])
@pytest.mark.parametrize("setting", ["greedy", "beam", "drawn"])
def test_what_prompts_begin_with_is_read_once_and_changes_no_token(kind, setting, monkeypatch):
    heads = {"num_key_value_heads": 2} if kind in ("qwen2", "mistral") else {}
    learner = in_fp32(decoder(kind, **heads))
    chosen = SETTINGS.get(setting, GREEDY)
    decoding = Decoding(max_new_tokens=8, seed=1) if setting == "drawn" else chosen
    batch = with_prefix(3, 6, 1, 4)
    found = learner.generate({}, batch, decoding)
    assert (prefix_of(learner.module, batch) is None) == (kind == "mistral")  # which forgets what is far behind
    monkeypatch.setattr("metaglot.models.generation.prefix_of", lambda *_: None)
    apart = learner.generate({}, batch, decoding)
    assert found.tokens == apart.tokens
    assert len(set(found.tokens)) > 1
    for one, other in zip(found.likelihoods, apart.likelihoods, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_a_prefix_leaves_each_prompt_a_token_and_is_long_enough(learner):
    same = {"input_ids": torch.tensor([PREFIX, PREFIX]), "attention_mask": torch.ones(2, 20, dtype=torch.int64)}
    shared = prefix_of(learner.module, same)
    assert shared is not None
    assert shared.tokens.tolist() == PREFIX[:-1]
    assert prefix_of(learner.module, {n: v[:1] for n, v in same.items()}) is None
    assert prefix_of(learner.module, {n: v[:, :9] for n, v in same.items()}) is None
    assert prefix_of(learner.module, prompts(30, 31)) is None


def test_so_many_prompts_at_once_write_the_same(learner):
    batch, counts = prompts(*LENGTHS), []
    found = learner.generate({}, batch, GREEDY, at_once=2, done=counts.append)
    assert found.tokens == learner.generate({}, batch, GREEDY).tokens
    assert sum(counts) == len(LENGTHS)
    assert max(counts) == 2


def test_drawn_tokens_have_the_probability_that_the_network_gives_them(learner):
    batch = prompts(*LENGTHS)
    found = learner.generate({}, batch, Decoding(max_new_tokens=5, seed=3, temperature=2.0, top_p=0.9))
    for ids, row, likelihoods in zip(alone(batch), found.tokens, found.likelihoods, strict=True):
        logits = learner.module(torch.cat([ids, torch.tensor([row])], dim=1)).logits[0].log_softmax(-1)
        exact = [float(logits[ids.shape[1] - 1 + at, token]) for at, token in enumerate(row)]
        assert list(likelihoods) == pytest.approx(exact, abs=1e-4)
