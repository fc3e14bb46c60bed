"""CPU seconds and peak memory of indexing raw text: cleaning, sentences, tokens, words, and blocks beside them.

    python -m benchmarks.text_index --mb 100 [--duplicates near] [--tokenizer builtin:minilm]

The text is that of `text/books.parquet` in METAGLOT_DATA, repeated to the size asked for; a repeat has a number before
each paragraph and its sentences in another order, so that no text is an exact copy of another.  Another process writes
it, whose time and memory do not count.  The cache is a new folder.  The limits for 100 MB are 3 minutes on two cores
and 1.5 GB; an episode's sentences (5 words × 10, with the places of the words) are to be read in 1 ms.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def write(path: Path, megabytes: float) -> None:
    from metaglot.data.cache import data_dir
    from metaglot.data.splitting import split_sentences

    folder = data_dir()
    if folder is None:
        raise SystemExit("set METAGLOT_DATA to the folder that holds text/books.parquet")
    books = pq.read_table(folder / "text" / "books.parquet")
    texts, domains = books["text"].to_pylist(), books["domain"].to_pylist()
    rng = np.random.default_rng(0)
    left, turn, columns = megabytes * 1e6, 0, ([], [])
    while left > 0:
        for number, (text, domain) in enumerate(zip(texts, domains, strict=True)):
            if turn:
                sentences = split_sentences(text)
                text = f"{turn}.{number} " + " ".join(sentences[i] for i in rng.permutation(len(sentences)))
            columns[0].append(text)
            columns[1].append(domain)
            left -= len(text.encode())
            if left <= 0:
                break
        turn += 1
    pq.write_table(pa.table({"text": columns[0], "domain": columns[1]}), path)


def measured(name: str, step: Callable[[], Any]) -> Any:
    cpu, wall = time.process_time(), time.perf_counter()
    result = step()
    spent = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform == "linux" else 1e6)
    print(f"{name:<22} {spent:7.1f} CPU-s {time.perf_counter() - wall:7.1f} s   peak {peak:6.0f} MB", flush=True)
    return result


def episode_ms(sentences: Any, index: Any) -> float:
    """The least of 50: the tokens of 5 words × 10 sentences, and where the words stand."""
    rng = np.random.default_rng(0)
    spent: list[float] = []
    for _ in range(50):
        start = time.perf_counter()
        for word in rng.integers(0, len(index), 5).tolist():
            found = index.sentences(word)
            chosen = found[rng.integers(0, len(found), 10)]
            sentences.examples.rows(chosen)
            for sentence in chosen.tolist():
                index.spans(word, sentence)
        spent.append(time.perf_counter() - start)
    return 1e3 * min(spent)


def run(path: Path, duplicates: Any, name: str) -> None:
    from transformers import AutoTokenizer

    from metaglot.data.blocks import pack
    from metaglot.data.corpus import Cleaning, read_corpus
    from metaglot.data.folders import locate
    from metaglot.data.occurrences import index_words
    from metaglot.data.sentences import tokenise_sentences

    tokenizer = measured("imports, tokenizer", lambda: AutoTokenizer.from_pretrained(locate(name)))
    began = time.process_time()
    corpus = measured("read and clean", lambda: read_corpus(path, Cleaning(duplicates=duplicates)))
    sentences = measured("sentences and tokens", lambda: tokenise_sentences(corpus, tokenizer, max_length=64))
    index = measured("words", lambda: index_words(sentences, tokenizer))
    print(f"{'the three':<22} {time.process_time() - began:7.1f} CPU-s")
    measured(
        "the same, from cache", lambda: index_words(tokenise_sentences(corpus, tokenizer, max_length=64), tokenizer)
    )
    blocks = measured("blocks of 128", lambda: pack(corpus, tokenizer, length=128))
    print({kind: count for kind, count in corpus.removed.items() if count}, "removed;", f"{len(corpus.table):,} texts,")
    print(f"{len(sentences):,} sentences, {len(index):,} words, {len(index.start):,} places, {len(blocks):,} blocks")
    print(f"an episode's sentences in {episode_ms(sentences, index):.2f} ms (the least of 50)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=100)
    parser.add_argument("--duplicates", choices=["keep", "exact", "near"], default="exact")
    parser.add_argument("--tokenizer", default="builtin:minilm")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        write(given.write, given.mb)
        return
    from metaglot.data.folders import locate

    locate(given.tokenizer)  # fetched before the cache moves
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.parquet"
        made = subprocess.run(
            [sys.executable, "-m", "benchmarks.text_index", "--mb", str(given.mb), "--write", str(path)], check=False
        )
        if made.returncode:
            raise SystemExit(made.returncode)  # it has said why
        source = str(locate(given.tokenizer))
        os.environ["METAGLOT_CACHE"] = str(Path(folder) / "cache")
        run(path, given.duplicates, source)


if __name__ == "__main__":
    main()
