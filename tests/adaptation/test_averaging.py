"""An average of runs is the mean of their weights, and is used like a run."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from metaglot.adaptation import load_model
from metaglot.cli.app import app
from metaglot.data.manifest import write_manifest
from metaglot.data.seen import Part, read_seen, seen_of, write_seen
from metaglot.errors import MetaglotError
from metaglot.models import Runtime
from metaglot.runs.averaging import average
from metaglot.runs.shrinking import shrink

PLAIN = Runtime(precision="fp32", device="cpu")
EMBEDDINGS = "body.embeddings.word_embeddings.weight"


@pytest.fixture
def two(make_run, tmp_path):
    """Two runs over the same base, moved in other directions."""
    folders = []
    for step in (3, 4):
        run = make_run(step)
        folders.append(shutil.move(run, tmp_path / f"run-{step}"))
    return folders


def weights(run):
    (file,) = run.glob("checkpoints/*/params.safetensors")
    return load_file(file)


def change(run, **replaced):
    described = json.loads((run / "model.json").read_text("utf-8"))
    (run / "model.json").write_text(json.dumps({**described, **replaced}), "utf-8")


def test_it_is_the_mean_and_is_used_like_a_run(two, tmp_path, sentences):
    texts, labels = sentences(3)
    made = average(two, tmp_path / "mean")
    mean, (one, other) = weights(made), map(weights, two)
    assert mean.keys() == one.keys()
    for name, value in mean.items():
        torch.testing.assert_close(value, (one[name] + other[name]) / 2)
    adapted = load_model(made, PLAIN).adapt(texts, labels, effort="fast")
    assert len(adapted.predict(texts)) == len(texts)
    shrink(made, tmp_path / "small")
    small = load_model(tmp_path / "small", PLAIN).embed(texts)
    np.testing.assert_allclose(small, load_model(made, PLAIN).embed(texts), atol=0.02)


def test_what_one_run_froze_counts_as_its_base(two, tmp_path, model):
    (file,) = two[1].glob("checkpoints/*/params.safetensors")
    kept = load_file(file)
    del kept[EMBEDDINGS]
    save_file(kept, file)
    write_manifest(file.parent)
    mean = weights(average(two, tmp_path / "mean"))[EMBEDDINGS]
    base = model.encoder.backbone.learner.body()[EMBEDDINGS]
    torch.testing.assert_close(mean, (weights(two[0])[EMBEDDINGS] + base) / 2)


def test_a_run_averaged_with_its_base_counts_as_it_is_loaded(two, tmp_path, model):
    change(two[0], average_with_base=0.5)
    mean = weights(average(two, tmp_path / "mean"))[EMBEDDINGS]
    base, (one, other) = model.encoder.backbone.learner.body()[EMBEDDINGS], (weights(run)[EMBEDDINGS] for run in two)
    torch.testing.assert_close(mean, (one.lerp(base, 0.5) + other) / 2)
    assert "average_with_base" not in json.loads((tmp_path / "mean" / "model.json").read_text("utf-8"))


def test_what_its_runs_saw_is_kept_once(two, tmp_path):
    for run, sets in zip(two, (("a", "b"), ("b", "c")), strict=True):
        parts = [Part(n, pa.table({"text": [f"the {n} apple", f"one {n} pear"]}), np.arange(2), ("x",)) for n in sets]
        write_seen(run, seen_of(parts))
        change(run, data=list(sets), fingerprints={name: name for name in sets})
    made = average(two, tmp_path / "mean", max_length=100)
    seen = read_seen(made)
    assert seen is not None
    assert [(one.name, one.texts) for one in seen.sets] == [("a", 2), ("b", 2), ("c", 2)]
    assert seen.texts == 6
    described = json.loads((made / "model.json").read_text("utf-8"))
    assert described["data"] == ["a", "b", "c"]
    assert described["fingerprints"] == {"a": "a", "b": "b", "c": "c"}
    assert described["average_of"] == ["run-3", "run-4"]
    assert load_model(made, PLAIN).max_length == 100


def test_runs_that_cannot_be_averaged_are_told(two, tmp_path, bert_folder):
    out = tmp_path / "mean"
    with pytest.raises(MetaglotError, match="two runs or more"):
        average(two[:1], out)
    with pytest.raises(MetaglotError, match="no run"):
        average([two[0], bert_folder], out)
    with pytest.raises(MetaglotError, match="exists"):
        average(two, two[0])
    with pytest.raises(MetaglotError, match="at most 128"):
        average(two, out, max_length=1000)
    change(two[1], base="builtin:tiny")
    with pytest.raises(MetaglotError, match="from one base"):
        average(two, out)
    assert not out.exists()


def test_the_command_makes_it_and_refuses_in_a_line(two, tmp_path):
    said = CliRunner().invoke(app, ["average", *map(str, two), "--out", str(tmp_path / "mean"), "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["average_of"] == [str(run) for run in two]
    wrong = CliRunner().invoke(app, ["average", *map(str, two), "--out", str(tmp_path / "x"), "--max-length", "0"])
    assert isinstance(wrong.exception, MetaglotError)


def test_a_shrunk_run_counts_with_what_it_changed(two, tmp_path, model):
    base = model.encoder.backbone.learner.body()
    for number, megabytes in ((0, 0.15), (1, 0.3)):
        shrink(two[number], tmp_path / f"small-{number}", megabytes=megabytes)
    small = [tmp_path / "small-0", tmp_path / "small-1"]
    whole = [load_model(folder, PLAIN).encoder.params for folder in (*two, *small)]
    for members, number in (((0, 2), 0), ((0, 3), 1), ((2, 3), 2)):
        made = average([(*two, *small)[i] for i in members], tmp_path / f"mean-{number}")
        mean = load_model(made, PLAIN).encoder.params
        for name in base:
            if name in mean:
                torch.testing.assert_close(mean[name], sum(whole[i][name] for i in members) / 2, rtol=1e-5, atol=1e-6)
    shrink(small[1], tmp_path / "again", megabytes=0.3)
    again = load_model(tmp_path / "again", PLAIN).encoder.params
    for name, value in whole[3].items():
        torch.testing.assert_close(again[name], value, rtol=1e-2, atol=1e-3)
    assert any(not torch.equal(whole[3][name], base[name]) for name in base if name in whole[3])
