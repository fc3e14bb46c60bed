"""The one list of named choices: light, complete, and true."""

import subprocess
import sys
from pathlib import Path

import pytest

import metaglot
from metaglot import choices
from metaglot.adaptation.effort import AS_TRAINED, AUTO, EFFORTS, PREFIX, WORDS
from metaglot.choices import Choices

LISTS = {name: value for name, value in vars(choices).items() if isinstance(value, Choices)}
ROOT = Path(metaglot.__file__).parent
BESIDE = {
    "algorithms": {
        "rates",
        "build",
        "check",
        "describe",
        "differences",
        "gradient_based",
        "hybrid",
        "joint",
        "why_not",
    },
    "models/heads": {"able", "head", "layer", "memory", "own", "dual", "shared", "solution"},
    "inner/estimators": {"parts", "products"},
    "evaluation/baselines": {
        "method",
        "start",
        "ours",
        "features",
        "vectors",
        "finetune_tokens",
        "finetune_written",
        "written",
        "ranked",
        "batch_order",
    },
    "families": {
        *("answer_choice", "answer_windows", "answering", "label_scores", "number_scores", "shared_tools"),
        *("answer_scores", "candidate_tools", "choice", "choice_scores", "records", "tag_counts", "token_tools"),
        *("batches", "choose", "contrast", "family", "head_sizes", "other_kind", "quiet_sklearn", "scoring"),
        *("chrf", "of_parts", "prompts", "text_scores", "write_tools", "writing"),
        *("span_scores", "support_units", "tag_chain", "tag_words", "tagging", "targets"),
    },
    "families/language": {"judging", "choice"},
}  # files of a folder that are no choices


@pytest.mark.parametrize("name", LISTS)
def test_every_choice_is_where_the_list_says(name):
    for choice in LISTS[name]:
        assert callable(LISTS[name][choice]), choice
    assert len(set(LISTS[name].places.values())) == len(LISTS[name])


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("ALGORITHMS", "algorithms"),
        ("HEADS", "models/heads"),
        ("ESTIMATORS", "inner/estimators"),
        ("BASELINES", "evaluation/baselines"),
        ("FAMILIES", "families"),
        ("OBJECTIVES", "families/language"),
    ],
)
def test_every_file_of_a_folder_of_choices_is_in_the_list(name, folder):
    files = {file.stem for file in (ROOT / folder).glob("*.py")} - BESIDE[folder] - {"__init__"}
    listed = {place.partition(":")[0].rpartition(".")[2] for place in LISTS[name].places.values()}
    assert files <= listed


def test_names_are_read_without_torch():
    code = (
        "import sys, metaglot.choices as c; print(len(c.ALGORITHMS), 'maml' in c.ALGORITHMS, list(c.HEADS)[:1]); "
        "assert not {'torch', 'transformers', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(choices.ALGORITHMS)} True ['zeros']\n"


def test_an_absent_name_is_a_key_error_and_the_efforts_are_those_of_adaptation():
    with pytest.raises(KeyError):
        choices.ALGORITHMS["none"]
    assert choices.ALGORITHMS.get("none") is None
    assert (*EFFORTS, AUTO, AS_TRAINED, WORDS, PREFIX) == choices.EFFORTS
