"""The words of the page stand in both languages, and none is missing or of no use."""

import re
from pathlib import Path

import metaglot
from metaglot.playground.samples import ORDER, SAMPLES
from metaglot.playground.words import LANGUAGES, WORDS, language_of, say

ROOM = Path(metaglot.__file__).parent / "playground"
FIELD = re.compile(r"\{(\w+)")


def test_both_languages_say_all_with_the_same_values():
    for key, (english, chinese) in WORDS.items():
        assert english.strip(), key
        assert re.search(r"[\u4e00-\u9fff]", chinese), key
        assert set(FIELD.findall(english)) == set(FIELD.findall(chinese)), key


def test_every_word_is_used_and_every_word_that_is_used_is_there():
    source = "".join(path.read_text("utf-8") for path in ROOM.glob("*.py") if path.name != "words.py")
    used = set(re.findall(r"""["'](\w+)["']""", source)) | {
        f"{word}_{n}" for word in ("step", "help") for n in range(1, 5)
    }
    asked = set(re.findall(r"""say\(\s*["'](\w+)["']""", source))
    print(f"{len(WORDS)} words, {len(asked)} asked by name")
    assert set(WORDS) <= used
    assert asked <= set(WORDS)
    assert len(asked) > 20


def test_the_language_of_a_browser():
    assert [language_of(one) for one in ("zh-CN,zh;q=0.9", "en-GB,zh;q=0.5", "fr", "")] == ["zh", "en", "en", "en"]
    assert set(LANGUAGES.values()) == set(SAMPLES)
    assert say("learnt", "zh", count=3, seconds=0.5) != say("learnt", "en", count=3, seconds=0.5)


def test_each_set_is_there_in_each_language():
    for sets in SAMPLES.values():
        assert set(sets) == set(ORDER)
        for one in sets.values():
            assert len(one.questions) > 1
            assert {len(row) for row in one.table.rows} == {len(one.table.headers)}
