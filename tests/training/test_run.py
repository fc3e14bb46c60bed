"""A run on disk: resumed to the bit, ended by its goal, its budget, its steps or a signal, and always saved."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.metric import Metric
from metaglot.training import Goal, Validation, run, validate
from metaglot.training.checkpoint import latest, list_steps
from metaglot.training.run import read_metrics


def finish(plan, folder, **options):
    """Run to the end and return the events, without their states' tensors, and the last one."""
    events = list(run(plan, folder, **options))
    assert [event.kind for event in events].count("end") == 1
    assert events[-1].kind == "end"
    assert (latest(folder) or folder).name == f"step-{events[-1].state.step}"
    return events


def interrupted_after(steps):
    """Return a stop function that is true from the given number of calls on."""
    asked = iter(range(10**6))
    return lambda: next(asked) >= steps


def kinds(events):
    return [event.kind for event in events]


def metrics_of(folder):
    lines = read_metrics(folder / "metrics.jsonl")
    return [{k: v for k, v in line.items() if not k.endswith("seconds")} for line in lines]


def killed_at(plan, folder, step):
    """Run until a step is done, then vanish without a word, as by SIGKILL."""
    events = run(plan, folder)
    for event in events:
        if event.kind == "step" and event.state.step == step:
            break
    events.close()


@pytest.fixture(scope="module")
def whole_run(make_plan, tmp_path_factory) -> Callable[..., Path]:
    """A function from an algorithm's name to the folder of its run of twelve steps, which is made once."""

    @cache
    def of(name: str = "protonet") -> Path:
        folder = tmp_path_factory.mktemp("whole")
        finish(make_plan(name), folder)
        return folder

    return of


@pytest.mark.parametrize("stopped", [5, pytest.param(7, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", ["protonet", *(pytest.param(n, marks=pytest.mark.slow) for n in ("fomaml", "joint", "sequential-reptile"))]
)
def test_resumed_to_the_bit(make_plan, whole_run, tmp_path, name, stopped):
    """12 steps at once, or killed when `stopped` are done and resumed from step 5, dropout on: the same bytes."""
    plan = make_plan(name)
    # Step 5 is saved just after its event, so the next one is where a run with a checkpoint there can be killed.
    killed_at(plan, tmp_path / "parts", stopped + 1)
    assert list_steps(tmp_path / "parts") == [5]
    events = finish(plan, tmp_path / "parts")
    assert events[0].state.step == 5
    assert events[-1].state.step == 12
    for file in ("params", "moments"):
        whole, parts = (
            (folder / f"checkpoints/step-12/{file}.safetensors").read_bytes()
            for folder in (whole_run(name), tmp_path / "parts")
        )
        assert whole == parts, file
    records = metrics_of(whole_run(name))
    assert [r["step"] for r in records if r["kind"] == "step"] == list(range(1, 13))
    assert [r["step"] for r in records if r["kind"] == "validation"] == [0, 4, 8, 12]
    assert records == metrics_of(tmp_path / "parts")


def test_dropout_is_on(make_plan, tmp_path):
    """Or the test above would prove less than it says."""
    plan = make_plan(steps=1)
    finish(plan, tmp_path / "on")
    finish(replace(plan, algorithm=replace(plan.algorithm, dropout=False)), tmp_path / "off")
    losses = [metrics_of(tmp_path / k)[1]["loss"] for k in ("on", "off")]
    assert losses[0] != losses[1]


def test_killed_before_the_first_checkpoint(make_plan, tmp_path):
    plan = make_plan(steps=6)
    finish(plan, tmp_path / "whole")
    killed_at(plan, tmp_path / "parts", 3)
    assert list_steps(tmp_path / "parts") == []
    assert finish(plan, tmp_path / "parts")[0].state.step == 0
    assert metrics_of(tmp_path / "whole") == metrics_of(tmp_path / "parts")


def test_a_torn_line_of_metrics_is_dropped(make_plan, tmp_path):
    plan = make_plan(steps=6)
    finish(plan, tmp_path / "whole")
    killed_at(plan, tmp_path / "parts", 6)
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "st')
    finish(plan, tmp_path / "parts")
    assert metrics_of(tmp_path / "whole") == metrics_of(tmp_path / "parts")


def test_stopped_and_resumed(make_plan, whole_run, tmp_path):
    plan = make_plan()
    events = finish(plan, tmp_path / "parts", stop=interrupted_after(3))
    assert events[-1].reason == "interrupted"
    assert 0 < events[-1].state.step < 5
    finish(plan, tmp_path / "parts")
    whole, parts = (
        (folder / "checkpoints/step-12/params.safetensors").read_bytes() for folder in (whole_run(), tmp_path / "parts")
    )
    assert whole == parts


def test_stopped_before_the_first_step(make_plan, tmp_path):
    plan = make_plan(steps=2)
    events = finish(plan, tmp_path, stop=lambda: True)
    assert (events[-1].reason, events[-1].state.step) == ("interrupted", 0)
    assert finish(plan, tmp_path)[-1].reason == "done"
    assert [r["step"] for r in metrics_of(tmp_path)] == [0, 1, 2, 2]


def test_done_and_done_again(make_plan, tmp_path):
    plan = make_plan(steps=6)
    assert finish(plan, tmp_path)[-1].reason == "done"
    before = (tmp_path / "checkpoints/step-6/params.safetensors").read_bytes()
    events = finish(plan, tmp_path)
    assert events[-1].reason == "done"
    assert "step" not in kinds(events)
    assert (tmp_path / "checkpoints/step-6/params.safetensors").read_bytes() == before


def test_a_goal_met_ends_the_run_for_good(make_plan, tmp_path):
    plan = make_plan(goal=Goal(score=1e-6))
    reached = finish(replace(plan, goal=None), tmp_path / "plain")[-1].state.goal
    assert reached["accuracy"] > 0
    # Met by the test before the first step: there is a checkpoint of that too.
    events = finish(plan, tmp_path / "goal")
    assert (events[-1].reason, events[-1].state.step) == ("goal", 0)
    again = finish(plan, tmp_path / "goal")
    assert (again[-1].reason, "step" in kinds(again)) == ("goal", False)


def test_a_goal_met_on_the_way(make_plan, tmp_path):
    """The number of the step stands in for an accuracy, so that it is known when the goal is met."""
    plan = make_plan(goal=Goal(Metric("step"), 6))
    events = finish(plan, tmp_path)
    assert (events[-1].reason, events[-1].state.step) == ("goal", 8)  # tested at steps 0, 4, 8
    again = finish(plan, tmp_path)
    assert (again[-1].reason, again[-1].state.step, "step" in kinds(again)) == ("goal", 8, False)


def test_steps_that_end_before_the_goal_are_a_budget(make_plan, tmp_path):
    plan = make_plan(steps=2, goal=Goal(score=1.1))
    assert finish(plan, tmp_path)[-1].reason == "budget"
    again = finish(plan, tmp_path)
    assert (again[-1].reason, "step" in kinds(again)) == ("budget", False)


@pytest.mark.parametrize(("goal", "reason"), [(None, "done"), (Goal(score=1.1), "budget")])
def test_the_cpu_budget_ends_the_run_for_good(make_plan, tmp_path, goal, reason):
    plan = make_plan(steps=1000, goal=goal, cpu_minutes=1e-7)
    events = finish(plan, tmp_path)
    assert (events[-1].reason, events[-1].state.step) == (reason, 1)
    assert events[-1].state.goal["step"] == 1  # tested once more at the end
    again = finish(plan, tmp_path)
    assert (again[-1].reason, again[-1].state.step) == (reason, 1)


def test_the_budget_counts_what_was_spent_before_the_steps_and_on_validation(make_plan, tmp_path):
    plan = make_plan(steps=1000, cpu_minutes=50 / 60)
    late = replace(plan, began=time.process_time() - 60.0)  # a minute went into loading
    events = finish(late, tmp_path)
    assert (events[-1].reason, events[-1].state.step) == ("done", 1)
    assert 60 < events[-1].state.cpu_seconds < 120
    most = (events[-1].state.cpu_seconds + 60 + 1) / 60  # one second for more steps
    again = finish(replace(plan, cpu_minutes=most, began=time.process_time() - 60.0), tmp_path)
    assert again[-1].state.cpu_seconds > 120  # of both calls
    assert again[-1].state.step > 1


def test_steps_that_a_kill_lost_count_in_what_a_run_spent(make_plan, tmp_path):
    plan = make_plan(steps=6)
    killed_at(replace(plan, began=time.process_time() - 60.0), tmp_path, 4)  # it spent a minute, and saved nothing
    again = finish(plan, tmp_path)
    assert again[0].state.step == 0
    assert 60 < again[-1].state.cpu_seconds < 120
    spent = [line["run_cpu_seconds"] for line in read_metrics(tmp_path / "metrics.jsonl") if line["kind"] == "step"]
    assert len(spent) == 6
    assert spent == sorted(spent)


def test_validation_meets_the_same_episodes_in_every_run(make_plan):
    plans = [make_plan(seed=seed) for seed in (0, 1)]
    found = []
    for plan in plans:
        seen = []

        class Watched:
            tasks = plan.validation.tasks

            def __call__(self, seed, n, snapshot):
                episode = plan.validation(seed, n, snapshot)  # noqa: B023
                seen.append((episode.task.name, episode.rows["support"], episode.rows["query"]))  # noqa: B023
                return episode

        meta = plan.algorithm.init(plan.learner, plan.train.tasks, seed=plan.seed)
        record = validate(plan.algorithm, plan.learner, meta, Watched(), episodes=5)
        found.append((seen, record))
    assert len(found[0][0]) == 5
    assert len({rows for _, rows, _ in found[0][0]}) == 5
    assert found[0] == found[1]


def test_validation_by_hand(make_plan):
    plan = make_plan()
    meta = plan.algorithm.init(plan.learner, plan.train.tasks, seed=0)
    found = validate(plan.algorithm, plan.learner, meta, plan.validation, episodes=4)
    accuracies = []
    for n in range(4):
        episode = plan.validation(20_000, n, {})
        support, query = (plan.learner.forward(meta, batch).pooled for batch in (episode.support, episode.query))
        labels = episode.support["labels"]
        means = torch.stack([support[labels == c].mean(0) for c in range(len(episode.task.labels))])
        scores = query @ torch.nn.functional.normalize(means, dim=-1).T
        accuracies.append(float((scores.argmax(-1) == episode.query["labels"]).float().mean()))
    expected = torch.tensor(accuracies)
    assert found["accuracy"] == pytest.approx(expected.mean().item())
    assert found["ci95"] == pytest.approx(1.96 * expected.std().item() / 2, abs=1e-6)


def test_no_validation(make_plan, tmp_path):
    events = finish(make_plan(steps=3, validation=None), tmp_path)
    assert kinds(events) == ["start", "step", "step", "step", "saved", "end"]
    assert events[-1].reason == "done"


def test_validation_falls_where_it_should(make_plan, tmp_path):
    finish(make_plan(steps=7, validate=Validation(every=3, episodes=1)), tmp_path)
    assert [r["step"] for r in metrics_of(tmp_path) if r["kind"] == "validation"] == [0, 3, 6, 7]


def test_a_checkpoint_of_another_algorithm(make_plan, tmp_path):
    finish(make_plan("protonet", steps=2), tmp_path)
    with pytest.raises(MetaglotError, match="step-2: the checkpoint is of another model, algorithm or set of data"):
        finish(make_plan("joint", steps=4), tmp_path)


def flipped(file: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["moments.safetensors", "params.safetensors", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_used(make_plan, whole_run, tmp_path, name):
    """One bit is enough, in any file; the run goes on from step 10 and ends as the one that nobody disturbed."""
    plan = make_plan()
    shutil.copytree(whole_run(), tmp_path, dirs_exist_ok=True)
    flipped(tmp_path / "checkpoints/step-12" / name)
    events = finish(plan, tmp_path)
    assert kinds(events)[:2] == ["damaged", "start"]
    assert "step-12" in events[0].record["checkpoint"]
    assert name == "manifest.json" or name in events[0].record["why"]  # a hash that is wrong says nothing of itself
    assert events[1].state.step == 10
    assert (tmp_path / "checkpoints/damaged-12").is_dir()
    for file in ("params", "moments"):
        one, other = (folder / f"checkpoints/step-12/{file}.safetensors" for folder in (tmp_path, whole_run()))
        assert one.read_bytes() == other.read_bytes()
    assert metrics_of(tmp_path) == metrics_of(whole_run())


def test_no_checkpoint_is_whole(make_plan, whole_run, tmp_path):
    plan = make_plan()
    shutil.copytree(whole_run(), tmp_path, dirs_exist_ok=True)
    assert list_steps(tmp_path) == [10, 12]
    for step in (10, 12):
        flipped(tmp_path / f"checkpoints/step-{step}/params.safetensors")
    with pytest.raises(MetaglotError, match=r"no checkpoint is whole .*step-12.*step-10.*--force"):
        finish(plan, tmp_path)
