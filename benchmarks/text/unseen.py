"""Adapting a language model to authors it never met: the query loss along the way, for rules and their rates."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import torch

from metaglot.algorithms import GradientBased, build_algorithm
from metaglot.assembly.text import read_text
from metaglot.config import CorpusSettings, TextSettings
from metaglot.data.blocks import pack
from metaglot.data.folders import read_run
from metaglot.families.language import objective_of
from metaglot.inner import Adam, Rule, Sgd, first_order
from metaglot.models import All, Backbone, Runtime, Zeros, load_backbone
from metaglot.tasks.domain_lm import DomainText, Passages
from metaglot.training.checkpoint import load_params
from metaglot.types import Episode, Params, Problem

EPISODES = 77_000  # seed of the passages: the same for every model
DIVERGED = 50.0  # nats a token: what a rule that diverged is said to lose


class Trained(NamedTuple):
    """A run as it stands, with the rule that it was trained with, if any."""

    backbone: Backbone
    meta: Params
    rule: Rule | None


def candidates(trained: Trained) -> dict[str, Rule]:
    """Return the rules that adaptation may take, by name: the one of the run, if it has any, and usual ones."""
    own = {} if trained.rule is None else {"as trained": trained.rule}
    descent = {f"SGD {lr:g}": Sgd(lr=lr) for lr in (0.03, 0.1, 0.3, 1.0)}
    return {**own, **descent, **{f"Adam {lr:g}": Adam(lr=lr) for lr in (1e-4, 3e-4, 1e-3)}}


def load_trained(run: Path) -> Trained:
    """Return the model of a run, with the rule of its algorithm if it takes steps."""
    said = read_run(run)
    backbone = load_backbone(str(run), Runtime(language=True))
    learnt = load_params(said.checkpoint, device=backbone.learner.device)
    body = backbone.learner.body()
    chosen = said.described["algorithm"]
    algorithm = build_algorithm(chosen["name"], chosen["options"])
    return Trained(backbone, {**body, **learnt}, algorithm.rule if isinstance(algorithm, GradientBased) else None)


def unseen(
    backbone: Backbone, root: str, authors: Sequence[str], *, shape: Passages, count: int, length: int
) -> list[tuple[str, int, Episode]]:
    """Return author, number and episode, `count` of each author; the text of each is packed by itself."""
    found = []
    for author in authors:
        corpus = CorpusSettings(path="books", name=author, domains=(author,))
        text = read_text(TextSettings(root=root, corpora=(corpus,), length=length, held_out=0.0)).train
        blocks = pack(text, backbone.tokenizer, length=length)
        episodes = DomainText(blocks, objective_of(backbone), shape)
        found += [(author, n, episodes(EPISODES, n, {})) for n in range(count)]
    return found


def losses(trained: Trained, rule: Rule, episode: Episode, marks: Sequence[int]) -> dict[int, float]:
    """Return the query loss in nats a token after each of `marks` steps on the support set; at most DIVERGED."""
    learner = trained.backbone.learner
    problem = Problem(learner, episode.objective, episode.task)
    algorithm = GradientBased(All(), Zeros(), rule, max(marks), first_order, dropout=False)
    inner = algorithm.inner_of(problem)
    episode = episode.to(learner.device)
    start = inner.start(problem, trained.meta, episode.support, seed=None)
    walk = inner.loop.walk(problem, trained.meta, start, episode.support, seed=None, create_graph=False)
    found = {}
    for step, fast in enumerate(walk):
        if step in marks:
            with torch.no_grad():
                loss = float(problem.loss({**trained.meta, **fast.params}, episode.query))
                found[step] = min(loss, DIVERGED) if isfinite(loss) else DIVERGED
    return found
