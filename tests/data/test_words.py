"""Words of texts: nothing is lost, nothing is in two words, and languages are cut as the docstring says."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metaglot.data.words import is_unspaced, words

SCRIPTS = "Aé1٣_-. \t\u2028北京コーกรุงខ្ញုံမြ한\u0301\u200c\u200d\u00ad❤\ufe0f👨🏽\x1c\u200b𠀀"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Don't! 5pm in U.S.", "Don ' t ! 5pm in U . S ."),
        ("café naïve", "café naïve"),
        ("cafe\u0301 e\u0301-mail", "cafe\u0301 e\u0301 - mail"),
        ("我住在2024年。", "我 住 在 2024 年 。"),
        ("コーヒーを", "コ ー ヒ ー を"),
        ("ที่นี่ กก", "ที่ นี่ ก ก"),
        ("ខ្ញុំនៅ", "ខ្ញុំ នៅ"),
        ("မြန်မာ၂၀၂၄", "မြ န် မာ ၂၀၂၄"),
        ("हिन्दी में", "हिन्दी में"),
        ("한국어 문장", "한국어 문장"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("An\u00adna a\u2060b", "An\u00adna a\u2060b"),
        ("snake_case #tag @me", "snake _ case # tag @ me"),
        ("❤️ok 👨\u200d👩", "❤️ ok 👨\u200d 👩"),
        ("", ""),
        (" \t\n", ""),
    ],
)
def test_words_of_languages(text: str, parts: str):
    assert [text[first:last] for first, last in words(text)] == parts.split()


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=30), st.text(st.sampled_from(SCRIPTS), max_size=30)))
@example("\x1c\x1d\x1e\x1f\x85\xa0")
def test_words_cover_all_that_is_no_white_space_once(text: str):
    places = words(text)
    at = 0
    for first, last in places:
        assert first < last
        assert text[at:first].strip() == ""
        assert not any(char.isspace() for char in text[first:last])
        at = last
    assert text[at:].strip() == ""


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=30), st.text(st.sampled_from(SCRIPTS), max_size=30)))
def test_letters_and_digits_side_by_side_are_one_word_and_marks_stay_with_them(text: str):
    begins = {first for first, _ in words(text)}
    for at in range(1, len(text)):
        before, char = text[at - 1], text[at]
        if unicodedata.category(char)[0] == "M" and not before.isspace():
            assert at not in begins
        if char.isalnum() and before.isalnum() and not is_unspaced(char) and not is_unspaced(before):
            assert at not in begins
        if unicodedata.category(char)[0] in "PS":
            assert at in begins


def test_scripts_without_spaces():
    assert all(map(is_unspaced, "北あアกກកမ々ー"))
    assert not any(map(is_unspaced, ["a", "한", "1", "。", " ", ""]))
    assert all(map(is_unspaced, map(chr, range(0xE01, 0xE30))))
    assert not any(is_unspaced(chr(code)) for code in range(0xE00))
