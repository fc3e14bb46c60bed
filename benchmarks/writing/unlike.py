"""Unlike kinds of tasks as texts: classes, answers, replies and translations; summaries are a kind kept aside.

classes       five intents of CLINC150 that are named in the source; those of travel and banking are kept aside
answers       QAMR: a sentence and a question; the sentences of its test set are kept aside
replies       the services of Schema-Guided Dialogue; as in `domains.py`
translations  short descriptions of Debian's packages; Italian, and the section games, are kept aside
"""

from typing import Any

from benchmarks.writing.domains import (
    KEPT_SERVICES,
    SHORT,
    Domain,
    cut,
    domain_of,
    fields,
    services,
    split_fields,
    table,
)

KEPT_INTENTS, LABELS = ("travel", "banking"), 5
LANGUAGES, KEPT_LANGUAGE, KEPT_SECTION = ("de", "fr", "es"), "it", "games"


def domains(tokenizer: Any) -> tuple[list[Domain], list[Domain]]:
    """Return the domains that are trained on, and those kept aside."""
    found = [*_classes(), *_answers(tokenizer), *services(tokenizer), *_translations(tokenizer)]
    kept = {"banking 0", "travel 0", "qamr test", KEPT_SERVICES[0], KEPT_SERVICES[5], "it libs", "de games"}
    aside = [domain for domain in found if domain.name in kept] + split_fields(fields(tokenizer))[1][:2]
    return [domain for domain in found if domain.name not in kept and not _near_kept(domain)], aside


def _near_kept(domain: Domain) -> bool:
    """Return whether a domain that is not judged belongs to what is kept aside."""
    words = domain.name.split()
    return words[0] in KEPT_INTENTS or domain.name in KEPT_SERVICES or KEPT_LANGUAGE in words or KEPT_SECTION in words


def _classes() -> list[Domain]:
    """Return five intents a domain."""
    by_domain: dict[str, dict[str, list[str]]] = {}
    for row in table("train/clinc150"):
        if row["domain"]:
            by_domain.setdefault(row["domain"], {}).setdefault(row["label"].replace("_", " "), []).append(row["text"])
    found: list[Domain] = []
    for name, by_label in sorted(by_domain.items()):
        labels = sorted(by_label)
        for n in range(len(labels) // LABELS):
            own = labels[n * LABELS : (n + 1) * LABELS]
            asked = f"Which of {', '.join(own)}?"
            pairs = [(f"{asked}\n{text}", label) for label in own for text in by_label[label]]
            found.append(domain_of(f"{name} {n}", "classes", pairs))
    return found


def _answers(tokenizer: Any) -> list[Domain]:
    """Return answers to questions on single sentences; those of the test set are another domain."""
    pairs: dict[str, list[tuple[str, str]]] = {"dev": [], "test": []}
    for row in table("qa/qamr")[::5]:
        source = f"{cut(tokenizer, row['context'], SHORT)}\n{row['question']}"
        if row["answer"] in source:
            pairs[row["split"]].append((source, row["answer"]))
    return [domain_of(f"qamr {split}", "answers", own) for split, own in pairs.items()]


def _translations(tokenizer: Any) -> list[Domain]:
    """Return translations of a section into a language."""
    del tokenizer
    found: dict[str, list[tuple[str, str]]] = {}
    for row in table("translation/debian"):
        if row["target_lang"] in (*LANGUAGES, KEPT_LANGUAGE):
            source = f"Translate to {row['target_lang']}: {row['source']}"
            found.setdefault(f"{row['target_lang']} {row['domain']}", []).append((source, row["target"]))
    return [domain_of(name, "translations", own) for name, own in sorted(found.items()) if len(own) >= 40]
