"""Words in the place of words: alignment against a loop over the formula, spelling, and what stays as it is."""

import math
from collections import defaultdict
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.families.heads import lexicon
from metaglot.families.heads.lexicon import (
    APART,
    NOWHERE,
    READ_BY_PROGRAMS,
    ROUNDS,
    aligned,
    cased,
    lexicon_of,
    likeness,
    spoken,
)
from metaglot.families.heads.spelling import Spelling, letters, spelling_of

WORDS = st.text("abcdeé", min_size=1, max_size=6)
LETTERS = str.maketrans({"a": "o", "e": "u"})  # the spelling of a language that is made of another
SOURCES = [
    "the water is clear",
    "water and paper",
    "the paper is later",
    "clear and wide later",
    "a latter letter",
    "the later water matters",
]
PAIRS = [(source, source.translate(LETTERS)) for source in SOURCES]


def by_a_loop(pairs):
    """Return t(y | x) as the formula has it, pair by pair."""
    chances = {}
    for xs, ys in pairs:
        for y in ys:
            chances["", y] = NOWHERE
            chances |= {(x, y): 1 + 4 * likeness(x, y) ** 2 for x in xs}
    for _ in range(ROUNDS):
        counts = defaultdict(float)
        for xs, ys in pairs:
            for j, y in enumerate(ys):
                near = [math.exp(-APART * abs((i + 0.5) / len(xs) - (j + 0.5) / len(ys))) for i in range(len(xs))]
                parts = [(x, chances[x, y] * near[i] * (NOWHERE + likeness(x, y))) for i, x in enumerate(xs)]
                parts.append(("", chances["", y] * NOWHERE))
                total = sum(part for _, part in parts)
                for x, part in parts:
                    counts[x, y] += part / total
        of = defaultdict(float)
        for (x, _), count in counts.items():
            of[x] += count
        chances = {(x, y): count / of[x] for (x, y), count in counts.items()}
    return chances


def test_alignment_is_the_formula():
    pairs = [(x.split(), y.split()) for x, y in PAIRS]
    found = aligned(pairs)
    expected = by_a_loop(pairs)
    flat = {(x, y): chance for x, ys in found.items() for y, chance in ys.items()}
    assert flat == pytest.approx({pair: chance for pair, chance in expected.items() if pair[0]})
    for ys in found.values():
        assert sum(ys.values()) == pytest.approx(1)


def test_words_and_spelling_are_learnt():
    lexicon = lexicon_of(*zip(*PAIRS, strict=True))
    assert lexicon.words["water"] == "wotur"
    known = lexicon.write("The WATER and a letter")
    assert known.text == "Thu WOTUR ond o luttur"
    assert known.chance > 0.9
    new = lexicon.write("the waters")  # a word that no example has
    assert new.text == "thu woturs"
    assert new.chance < known.chance


def test_what_a_program_fills_in_stays():
    text = 'The %(name)s {water} <b class="water">water</b> &water; %d https://water.name/and?name'
    assert [text[begin:end] for begin, end in spoken(text)] == ["The", "water"]
    written = lexicon_of(*zip(*PAIRS, strict=True)).write(text).text
    assert written == text.replace("The", "Thu").replace(">water<", ">wotur<")


@pytest.mark.parametrize(
    "text",
    [
        "{{ water }} {{water}} {% water %} $water ${water} %water% %{water} @water :water %1 %L2 %n",
        "{water, plural, one {# } =2 {} other {# }} {water, date, short}",
        "--water -w water.txt water@water.org `water` 1 250",
    ],
)
def test_what_other_programs_fill_in_and_numbers_stay(text):
    learnt = [*PAIRS, ("water 1 250", "wotur one two"), ("w one other", "o uno altro")]
    assert lexicon_of(*zip(*learnt, strict=True)).write(text) == (text, 1.0, 1.0)


@pytest.mark.parametrize("text", ["\u6c34" * 100_000, "a." * 50_000, "`" + "a" * 100_000])
def test_what_programs_read_is_found_in_linear_time(text):
    assert sum(1 for _ in READ_BY_PROGRAMS.finditer(text)) <= 1  # by starts within a word it takes minutes


def test_the_texts_of_choices_are_written_and_their_names_are_not():
    written = (
        lexicon_of(*zip(*PAIRS, strict=True))
        .write("{water, plural, one {# letter} other {# the water}} paper {water}")
        .text
    )
    assert written == "{water, plural, one {# luttur} other {# thu wotur}} popur {water}"
    inside = lexicon_of(*zip(*PAIRS, strict=True)).write("{n, select, a {paper {water}} other {the {water}}}").text
    assert inside == "{n, select, a {popur {water}} other {thu {water}}}"


def test_an_i_with_a_dot_is_one_letter_in_both_cases():
    lexicon = lexicon_of(["\u0130ptal et", "iptal"], ["\u0130mtina et", "imtina"])
    words = ["\u0130ptal", "iptal", "\u0130PTAL ET"]
    assert [lexicon.write(word).text for word in words] == ["\u0130mtina", "imtina", "\u0130MT\u0130NA ET"]


def test_nothing_is_made_of_nothing():
    lexicon = lexicon_of([], [])
    assert lexicon.write("") == ("", 1.0, 1.0)
    assert lexicon.write("Remove!").text == "Remove!"
    assert lexicon_of(["", "…"], ["a", "b"]).words == {}


@pytest.mark.parametrize(
    ("like", "word"),
    [("Water", "Wotur"), ("WATER", "WOTUR"), ("water", "wotur"), ("W", "Wotur"), ("3D", "WOTUR"), ("3d", "wotur")],
)
def test_capital_letters_stand_where_they_stood(like: str, word: str):
    assert cased("wotur", like) == word


@given(WORDS, WORDS)
@settings(max_examples=60, deadline=None)
def test_letters_make_the_other_word(x: str, y: str):
    became = letters(x, y)
    assert len(became) == len(x)
    assert "".join(became) == y


@given(st.lists(st.tuples(WORDS, WORDS), max_size=6), WORDS)
@settings(max_examples=40, deadline=None)
def test_a_word_is_spelt_in_any_case(pairs: list[tuple[str, str]], word: str):
    assert isinstance(spelling_of(pairs).word(word), str)
    assert Spelling(()).word(word) == word


def test_a_letter_that_went_several_ways_stays():
    assert spelling_of([("bache", "boche")]).word("bache") == "boche"
    assert spelling_of([("bache", "boche"), ("bache", "buche")]).word("bache") == "bache"


def said(text: str) -> list[str]:
    return [text[begin:end] for begin, end in spoken(text)]


def test_names_of_files_are_told_from_words_between_which_a_space_is_missing():
    assert said("approx.ten files, Ende.Der") == ["approx", "ten", "files", "Ende", "Der"]
    assert said("index.html and a.txt, e.g. my_file.xyz or os.path.join on example.com") == ["and", "or", "on"]


def test_long_texts_are_read_in_time_in_proportion_to_them():
    choices = "{n, plural, one {# file} other {# files}} "
    begin = process_time()
    assert said(choices * 10_000) == ["file", "files"] * 10_000
    assert said("%s word " * 20_000) == ["word"] * 20_000
    assert process_time() - begin < 20  # it was minutes


def test_a_word_is_put_beside_those_of_a_long_source_that_stand_around_its_place(monkeypatch):
    pairs = [(["a", "b"], ["a", "c"]), (list("abcdefgh"), list("abcdefgh"))]
    whole = aligned(pairs)
    monkeypatch.setattr(lexicon, "AROUND", 8)
    assert aligned(pairs) == whole
    monkeypatch.setattr(lexicon, "AROUND", 4)
    found = aligned(pairs[1:])
    assert [set(found[x]) for x in "adh"] == [set("abc"), set("abcde"), set("fgh")]
