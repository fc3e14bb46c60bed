"""Write the folders that `test_golden.py` reads: a tiny base, a run over it, and adaptations of both.

    python tests/golden/make.py

They stand here as version 0.1.0 wrote them, and are not made anew when the code changes: later versions have to read
them and to predict the same.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import metaglot

HERE = Path(__file__).resolve().parent
ELSEWHERE = "/home/ann/golden"  # a folder that is not there
WORDS = (
    *("a", "the", "my", "is", "was", "not", "it", "late", "early", "broken", "box", "parcel", "train", "bus", "seat"),
    *("ticket", "refund", "invoice", "money", "card", "rain", "sun", "cold", "warm", "wind", "today", "tomorrow"),
)
KINDS = {
    "post": ("my parcel is late", "the box was broken", "the parcel was not early", "my box is broken"),
    "travel": ("the train is late", "a seat on the bus", "my ticket was early", "the bus was not late"),
    "bank": ("refund my money", "the invoice was late", "my card is not it", "a refund on my card"),
    "weather": ("the sun is warm today", "rain and wind tomorrow", "it was cold", "the rain is cold today"),
}
QUESTIONS = ("my train was broken", "money and a card", "the box is not early", "wind today")
RECIPE = """\
name: golden
data:
  train: [{path: data.csv, min_per_class: 2}]
  validation: [{path: aside.csv, min_per_class: 2}]
model: {name: base, max_length: 16, precision: fp32}
algorithm: {name: fomaml, options: {steps: 2, lr: 0.05, head: prototypes}}
episodes: {ways: [2, 3], shots: [1, 2], queries: 1}
training: {steps: 2, meta_batch: 2}
validation: {every: 2, episodes: 2}
threads: 1
seed: 3
"""


def main() -> None:
    """Write all folders beside this file."""
    for name in ("base", "run", "adapted", "adapted-of-run"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*special, *WORDS])}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(HERE / "base")
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    vocabulary = len(special) + len(WORDS)
    BertModel(
        BertConfig(vocab_size=vocabulary, max_position_embeddings=32, initializer_range=0.3, **size)
    ).save_pretrained(HERE / "base")
    rows = [f"{text},{label}" for label, texts in KINDS.items() for text in texts]
    (HERE / "data.csv").write_text("\n".join(["text,label", *rows]) + "\n", "utf-8")
    aside = [f"{text},{label}" for label, texts in KINDS.items() for text in (f"{t} today" for t in texts)]
    (HERE / "aside.csv").write_text("\n".join(["text,label", *(r.replace(",", ",to ") for r in aside)]) + "\n", "utf-8")
    (HERE / "recipe.yaml").write_text(RECIPE, "utf-8")
    words = [
        sys.executable,
        "-c",
        "from metaglot.cli.app import main; main()",
        "pretrain",
        "recipe.yaml",
        "--out",
        "run",
        "-q",
    ]
    subprocess.run(words, cwd=HERE, check=True)
    texts = [text for texts in KINDS.values() for text in texts]
    labels = [label for label, texts in KINDS.items() for _ in texts]
    expected = {}
    for source, out in (("base", "adapted"), ("run", "adapted-of-run")):
        model = metaglot.load(HERE / source, device="cpu", precision="fp32")
        adapted = model.adapt(texts, labels, effort="instant" if source == "base" else "as-trained")
        adapted.save(HERE / out, keep_examples=True)
        expected[out] = {"labels": list(adapted.labels), "proba": adapted.predict_proba(list(QUESTIONS)).tolist()}
    for file in [*HERE.glob("*/*.json"), *HERE.glob("*/*.md")]:  # where the folders stood is nobody's
        file.write_text(file.read_text("utf-8").replace(str(HERE), ELSEWHERE), "utf-8")
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
