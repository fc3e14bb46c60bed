"""Which texts a model is said not to be made for: the shares that `language_note` reads, by set and language.

    METAGLOT_DATA=… python -m benchmarks.languages builtin:mini

Each line: share unread and split of 300 texts, whether they are noted, and how many of 30 samples of 10 texts are.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from metaglot.adaptation import load_model
from metaglot.adaptation.scripts import fit_of, language_note
from metaglot.data.readers import read_table
from metaglot.errors import MetaglotError
from metaglot.seeds import generator

SAMPLES, SIZE, TEXTS = 30, 10, 300


def texts_by_language(file: Path) -> dict[str, list[str]]:
    """Return the texts of a set by language, in a seeded order."""
    table = read_table(file)
    texts = table["text"].to_pylist()
    languages = table["lang"].to_pylist() if "lang" in table.column_names else [""] * len(texts)
    found: dict[str, list[str]] = {}
    for i in generator(0, "languages", file.stem).permutation(len(texts)):
        found.setdefault(languages[i] or "", []).append(texts[i])
    return found


def main() -> None:
    """Print a line for each language of each labelled set."""
    model = load_model(sys.argv[1])
    root = Path(os.environ["METAGLOT_DATA"])
    print("unread split noted samples set")
    for file in sorted(file for folder in ("train", "dev", "leopard") for file in (root / folder).rglob("*.parquet")):
        for language, texts in sorted(texts_by_language(file).items()):
            some = texts[:TEXTS]
            fit = fit_of(model.encoder.backbone.tokenizer, some)
            blocks = [some[at : at + SIZE] for at in range(0, min(len(some), SAMPLES * SIZE), SIZE)]
            noted = sum(language_note(model.encoder, block) is not None for block in blocks)
            told = "yes" if language_note(model.encoder, some) else "no"
            print(f"{fit.unread:.3f} {fit.split:.3f} {told} {noted}/{len(blocks)} {file.stem} {language}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"languages: {error}")
