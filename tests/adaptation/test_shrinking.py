"""A shrunk run is loaded, adapted and begun from like the run, and says what it is."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from metaglot.adaptation import load_model
from metaglot.cli.app import app
from metaglot.errors import MetaglotError
from metaglot.models import Runtime, load_backbone
from metaglot.runs.shrinking import shrink
from metaglot.training.checkpoint import latest, load

PLAIN = Runtime(precision="fp32", device="cpu")


@pytest.fixture
def embedded(sentences):
    texts, _ = sentences(3)

    def of(folder) -> np.ndarray:
        return load_model(folder, PLAIN).embed(texts)

    return of


def test_with_room_for_all_it_is_the_run(make_run, tmp_path, embedded, sentences):
    run = make_run()
    made = shrink(run, tmp_path / "small", megabytes=4)
    assert made.kept == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_allclose(embedded(tmp_path / "small"), embedded(run), atol=0.02)
    texts, labels = sentences(2)
    adapted = load_model(tmp_path / "small", PLAIN).adapt(texts, labels, effort="fast")
    assert len(adapted.predict(texts)) == len(texts)


def test_it_keeps_within_its_size_and_loses_with_less_room(make_run, tmp_path, embedded):
    run = make_run()
    far = []
    for name, size in (("large", 0.06), ("less", 0.02)):
        made = shrink(run, tmp_path / name, megabytes=size)
        assert made.bytes <= size * 10**6
        far.append(float(np.square(embedded(tmp_path / name) - embedded(run)).sum()))
    assert far[0] < far[1]


def test_a_run_averaged_with_its_base_is_shrunk_as_it_is_loaded(make_run, tmp_path, embedded):
    run = make_run()
    described = json.loads((run / "model.json").read_text("utf-8"))
    (run / "model.json").write_text(json.dumps({**described, "average_with_base": 0.5}), "utf-8")
    shrink(run, tmp_path / "small", megabytes=4)
    np.testing.assert_allclose(embedded(tmp_path / "small"), embedded(run), atol=0.02)


def test_training_can_begin_from_it(make_run, tmp_path, sentences):
    run = make_run()
    shrink(run, tmp_path / "small", megabytes=4)
    whole, small = (load_backbone(str(f), PLAIN).learner.body() for f in (run, tmp_path / "small"))
    assert whole.keys() == small.keys()
    read = [n for n in whole if "pooler" not in n]  # which nothing reads
    assert max(float((whole[n] - small[n]).abs().max()) for n in read) < 0.01


def test_what_cannot_be_shrunk_is_told(make_run, tmp_path, bert_folder):
    run = make_run()
    with pytest.raises(MetaglotError, match="no run"):
        shrink(bert_folder, tmp_path / "small")
    with pytest.raises(MetaglotError, match="exists"):
        shrink(run, tmp_path)
    with pytest.raises(MetaglotError, match="too few"):
        shrink(run, tmp_path / "small", megabytes=0.001)
    assert not (tmp_path / "small").exists()


def test_it_cannot_be_trained_further_and_says_so(make_run, tmp_path):
    shrink(make_run(), tmp_path / "small", megabytes=4)
    with pytest.raises(MetaglotError, match="a shrunk or averaged run"):
        load(latest(tmp_path / "small"), device=torch.device("cpu"))


def test_the_command(make_run, tmp_path):
    run = make_run()
    done = CliRunner().invoke(app, ["shrink", str(run), "--out", str(tmp_path / "small"), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["bytes"] == (tmp_path / "small/checkpoints/step-3/params.safetensors").stat().st_size
    for wrong in ("0", "-1", "nan", "inf"):
        refused = CliRunner().invoke(app, ["shrink", str(run), "--out", str(tmp_path / "x"), "--megabytes", wrong])
        assert isinstance(refused.exception, MetaglotError), wrong


def test_it_reads_as_many_tokens_as_are_asked_for(make_run, tmp_path):
    run = make_run()
    longer = load_model(run, PLAIN).encoder.max_length + 3
    shrink(run, tmp_path / "small", megabytes=4, max_length=longer)
    assert load_model(tmp_path / "small", PLAIN).encoder.max_length == longer
    with pytest.raises(MetaglotError, match=r"positions|tokens"):
        shrink(run, tmp_path / "other", megabytes=4, max_length=100_000)
    assert not (tmp_path / "other").exists()
