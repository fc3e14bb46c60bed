"""The whole path on small real data: meta-train, then learn tasks that the model has never seen."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from rich.console import Console

from metaglot.adaptation import Model, load_model
from metaglot.assembly import assemble, write_run_files
from metaglot.cli.shared.judging import progress
from metaglot.cli.shared.live import watch
from metaglot.cli.shared.printing import tell_json
from metaglot.cli.shared.stopping import stop_flag
from metaglot.cli.shared.tables import with_metrics
from metaglot.config import Recipe, dump_recipe, load_recipe, packaged_recipes
from metaglot.data.builtin import load_builtin
from metaglot.data.draws import draws_of
from metaglot.data.locks import writing
from metaglot.data.owned import DEMO_RESULTS, RUN, check_owned, remove_owned
from metaglot.data.rawfiles import is_there
from metaglot.data.seen import seen_of, write_seen
from metaglot.errors import MetaglotError
from metaglot.evaluation import Method, Plan, Result, TaskSet, baselines, evaluate_into, ours, read_results
from metaglot.evaluation.store import saved_results
from metaglot.report import gather, markdown, method_chart, terminal, write_report
from metaglot.report.comparison import compare_methods
from metaglot.report.headline import intervals
from metaglot.report.table import escape
from metaglot.training import run

UNSEEN_GROUPS = ("sci.space", "rec.sport.hockey", "comp.windows.x", "talk.politics.mideast", "misc.forsale")
UNSEEN_DOMAINS = ("newspaper", "tweets")
SHOTS = (1, 5)
CLOSED_FORM_PLAN = Plan(SHOTS, draws=50, queries=200, seed=0)
GRADIENT_PLAN = Plan(SHOTS, draws=1, queries=200, seed=0)  # a fit costs a hundred times one in closed form

# Sentences of our own, as a support desk might get them.
EXAMPLES = (
    ("The invoice lists the same month twice.", "billing"),
    ("Can I get a receipt for my last payment?", "billing"),
    ("Why was my card charged before the trial ended?", "billing"),
    ("Please refund the order I cancelled.", "billing"),
    ("The app closes as soon as I open a photo.", "technical"),
    ("I get an error when the file is larger than a gigabyte.", "technical"),
    ("Search shows nothing since the update.", "technical"),
    ("The page stays blank in my browser.", "technical"),
)
QUESTIONS = ("You took the money from my account two times.", "After logging in the screen freezes.")


class Messages(NamedTuple):
    """Prints lines of progress."""

    console: Console
    quiet: bool

    def __call__(self, text: str) -> None:
        """Print a line of progress, unless quiet."""
        if not self.quiet:
            self.console.print(escape(text))


def run_demo(out: Path, *, tiny: bool, fresh: bool, quiet: bool, as_json: bool) -> None:
    """Meta-train, evaluate beside baselines, write report.html, adapt to eight sentences; print the outcome.

    A demo that was stopped goes on; a complete one prints its outcome again, unless `fresh`.
    """
    with writing(out):
        _run(out, tiny=tiny, fresh=fresh, quiet=quiet, as_json=as_json)


def _run(out: Path, *, tiny: bool, fresh: bool, quiet: bool, as_json: bool) -> None:
    say = Messages(Console(stderr=True), quiet or as_json)
    recipe = load_recipe(packaged_recipes()["demo"], ['model.name="builtin:tiny"', "training.lr=5e-4"] if tiny else [])
    folder, results_folder = out / "run", out / "results"
    _clear_folder(out, recipe, fresh=fresh)
    _train(recipe, folder, say)
    model = load_model(folder)
    results = _evaluate(model, results_folder, say)
    report = _write(out, results)
    if as_json:
        for line in (results_folder / "results.jsonl").read_text("utf-8").splitlines():
            tell_json(with_metrics(json.loads(line)))
        return
    screen = Console()
    screen.print(terminal(results))
    screen.print(_summary(results))
    _adapt(model, screen)
    screen.print(f"\nThe report: {escape(str(report))}")
    _what_next(folder, screen)


def _clear_folder(out: Path, recipe: Recipe, *, fresh: bool) -> None:
    """Delete an earlier demo if its recipe differs or `fresh` is given; refuse a folder with other files."""
    kinds = {out / "run": RUN, out / "results": DEMO_RESULTS}
    existing = {folder: kind for folder, kind in kinds.items() if is_there(folder)}
    for folder, kind in existing.items():
        check_owned(folder, kind)
    pages = [out / name for name in ("table.md", "accuracy.svg", "report.html") if is_there(out / name)]
    if pages and not existing:
        raise MetaglotError(f"--out {out}: the demo did not write {pages[0]}; choose another folder, or move it away")
    if fresh or not _is_same_run(out / "run", recipe):
        for folder, kind in existing.items():
            remove_owned(folder, kind)


def _is_same_run(folder: Path, recipe: Recipe) -> bool:
    config = folder / "config.yaml"
    return config.is_file() and dump_recipe(load_recipe(config)) == dump_recipe(recipe)  # later keys have defaults


def _train(recipe: Recipe, folder: Path, say: Messages) -> None:
    say(f"1/3  Meta-training on tasks made of {len(recipe.data.train)} labelled sets")
    assembled = assemble(recipe, lambda text: say(f"     {text}"), run=folder)
    write_run_files(folder, dump_recipe(recipe), assembled.description, base=assembled.base)
    write_seen(folder, seen_of(assembled.texts))
    with stop_flag() as stop:
        plan = assembled.plan
        events = run(plan, folder, stop=stop)
        last_event = watch(events, plan.optimisation, metrics=plan.watched, quiet=say.quiet)
    if last_event.reason == "interrupted":
        say("interrupted and saved; call the demo again to go on")
        sys.exit(130)


def unseen_tasks() -> list[TaskSet]:
    """Return the tasks of the demo: five newsgroups, ratings of editorials, ratings of tweets."""
    groups, ratings = load_builtin("20newsgroups"), load_builtin("vader")
    group_rows = _rows_with(groups, "label", UNSEEN_GROUPS)
    tasks = [TaskSet("newsgroups", group_rows, draws_of(group_rows))]
    for domain in UNSEEN_DOMAINS:
        part = _rows_with(ratings, "domain", [domain])
        tasks.append(TaskSet(domain, part, draws_of(part)))
    return tasks


def _rows_with(table: pa.Table, column: str, values: Sequence[str]) -> pa.Table:
    return table.filter(pa.array([value in values for value in table[column].to_pylist()]))


def _evaluate(model: Model, folder: Path, say: Messages) -> list[Result]:
    tasks = unseen_tasks()
    say("2/3  Learning tasks never seen, without gradient steps: every method on the same 50 draws")
    closed_methods = (*ours(model, ["instant"]), *baselines(["tfidf", "frozen"], model.base()))
    _run_evaluation(folder / "closed", tasks, closed_methods, CLOSED_FORM_PLAN, say)
    say("3/3  Fine-tuning the untouched encoder on the first of these draws")
    gradient_methods = baselines(["finetune"], model.base())
    _run_evaluation(folder / "gradient", tasks, gradient_methods, GRADIENT_PLAN, say)
    results = [result for part in ("closed", "gradient") for result in read_results(folder / part / "results.jsonl")]
    lines = "".join((folder / part / "results.jsonl").read_text("utf-8") for part in ("closed", "gradient"))
    (folder / "results.jsonl").write_text(lines, "utf-8")
    return results


def _run_evaluation(folder: Path, tasks: list[TaskSet], methods: Sequence[Method], plan: Plan, say: Messages) -> None:
    """Run an evaluation to its end; its results do not depend on the speed of the machine."""
    finished = saved_results(folder)[0]
    total = len(tasks) * len(plan.shots) * plan.draws * len(methods)
    events = evaluate_into(folder, tasks, methods, plan)
    for _ in progress(events, total, show=not say.quiet, done=len(finished)):
        pass


def _write(out: Path, results: list[Result]) -> Path:
    (out / "table.md").write_text(markdown(results), "utf-8")
    (out / "accuracy.svg").write_text(method_chart(results), "utf-8")
    folders = [out / "run", *(out / "results" / part for part in ("closed", "gradient"))]
    return write_report(out / "report.html", gather(folders, title="metaglot demo"))


def _summary(results: list[Result]) -> str:
    shot = SHOTS[-1]
    gain = next(
        comparison for comparison in compare_methods(results) if comparison.shot == shot and not comparison.is_single
    )
    gain_text = f"{gain.metric.format_gain(gain.draws.mean)} {gain.metric.gain_unit}"
    return (
        f"At {shot} shots the meta-pretrained encoder, without a gradient step, is {gain_text} "
        f"from the {gain.rival} arm on tasks never seen, 95 % interval {intervals(gain)}."
    )


def _adapt(model: Model, screen: Console) -> None:
    start = time.process_time()
    adapted = model.adapt([text for text, _ in EXAMPLES], [label for _, label in EXAMPLES], effort="instant")
    seconds = time.process_time() - start
    screen.print(f"\nA task of your own: eight sentences, two classes, learnt in {seconds:.2f} CPU-s.")
    for text, label in EXAMPLES:
        screen.print(f"  {label:<10} {text}", highlight=False)
    for text, row in zip(QUESTIONS, adapted.predict_proba(list(QUESTIONS)), strict=True):
        best = int(row.argmax())
        screen.print(f"  → [bold]{adapted.labels[best]}[/] ({row[best]:.2f})  {text}", highlight=False)


def _what_next(folder: Path, screen: Console) -> None:
    screen.print("\nThe same with your own file (columns text and label):")
    screen.print("  metaglot data inspect examples.csv", highlight=False)
    screen.print(f"  metaglot adapt {escape(str(folder))} examples.csv --out my-model", highlight=False)
    screen.print("  metaglot predict my-model --text 'a new text'", highlight=False)
