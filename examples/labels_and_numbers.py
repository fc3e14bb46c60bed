"""Several labels a text, and a number a text, learnt from a handful of examples.

python examples/labels_and_numbers.py [MODEL]
"""

import sys

import metaglot as mg

TEXTS = ["The bill is wrong, again!", "Where is my parcel?", "Thank you, all is well.", "The bill came late. Shame!"]
LABELS = [{"billing", "angry"}, {"delivery"}, set(), {"billing", "angry"}]
ANGER = [3.5, 1.0, 0.0, 5.0]
NEW = ["Why is my bill so high?!", "Good morning."]


def main(name: str = "builtin:mini") -> None:
    model = mg.load(name)
    several = model.adapt(TEXTS, LABELS, effort="instant")
    anger = model.adapt(TEXTS, ANGER, effort="instant")
    for text, labels, number in zip(NEW, several.predict(NEW), anger.predict(NEW), strict=True):
        print(f"{text}  labels: {', '.join(sorted(labels)) or 'none'}; anger: {number:.1f}")
    print(several.score(TEXTS, LABELS)["macro_f1"], anger.score(TEXTS, ANGER)["mae"])


if __name__ == "__main__":
    main(*sys.argv[1:2])
