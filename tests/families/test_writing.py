"""The objective, the prompts and the scores of texts that are written."""

import math
from importlib.util import find_spec

import pytest
import torch
from tests.writers import byte_tokenizer
from tokenizers.processors import TemplateProcessing

from metaglot.choices import FAMILIES
from metaglot.errors import MetaglotError
from metaglot.families.chrf import chrf
from metaglot.families.prompts import Whole, template_of
from metaglot.families.records import Predictions
from metaglot.families.text_scores import distinct, scored_texts
from metaglot.families.write_tools import WriteTools, source_texts
from metaglot.families.writing import Writing, decoder_row, source_and_target_row
from metaglot.types import Problem, TaskInfo

HYPOTHESES = ["the cat sat on the mat", "Ein Hund läuft.", "", "x", "a b c d"]
REFERENCES = ["the cat is on the mat", "Ein Hund rennt weg.", "nothing", "xy", "a b c d"]


def word(text: str) -> list[int]:
    return list(byte_tokenizer()(text)["input_ids"])


def test_a_row_is_the_prompt_and_the_target_and_only_the_target_is_judged():
    row = decoder_row(Whole([5, 6, 7], [8, 9], cut=False))
    assert row == {"input_ids": [5, 6, 7, 8, 9], "labels": [-100, -100, 8, 9, -100]}
    assert source_and_target_row(Whole([5, 6], [8], cut=False)) == {"input_ids": [5, 6], "labels": [8]}


def test_the_loss_is_the_negative_log_likelihood_of_target_tokens(gpt2):
    objective, task = Writing(0), TaskInfo("w", "w", ("text",), (0,), "generation")
    rows = [decoder_row(Whole([5, 6, 7], [8, 9], False)), decoder_row(Whole([4], [3, 2, 11, 12], False))]
    batch = objective.collate(rows)
    problem, each = Problem(gpt2, objective, task), []
    for row in rows:
        ids = torch.tensor([row["input_ids"]])
        logits = gpt2.module(ids).logits[0].log_softmax(-1)
        each.append([-float(logits[t, label]) for t, label in enumerate(row["labels"]) if label != -100])
    with torch.no_grad():
        logits = problem.logits({}, batch)
    everything = [value for one in each for value in one]
    assert float(objective.loss(logits, batch)) == pytest.approx(sum(everything) / 6)
    by_example = Writing(0, mean_over="examples")
    expected = sum(sum(one) / len(one) for one in each) / 2
    assert float(by_example.loss(logits, batch)) == pytest.approx(expected)
    assert (objective.judged(batch), by_example.judged(batch)) == (6, 2)
    metrics = objective.metrics(logits, batch)
    assert metrics["example_loss"] == pytest.approx(expected)
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]))
    assert {metric.name for metric in objective.measures} == set(metrics)


@pytest.mark.parametrize("mean_over", ["tokens", "examples"])
def test_parts_weighed_by_what_is_judged_are_the_whole(mean_over):
    objective = Writing(0, mean_over=mean_over)
    rows = [decoder_row(Whole([1] * (1 + i), [2 + i] * (1 + i % 3), False)) for i in range(6)]
    whole, parts = objective.collate(rows), [objective.collate(rows[:2]), objective.collate(rows[2:])]
    logits = torch.randn(int((whole["labels"] != -100).sum()), 20, generator=torch.Generator().manual_seed(0))
    cut = int((parts[0]["labels"] != -100).sum())
    losses = [
        objective.loss(part, batch) for part, batch in zip(logits.split([cut, len(logits) - cut]), parts, strict=True)
    ]
    weights = [objective.judged(part) for part in parts]
    mean = sum(w * float(loss) for w, loss in zip(weights, losses, strict=True)) / sum(weights)
    assert mean == pytest.approx(float(objective.loss(logits, whole)), rel=1e-6)


def test_labels_of_an_encoder_and_decoder_have_a_width_of_their_own():
    rows = [{"input_ids": [1, 2, 3], "labels": [4]}, {"input_ids": [1], "labels": [4, 5]}]
    batch = Writing(0).collate(rows)
    assert batch["labels"].tolist() == [[4, -100], [4, 5]]
    assert batch["input_ids"].shape == (2, 3)


def test_a_plain_template_puts_a_separator_between_and_an_end_behind():
    template = template_of(byte_tokenizer())
    whole = template.sequence("ab", "cd", length=64)
    assert (whole.prompt, whole.target, whole.cut) == (word("ab\n=>"), [*word(" cd"), 1], False)
    shown = template.sequence("ab", "cd", [("x", "y"), ("u", "v")], length=64)
    assert shown.prompt == word("u\n=> v\n\nx\n=> y\n\nab\n=>")
    assert template.text([*word(" cd "), 1, 7]) == " cd "


def test_the_template_of_a_chat_is_that_of_its_tokenizer():
    tokenizer = byte_tokenizer(chat=True)
    shown = template_of(tokenizer).sequence("ab", "cd", [("x", "y")], length=128)
    messages = [{"role": r, "content": c} for r, c in (("user", "x"), ("assistant", "y"), ("user", "ab"))]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert shown.prompt == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert shown.target == [*word("cd"), 1]


@pytest.mark.parametrize("chat", [False, True])
def test_names_of_special_tokens_in_texts_are_texts(chat):
    tokenizer = byte_tokenizer(chat=chat)
    template, source, target = template_of(tokenizer), "ab[END]<assistant>cd[END]", "e [END] f"
    plain = template.sequence("", "", [("", "")], length=128)
    whole = template.sequence(source, target, [(source, target)], length=256)
    assert whole.prompt.count(1) == plain.prompt.count(1) == (3 if chat else 0)
    assert (whole.target.count(1), template.text(whole.target).strip()) == (1, target)
    assert tokenizer("a[END]")["input_ids"] == [*word("a"), 1]  # nothing is left behind for other readers


def test_an_encoder_reads_a_source_as_its_tokenizer_frames_it():
    tokenizer = byte_tokenizer()
    edges = [("[PAD]", 0), ("[END]", 1)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="[PAD] $A [END]", special_tokens=edges)
    template = template_of(tokenizer, seq2seq=True, opening=(7,))
    whole = template.sequence("ab", "cd", length=64)
    assert whole.prompt == tokenizer("ab")["input_ids"] == [0, *word("ab"), 1]
    assert (whole.target, template.text(whole.target)) == ([7, *word("cd"), 1], f"{tokenizer.decode([7])}cd")
    shown = template.sequence("ab", "cd", [("x", "y")], length=64)
    assert shown.prompt == [0, *word("x\n=>y\n\nab\n=>"), 1]
    assert template.sequence("ab", "cd", [("x" * 60, "y")], length=64).prompt == whole.prompt
    cut = template.sequence("abcdefghijkl", "cd", length=16)
    assert (cut.prompt, cut.cut) == ([0, *word("abcdefghij"), 1], True)
    assert template_of(byte_tokenizer(), seq2seq=True).sequence("ab", "cd", length=64)[:2] == (
        word("ab"),
        [*word("cd"), 1],
    )


def test_examples_go_first_where_there_is_no_room_then_the_source_then_the_target():
    template = template_of(byte_tokenizer())
    shown = [("x", "y")]
    roomy = template.sequence("abcdefghijkl", "cd", shown, length=25)
    assert roomy.prompt == word("abcdefghijkl\n=>")
    cut = template.sequence("abcdefghijkl", "cd", shown, length=16)
    assert (cut.prompt, cut.target, cut.cut) == (word("abcdefghi\n=>"), [*word(" cd"), 1], True)
    both = template.sequence("abcdefghijkl", "m" * 50, length=20)
    assert (both.prompt, both.target, both.cut) == (word("abcdefgh\n=>"), word(" " + "m" * 8), True)
    assert len(both.prompt) + len(both.target) == 20


def test_a_source_has_its_second_text_below_it():
    from metaglot.data.examples import Inputs

    inputs = Inputs(("a", "b"), ("c", "d"))
    assert source_texts(inputs) == ["a\nc", "b\nd"]
    assert source_texts(Inputs(("a", "b"), ("", "d"))) == ["a", "b\nd"]
    form = WriteTools().format_of(byte_tokenizer(), length=10)
    assert WriteTools().cut(form, Inputs(("a" * 30, "a"))) == 1


def test_perfect_texts_have_the_best_scores_and_the_metrics_are_in_bounds():
    family = FAMILIES["generation"]()
    perfect = family.score(
        Predictions(("text",), torch.zeros(2, 1).numpy(), ["a b c d e", "d e"]), ["a b c d e", "d e"]
    )
    assert (perfect.metrics["chrf"], perfect.metrics["exact_match"]) == (1.0, 1.0)
    found = scored_texts(HYPOTHESES, REFERENCES)
    assert all(
        metric.in_bounds(found.metrics[metric.name]) for metric in found.measures if metric.name in found.metrics
    )
    assert found.metrics["exact_match"] == 0.2
    assert found.measures[0].name == "chrf"
    with pytest.raises(MetaglotError, match="1 texts came for 2 queries"):
        family.score(Predictions(("text",), torch.zeros(1, 1).numpy(), ["a"]), ["a", "b"])


def test_chrf_by_hand():
    # "ab" for "abc": orders 1 and 2 are judged; order 3 has n-grams of the reference alone
    precision, recall = 1.0, (2 / 3 + 1 / 2) / 2
    assert chrf(["ab"], ["abc"]) == pytest.approx(5 * precision * recall / (4 * precision + recall))
    assert (chrf(["ab"], ["xyz"]), chrf([], []), chrf([""], ["a"])) == (0.0, 0.0, 0.0)


def test_distinct_counts_pairs_of_words():
    assert distinct(["a b a b", "a b"], 2) == 2 / 4
    assert distinct(["a"], 2) == 0.0


@pytest.mark.skipif(find_spec("sacrebleu") is None, reason="sacrebleu comes with the extra generation")
def test_chrf_and_bleu_are_those_of_sacrebleu():
    import sacrebleu

    found = scored_texts(HYPOTHESES, REFERENCES)
    assert found.metrics["chrf"] == pytest.approx(sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score / 100, abs=1e-9)
    assert found.metrics["bleu"] == pytest.approx(sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score / 100, abs=1e-9)
    bleu = next(metric for metric in found.measures if metric.name == "bleu")
    assert "version:" in bleu.meaning
    for one, other in zip(HYPOTHESES, REFERENCES, strict=True):
        assert chrf([one], [other]) == pytest.approx(sacrebleu.sentence_chrf(one, [other]).score / 100, abs=1e-9)


@pytest.mark.skipif(find_spec("rouge_score") is None, reason="rouge-score comes with the extra generation")
def test_rouge_is_that_of_rouge_score():
    from rouge_score import scoring
    from rouge_score.rouge_scorer import RougeScorer

    names = ["rouge1", "rouge2", "rougeL"]
    scorer, aggregator = RougeScorer(names, use_stemmer=True), scoring.BootstrapAggregator(n_samples=2)
    for own, reference in zip(HYPOTHESES, REFERENCES, strict=True):
        aggregator.add_scores(scorer.score(reference, own))
    means = {name: [s.fmeasure for s in aggregator._scores[name]] for name in names}
    found = scored_texts(HYPOTHESES, REFERENCES).metrics
    assert all(found[name] == pytest.approx(sum(means[name]) / len(means[name])) for name in names)
