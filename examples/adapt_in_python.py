"""Ten lines from examples to a classifier, saved, loaded and extended by a new class.

python examples/adapt_in_python.py [MODEL]
"""

import sys
import tempfile
from pathlib import Path

import metaglot

TEXTS = ["Refund my order, please.", "I was charged twice.", "The app crashes at start.", "The screen stays black."]
LABELS = ["billing", "billing", "technical", "technical"]


def main(name: str = "builtin:minilm") -> None:
    model = metaglot.load(name)
    adapted = model.adapt(TEXTS, LABELS, effort="instant")
    print(adapted.predict(["Why is there a fee on my invoice?", "It freezes after the update."]))

    wider = adapted.add_examples(["Do you ship to Norway?", "When does my parcel arrive?"], ["delivery", "delivery"])
    with tempfile.TemporaryDirectory() as folder:
        wider.save(Path(folder) / "support-desk")
        loaded = metaglot.Adapted.load(Path(folder) / "support-desk", encoder=model.encoder)
    for text in ("My package is lost.", "Cancel my subscription and return the money."):
        row = loaded.predict_proba([text])[0]
        print(text, {label: round(float(p), 2) for label, p in zip(loaded.labels, row, strict=True)})


if __name__ == "__main__":
    main(*sys.argv[1:2])
