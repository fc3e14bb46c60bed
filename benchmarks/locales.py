"""A locale that nothing knows, from 50 or 200 strings: those of a near locale, word by word.

    METAGLOT_DATA=… python -m benchmarks.locales --out results/locales

The strings are Django's (`translation/django.parquet`).  Two fifths of the English ones, by a hash, are judged by; the
support is drawn from the others.  Of each of ten locales that are kept aside the nearest is found among the others, by
how far copying its strings goes on the support.  Methods write the string of the locale from that of the nearest one:

    english      the English string is copied
    nearest      the string of the nearest locale is copied
    neighbour    the string of the support whose English is most alike, by counts of letters
    words        words become what stands in their place in the support; others stay
    lexicon      the same, and words that the support does not have are spelt by what letters became

chrF, mean over draws; gains over `nearest` with 95 % intervals over the ten locales.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import pyarrow.parquet as pq

from benchmarks.text.train import words as listed
from metaglot.adaptation.alike import nearest as alike
from metaglot.evaluation.statistics import t_interval
from metaglot.families.chrf import chrf
from metaglot.families.heads.lexicon import Lexicon, lexicon_of
from metaglot.families.heads.spelling import Spelling
from metaglot.seeds import fold, generator

KEPT = ("gl", "sk", "nn", "af", "uk", "lt", "az", "mr", "eu", "ms")
JUDGED = 0.4  # of the English strings
FEWEST = 400  # strings of a locale that others may be near to
LOOKED_AT = 50  # strings of a support that the nearest locale is found by
Strings = Mapping[str, str]  # English -> translation


class Task(NamedTuple):
    """A locale to be learnt: strings of the support and to be judged by, in three languages."""

    english: tuple[list[str], list[str]]
    near: tuple[list[str], list[str]]  # in the nearest locale
    right: tuple[list[str], list[str]]  # in the locale


def locales(root: Path) -> Mapping[str, Strings]:
    """Return the strings of each locale."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in pq.read_table(root / "translation" / "django.parquet").to_pylist():
        found[row["target_lang"]][row["source"]] = row["target"]
    return found


def is_judged(english: str) -> bool:
    """Return whether a string is one of those that are judged by, the same ones for all locales."""
    return fold(0, "judged", english) % 1000 < 1000 * JUDGED


def nearest(strings: Mapping[str, Strings], own: Strings, support: Sequence[str]) -> str:
    """Return the locale whose strings are most like these, among those that are not kept aside."""
    few = support[:LOOKED_AT]
    right = [own[one] for one in few]
    near = [name for name, other in strings.items() if name not in KEPT and len(other) >= FEWEST and name[:2] != "en"]
    return max(near, key=lambda name: chrf([strings[name].get(one, one) for one in few], right))


def task_of(strings: Mapping[str, Strings], locale: str, shots: int, draw: int) -> tuple[str, Task]:
    """Return the nearest locale and the task of one draw."""
    own = strings[locale]
    known = sorted(one for one in own if not is_judged(one))
    support = [known[i] for i in generator(fold(0, locale, draw), "support").permutation(len(known))[:shots]]
    judged = sorted(one for one in own if is_judged(one))
    name = nearest(strings, own, support)
    near = tuple([strings[name].get(one, one) for one in part] for part in (support, judged))
    right = tuple([own[one] for one in part] for part in (support, judged))
    return name, Task((support, judged), (near[0], near[1]), (right[0], right[1]))


def neighbour(task: Task) -> list[str]:
    """Return the strings of the support whose English is most alike."""
    return [task.right[0][found[0]] for found in alike(task.english[1], task.english[0], 1)]


def by_lexicon(task: Task, *, spelt: bool) -> list[str]:
    """Return the strings of the nearest locale word by word."""
    lexicon = lexicon_of(task.near[0], task.right[0])
    lexicon = lexicon if spelt else Lexicon(lexicon.words, lexicon.chances, Spelling(()))
    return [lexicon.write(text).text for text in task.near[1]]


METHODS: dict[str, Callable[[Task], Sequence[str]]] = {
    "english": lambda task: task.english[1],
    "nearest": lambda task: task.near[1],
    "neighbour": neighbour,
    "words": lambda task: by_lexicon(task, spelt=False),
    "lexicon": lambda task: by_lexicon(task, spelt=True),
}


def table(rows: Sequence[Mapping[str, object]], shots: int) -> list[str]:
    """Return the lines of a table in Markdown: a locale a row, then the means and the gains over `nearest`."""
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    near: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["shots"] == shots:
            scores[str(row["locale"])][str(row["method"])].append(float(str(row["chrf"])))
            near[str(row["locale"])].add(str(row["near"]))
    means = {locale: {name: fmean(values) for name, values in own.items()} for locale, own in scores.items()}
    lines = [f"| {shots} strings | near | " + " | ".join(METHODS) + " |", "|---|---|" + "---:|" * len(METHODS)]
    for locale, own in means.items():
        lines.append(
            f"| {locale} | {', '.join(sorted(near[locale]))} | " + " | ".join(f"{own[n]:.1f}" for n in METHODS) + " |"
        )
    lines.append(
        "| mean | | " + " | ".join(f"{fmean(own[name] for own in means.values()):.1f}" for name in METHODS) + " |"
    )
    gains = [t_interval([own[name] - own["nearest"] for own in means.values()]) for name in METHODS]
    lines.append("| over nearest | | " + " | ".join(f"{gain.mean:+.1f} ± {gain.half:.1f}" for gain in gains) + " |")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge every method on every locale, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a folder for rows.jsonl and table.md")
    parser.add_argument("--locales", type=listed, default=KEPT)
    parser.add_argument("--shots", type=lambda text: [int(one) for one in text.split(",")], default=[50, 200])
    parser.add_argument("--draws", type=int, default=3)
    args = parser.parse_args(arguments)
    strings = locales(Path(os.environ["METAGLOT_DATA"]))
    rows: list[Mapping[str, object]] = []
    args.out.mkdir(parents=True, exist_ok=True)
    for locale in args.locales:
        for shots, draw in product(args.shots, range(args.draws)):
            near, task = task_of(strings, locale, shots, draw)
            for name, method in METHODS.items():
                begin = time.process_time()
                written = method(task)
                seconds = time.process_time() - begin
                own = {"locale": locale, "near": near, "shots": shots, "draw": draw, "method": name}
                rows.append(own | {"chrf": 100 * chrf(written, task.right[1]), "cpu_s": seconds})
        print(locale, file=sys.stderr, flush=True)
    (args.out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    text = "\n\n".join("\n".join(table(rows, shots)) for shots in args.shots)
    (args.out / "table.md").write_text(text + "\n", "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
