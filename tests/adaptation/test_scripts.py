"""Texts that a model was not made for are noted, by its tokenizer; English is not."""

import json

import pytest

from metaglot.adaptation import load_model
from metaglot.adaptation.scripts import fit_of, language_note
from metaglot.errors import MetaglotError

ENGLISH = ["The parcel never came and I want my money back.", "Where can I find the invoice for last month?"] * 5
FOREIGN = {
    "Polish": ["Paczka nigdy nie dotarła i chcę odzyskać swoje pieniądze.", "Gdzie znajdę fakturę za zeszły miesiąc?"],
    "Japanese": ["荷物が届かなかったので返金してください。", "先月の請求書はどこで見られますか。"],
    "Indonesian": [
        "Paketnya tidak pernah datang dan saya ingin uang kembali.",
        "Di mana tagihan bulan lalu bisa dilihat?",
    ],
    "Chinese": ["包裹一直没有送到，我想要退款。", "上个月的发票在哪里可以找到？"],
}


@pytest.fixture(scope="module")
def mini():
    try:
        return load_model("builtin:mini")
    except MetaglotError as error:
        pytest.skip(f"its base model is not at hand: {error}")


def test_english_is_not_noted_and_others_are(mini):
    assert language_note(mini, ENGLISH) is None
    assert fit_of(mini.backbone.tokenizer, ENGLISH).unread < 0.2
    for language, texts in FOREIGN.items():
        note = language_note(mini, texts * 5)
        assert note is not None, language
        assert "was not made for" in note
        assert "--against tfidf" in note
    assert "script: Japanese" in str(language_note(mini, FOREIGN["Japanese"] * 5))
    assert language_note(mini, []) is None
    assert language_note(mini, ["好"]) is None  # too little to tell


def test_commands_note_it(metaglot, mini, tmp_path):
    texts = FOREIGN["Chinese"] * 5
    file, out = tmp_path / "a.csv", tmp_path / "m"
    file.write_text("text,label\n" + "".join(f"{text}{i},{'ab'[i % 2]}\n" for i, text in enumerate(texts)))
    said = metaglot("adapt", "builtin:mini", file, "--out", out, "--effort", "instant", "--json")
    assert "was not made for" in said.err
    assert any("was not made for" in note for note in json.loads(said.out)["notes"])
    assert "was not made for" in metaglot("predict", out, file).err
    assert metaglot("predict", out, file, "--quiet").err == ""
    for model, noted in (("builtin:mini", True), (None, False)):
        inspected = metaglot("data", "inspect", file, "--json", *(("--model", model) if model else ()))
        assert any("was not made for" in note for note in json.loads(inspected.out)["notes"]) == noted
