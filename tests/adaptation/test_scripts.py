"""Texts that a model was not made for are noted, by its tokenizer; English is not."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from metaglot.adaptation import Model, load_model
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
    assert language_note(mini.encoder, ENGLISH) is None
    assert fit_of(mini.encoder.backbone.tokenizer, ENGLISH).unread < 0.2
    for language, texts in FOREIGN.items():
        note = language_note(mini.encoder, texts * 5)
        assert note is not None, language
        assert "was not made for" in note
        assert "--against tfidf" in note
        assert "Take builtin:multilingual, an encoder of about 100 languages" in note
    assert "script: Japanese" in str(language_note(mini.encoder, FOREIGN["Japanese"] * 5))
    assert language_note(mini.encoder, []) is None
    assert language_note(mini.encoder, ["好"]) is None  # too little to tell


RUSSIAN = ["Посылка так и не пришла, и я хочу вернуть деньги.", "Где найти счёт за прошлый месяц?"]
GREEK = ["Το δέμα δεν ήρθε ποτέ και θέλω τα χρήματά μου πίσω.", "Πού θα βρω το τιμολόγιο του περασμένου μήνα;"]


def shuffled() -> list[str]:
    """Sentences of the words of both languages in any order, so that words are what a vocabulary learns."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(text.split(), 6)) for _ in range(300) for text in (*ENGLISH[:2], *RUSSIAN)]


def pieces_of_two_scripts() -> PreTrainedTokenizerFast:
    """A vocabulary of pieces as SentencePiece has it (Unigram): words and letters, Latin and Cyrillic."""
    words = sorted({word.strip(".,?") for text in shuffled() for word in text.split()})
    letters = sorted({letter for word in words for letter in word} | set(".,?▁"))
    pieces = [(f"▁{word}", -6.0) for word in words] + [(letter, -12.0) for letter in letters]
    made = Tokenizer(models.Unigram([("<pad>", 0.0), ("<unk>", -20.0), *pieces], unk_id=1))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", pad_token="<pad>")


def bytes_of_two_scripts() -> PreTrainedTokenizerFast:
    """A vocabulary that is made of bytes, as that of GPT-2, of Latin and Cyrillic: it has no unknown piece."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, special_tokens=["<pad>"])
    made.train_from_iterator(shuffled(), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>")


@pytest.mark.parametrize("make", [pieces_of_two_scripts, bytes_of_two_scripts])
def test_a_vocabulary_of_two_scripts_reads_both_and_no_third(
    tiny: Model, make: Callable[[], PreTrainedTokenizerFast]
) -> None:
    model = Model(replace(tiny.encoder, backbone=tiny.encoder.backbone._replace(tokenizer=make())))
    for texts in (ENGLISH, RUSSIAN * 5):
        assert language_note(model.encoder, texts) is None, texts[0]
        assert fit_of(model.encoder.backbone.tokenizer, texts).unread < 0.2
    for script, texts in (("Greek", GREEK), ("Japanese", FOREIGN["Japanese"])):
        texts = texts * 40  # an unknown run of letters, such as a Japanese sentence, is one piece
        assert language_note(model.encoder, texts) is not None, script
        assert fit_of(model.encoder.backbone.tokenizer, texts).unread > 0.8


@pytest.mark.parametrize(("count", "noted"), [(3500, False), (250, True)])
def test_a_chinese_character_is_a_word_where_a_vocabulary_has_most_of_them(tiny: Model, count: int, noted: bool):
    """Vocabularies of Chinese have a piece for each character; those of English have the few that came in."""
    own = {char for text in FOREIGN["Chinese"] for char in text}
    pieces = [(char, -9.0) for char in sorted(own | {chr(0x4E00 + number) for number in range(count)})]
    made = Tokenizer(models.Unigram([("<pad>", 0.0), ("<unk>", -20.0), *pieces], unk_id=1))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", pad_token="<pad>")
    model = Model(replace(tiny.encoder, backbone=tiny.encoder.backbone._replace(tokenizer=tokenizer)))
    assert (language_note(model.encoder, FOREIGN["Chinese"] * 5) is not None) == noted


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


def test_a_model_of_many_languages_is_not_named_to_itself(mini):
    itself = replace(mini.encoder, backbone=mini.encoder.backbone._replace(name="builtin:e5"))
    note = str(language_note(itself, FOREIGN["Japanese"] * 5))
    assert "Take an encoder of this language" in note
    assert "about 100 languages" not in note
