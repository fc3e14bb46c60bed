import json
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean

import pytest
import torch
from safetensors.torch import save_file

from metaglot.errors import MetaglotError
from metaglot.evaluation import Result
from metaglot.evaluation.leakage import Leakage, write_leakage
from metaglot.inner.layer_rates import LayerRates
from metaglot.inner.meta_sgd import MetaSgd
from metaglot.report import gather
from metaglot.report.headline import headline
from metaglot.report.rates import parameter_grid, rates_chart, read_parameters


def evaluation(folder: Path, results: list[Result], **settings: object) -> Path:
    folder.mkdir()
    (folder / "results.jsonl").write_text("".join(json.dumps(asdict(r)) + "\n" for r in results))
    (folder / "settings.json").write_text(json.dumps({"seed": 0, **settings}))
    return folder


def run(folder: Path, params: dict[str, torch.Tensor] | None = None) -> Path:
    checkpoint = folder / "checkpoints" / "step-10"
    checkpoint.mkdir(parents=True)
    save_file(params or {"body.x": torch.zeros(2)}, checkpoint / "params.safetensors")
    (folder / "metrics.jsonl").write_text('{"kind": "step", "step": 10, "loss": 0.5}\n{"kind": "st')
    (folder / "config.yaml").write_text("name: it\nalgorithm: {name: maml}\n")
    (folder / "model.json").write_text('{"base": "nowhere", "max_length": 16, "fingerprints": {"set": "abc123"}}')
    (folder / "environment.json").write_text('{"torch": "2"}')
    return folder


def test_a_run_and_its_results(results: list[Result], tmp_path: Path) -> None:
    made = evaluation(tmp_path / "results", results)
    write_leakage(made, Leakage("m", known=False, texts=0, excluded=False, tasks=()))
    found = gather([made, run(tmp_path / "it")])
    assert found.title == "it: evaluation"
    assert list(found.results) == results
    assert [record["step"] for record in found.curves["it"]] == [10]
    assert found.facts["Configuration of it"] == {"name": "it", "algorithm": {"name": "maml"}}
    assert found.facts["Data and model of it"]["fingerprints"] == {"set": "abc123"}
    assert found.facts["Versions of it"] == {"torch": "2"}
    assert found.facts["Settings of the evaluation, with hashes of its tasks"] == {"seed": 0}
    assert [leakage.known for leakage in found.leakage] == [False]


def test_folders_of_the_same_settings_become_one(results: list[Result], tmp_path: Path) -> None:
    half = [r for r in results if r.method != "tfidf"]
    rest = [r for r in results if r.method in {"tfidf", "finetune"}]
    again = [replace(r, cpu_seconds=9.0) for r in rest]
    found = gather([evaluation(tmp_path / "a", half, x=1), evaluation(tmp_path / "b", again, y=2)])
    assert len(found.results) == len(results)
    assert {r.cpu_seconds for r in found.results if r.method == "finetune"} == {0.5}  # the first one's
    assert list(found.facts.values()) == [{"seed": 0, "x": 1, "y": 2}]


def test_folders_that_differ_are_refused_with_the_reason(results: list[Result], tmp_path: Path) -> None:
    one = evaluation(tmp_path / "one", results)
    other = evaluation(tmp_path / "other", results, queries=5)
    (one / "settings.json").write_text('{"seed": 0, "queries": 7}')
    with pytest.raises(MetaglotError, match=r"another queries: 7 and 5\. Make a separate report of each"):
        gather([one, other])
    (one / "settings.json").write_text("{}")
    with pytest.raises(MetaglotError, match=r"has no settings\.json"):
        gather([one, other])
    third = evaluation(tmp_path / "third", [replace(results[0], metrics={"accuracy": 0.123}), *results[1:]], queries=5)
    with pytest.raises(MetaglotError, match=r"draw 0, has accuracy .* in one and 0\.1230 in the other"):
        gather([other, third])


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(MetaglotError, match="none was given"):
        gather([])
    with pytest.raises(MetaglotError, match="neither a run directory"):
        gather([tmp_path])
    with pytest.raises(MetaglotError, match="no such folder"):
        gather([tmp_path / "absent"])


@pytest.mark.parametrize(("name", "text"), [("config.yaml", "a: [b"), ("model.json", "{"), ("environment.json", "[1]")])
def test_files_that_cannot_be_read_are_named(name: str, text: str, tmp_path: Path) -> None:
    folder = run(tmp_path / "it")
    (folder / name).write_text(text)
    with pytest.raises(MetaglotError, match=f"{name}: (cannot be read|damaged)"):
        gather([folder])


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    found = gather([run(tmp_path / "a" / "run"), run(tmp_path / "b" / "run")])
    assert list(found.curves) == ["a/run", "b/run"]


def test_learnt_rates_by_layer_and_step(tmp_path: Path) -> None:
    rate = "algorithm.rule.rate."
    params = {
        "body.weight": torch.zeros(3, 3),
        "algorithm.head.log_scale": torch.tensor(2.0),
        f"{rate}log_lr.layer.10": torch.tensor([-2.0, -3.0, -4.0]),
        f"{rate}log_lr.layer.2": torch.tensor([-2.0, -3.0]),
        f"{rate}head": torch.tensor(0.5),
        f"{rate}table": torch.arange(6.0).reshape(2, 3),
    }
    learnt = {one.name: one for one in read_parameters(run(tmp_path / "it", params))}
    assert set(learnt) == {name for name in params if name.startswith("algorithm.")}
    assert learnt[f"{rate}log_lr.layer.10"].rows[0] == pytest.approx([0.1353353, 0.0497871, 0.0183156], rel=1e-5)
    assert learnt["algorithm.head.log_scale"].rows[0] == pytest.approx([7.389056])
    drawn = rates_chart(list(learnt.values()))
    names = ("head", "log_lr.layer.2", "log_lr.layer.10", "table[0]", "table[1]")
    places = [drawn.index(f">{name}<") for name in names]
    assert places == sorted(places)
    assert "log_scale" not in drawn
    assert drawn.count("<rect") == 1 + 2 + 3 + 6
    (row,) = [row for row in parameter_grid({"it": list(learnt.values())}).rows if row[1].text == "rule.rate.table"]
    assert [cell.text for cell in row] == ["it", "rule.rate.table", "2 × 3", "2.5", "0 … 5"]
    assert rates_chart([]) == ""


def test_a_rate_for_each_weight_is_shown_by_layer(tmp_path: Path) -> None:
    weights = {"body.layer.0.a.weight": 1.0, "body.layer.0.b.bias": 3.0, "body.layer.1.a.weight": 5.0}
    params = {name: torch.zeros(4) for name in weights}
    params |= {f"algorithm.rule.rate.{name}": torch.full((4,), value) for name, value in weights.items()}
    learnt = read_parameters(run(tmp_path / "it", params))
    assert [one.rows for one in learnt] == [((1.0,),), ((3.0,),), ((5.0,),)]
    drawn = rates_chart(learnt)
    assert [f">{said}<" in drawn for said in ("layer.0", "layer.1", "2", "5", "every step")] == [True] * 5
    assert drawn.count("<rect") == 2


def test_the_rates_that_a_rule_learns_are_drawn(tmp_path: Path) -> None:
    moving = {f"body.encoder.layer.{n}.weight": torch.zeros(3) for n in range(3)}
    moving |= {"head.weight": torch.zeros(2, 3), "head.bias": torch.zeros(2)}
    for rule, columns in ((LayerRates(per_step=True), 4), (MetaSgd(), 1)):
        learnt = dict(rule.learnt(moving, steps=4, seed=0))
        read = read_parameters(run(tmp_path / type(rule).__name__, {**moving, **learnt}))
        drawn = rates_chart(read)
        layers = 4 if columns == 4 else 3 + sum(name.startswith("algorithm.rule.rate.head") for name in learnt)
        assert all(f">encoder.layer.{n}<" in drawn for n in range(3))
        assert drawn.count("<rect") == layers * columns


def test_a_damaged_checkpoint_is_an_error_and_none_is_not(tmp_path: Path) -> None:
    folder = run(tmp_path / "it")
    (folder / "checkpoints" / "step-10" / "params.safetensors").write_bytes(b"no")
    with pytest.raises(MetaglotError, match="damaged"):
        read_parameters(folder)
    assert read_parameters(tmp_path) == []


def test_the_headline_is_made_from_the_numbers(results: list[Result]) -> None:
    # ours − finetune: +0.02 on a and b, 0.02 − 0.15 on c; the mean is −0.03
    assert headline(results).startswith(
        "ours-fast is 3.0 points below finetune, the strongest of 4 baselines, over 3 tasks at 1 and 5 shots "
        "(95 % interval over draws "
    )
    assert "; over tasks and draws " in headline(results)
    assert headline(results).endswith(", which includes zero); it loses 1 of 3 tasks (c by 13.0).")
    some = [r for r in results if r.task != "c" and r.method in {"ours-fast", "tfidf"} and r.shot == 1]
    assert headline(some).startswith("ours-fast is 15.0 points above tfidf, over 2 tasks at 1 shot (95 %")
    assert headline(some).endswith("; it loses none of the 2 tasks.")
    assert headline([r for r in some if r.draw == 0 and r.task == "a"]) == (
        "ours-fast is 15.0 points above tfidf, on a at 1 shot; the task is not lost."
    )
    assert "none of our methods" in headline([r for r in results if r.method == "tfidf"])
    alike = [replace(r, metrics={"accuracy": 0.5, "ece": 0.1}) for r in some]
    assert headline(alike).startswith("ours-fast is level with tfidf, over 2 tasks at 1 shot (95 %")


def test_the_headline_names_the_worst_three(results: list[Result]) -> None:
    many = [
        replace(
            r, task=f"{r.task}{n}", metrics={"accuracy": r.score - n * 0.05 * (r.method == "ours-fast"), "ece": 0.1}
        )
        for r in results
        for n in (1, 2)
    ]
    assert headline(many).endswith("it loses 6 of 6 tasks (c2 by 23.0, c1 by 18.0, a2 by 8.0 and 3 more).")


def test_the_headline_does_not_hide_a_baseline_that_was_judged_in_part(results: list[Result]) -> None:
    dear = [
        replace(r, method="setfit", metrics={"accuracy": 0.99, "ece": 0.1})
        for r in results
        if r.method == "tfidf" and r.shot == 5
    ]
    said = headline([*results, *dear])
    rivals = {r.method for r in results if not r.method.startswith("ours-")}
    assert f"the strongest of {len(rivals)} baselines" in said
    behind = fmean(0.99 - r.score for r in results if r.method == "ours-fast" and r.shot == 5)
    assert said.endswith(f"; setfit, judged at 5 shots only, is {100 * behind:.1f} points above it there.")


def test_the_headline_speaks_of_the_tasks_that_were_compared(results: list[Result]) -> None:
    some = [r for r in results if r.method in ("ours-fast", "tfidf") and (r.method == "ours-fast" or r.task != "c")]
    assert ", over 2 tasks at 1 and 5 shots" in headline(some)
