"""The head of answers: the one that is meta-learnt, changed as far as the examples say.

    z_q(i, j) = t (s_i + e_j − s_0 − e_0) − 2o                       parts (i, j) of all windows of question q
    Σ_q log(1 + Σ_ij exp z_q(i, j)) − z_q(answer)  +  (log t)² / 2σ_t² + o² / 2σ_o²      z of "no answer" is 0

o says how willing the head is to give no answer, t how sure it is: of a question as a whole, as it is decided
(`answer_choice.py`).  A few examples say little of 770 weights, so that these two numbers come first, and are drawn to
those of the learnt head.  The weights themselves move where it pays on questions set aside, down the cross-entropy of
windows plus ρ/2·‖W − W₀‖² from the learnt ones W₀: by two standard errors of the mean, or they stay.  Without a learnt
head W₀ is zero, and ρ is the best one on questions set aside.

Which part is given, if one is, the head says before t (`answer_choice.py`): t is how sure it is, and a head that is
less sure would choose parts in the middle of others.  Whether one is changes only where that has a higher F1 on the
examples: else o is the nearest one by which the head answers the questions that the learnt one answers.  Where
"no answer" to every question has a higher F1 than the answers of the learnt head, by half a standard error, t is 1/20:
no part is likely enough then to be given, and o says how often that is right.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from metaglot.data.answers import LONGEST
from metaglot.families.support_units import SupportUnits

NEVER = -1e4  # the score of no place
SHARPNESS, WILLINGNESS = 0.5, 2.0  # σ_t and σ_o
PENALTIES = (0.01, 0.1, 1.0)  # ρ, for the sum over windows
ELSEWHERE = 0.5  # the target of "no answer" in a window that does not show the whole answer of its passage
HIDDEN = 2  # the place of "no answer" in such a window, where it is 1 in others
FOLDS = 4
LEAST = 8  # examples, from which on the weights may move
ROUNDS = 60
MARGIN = 2.0  # standard errors by which moved weights must be better
SILENT = 0.05  # t of a head that gives no answer
SILENCE = 0.5  # standard errors by which "no answer" must be better than the learnt head
LIKELY = 20  # parts that are compared with each other
EDGE = 1e-3  # beside the willingness at which a question is no longer answered


class AnswerHead(NamedTuple):
    """A linear layer from a place to its scores as the first and the last token of an answer."""

    weight: Tensor  # [2, D + 1]; the last column is of the place of "no answer"
    bias: Tensor  # [2]
    sharp: float = 1.0  # t, which weight and bias have in them already


class PaddedWindows(NamedTuple):
    """The places of windows, one window a row; the first place of each is that of "no answer"."""

    features: Tensor  # [W, U, D + 1], float32
    there: Tensor  # [W, U] bool
    answer: Tensor  # [W, 2], first and last place; 0 for none
    owner: Tensor  # [W]


def padded_windows(units: SupportUnits) -> PaddedWindows:
    """Return the units window by window: each begins at a place of "no answer"."""
    begins = torch.nonzero(units.features[:, -1] > 0)[:, 0]
    sizes = torch.diff(begins, append=begins.new_tensor([len(units.features)]))
    most = int(sizes.max()) if len(sizes) else 0
    at = begins[:, None] + torch.arange(most, device=begins.device)
    there = torch.arange(most, device=begins.device) < sizes[:, None]
    at = at.clamp(max=max(0, len(units.features) - 1))
    answer = units.targets[at].masked_fill(~there[..., None], -1).argmax(1) if most else begins.new_zeros(0, 2)
    windows = PaddedWindows(units.features.float()[at], there, answer, units.owner[begins])
    return _known(windows, units.targets[begins, 0] == ELSEWHERE)


def _known(windows: PaddedWindows, elsewhere: Tensor) -> PaddedWindows:
    """Return the windows without those of questions whose answer is longer than all parts, or in no window whole.

    Such a question is not one that has no answer, and says nothing of what is.
    """
    first, last = windows.answer.unbind(1)
    shown = (first > 0) & (last - first < LONGEST)
    lost = windows.owner[elsewhere | (first > 0)]
    kept = torch.isin(windows.owner, windows.owner[shown]) | ~torch.isin(windows.owner, lost)
    return PaddedWindows(*(value[kept] for value in windows))


def answer_head(units: SupportUnits, learnt: AnswerHead | None) -> AnswerHead:
    """Return the head that the examples make of the learnt one; the learnt one itself where there is no example."""
    windows = padded_windows(units)
    if not len(windows.owner):
        return learnt or zero_head(units.features)
    start = learnt or zero_head(units.features)
    penalty = _best_penalty(windows, start, learnt is not None)
    moved = start if penalty is None else _moved(windows, start, penalty)
    return _decided(windows, start, moved) if learnt else moved


def zero_head(features: Tensor) -> AnswerHead:
    """Return a head of zeros."""
    return AnswerHead(features.new_zeros(2, features.shape[1]), features.new_zeros(2))


class Odds(NamedTuple):
    """The parts of all windows of some questions."""

    part: Tensor  # [P], log odds beside "no answer"
    owner: Tensor  # [P], the number of the question
    answer: Tensor  # [Q], the place of the answer among the parts; −1 for none
    where: Tensor  # [P, 3], the window of each part, its first and its last place


def odds_of(windows: PaddedWindows, head: AnswerHead) -> Odds:
    """Return the parts; the answer of a question is that of its first window that has it."""
    first, last = _scores(windows, head).double().unbind(-1)
    number = windows.owner.unique(return_inverse=True)[1]
    at = torch.arange(first.shape[1], device=first.device)
    apart = at[None, :] - at[:, None]
    inside = (apart >= 0) & (apart < LONGEST) & (at[:, None] > 0)
    inside = inside & windows.there[:, :, None] & windows.there[:, None, :]
    window, i, j = inside.nonzero().unbind(1)
    part = first[window, i] + last[window, j] - first[window, 0] - last[window, 0]
    right = ((i == windows.answer[window, 0]) & (j == windows.answer[window, 1])).nonzero()[:, 0].flip(0)
    answer = torch.full((int(number.max()) + 1,), -1, device=first.device)
    answer[number[window[right]]] = right
    return Odds(part, number[window], answer, torch.stack([window, i, j], 1))


def question_nats(odds: Odds, sharp: Tensor, willing: Tensor) -> Tensor:  # [Q]
    """Return −log P of the answer of each question, or of none."""
    z = sharp * odds.part - 2 * willing
    count = len(odds.answer)
    most = torch.zeros(count, dtype=z.dtype, device=z.device).scatter_reduce(0, odds.owner, z.detach(), "amax")
    total = torch.zeros_like(most).index_add(0, odds.owner, (z - most[odds.owner]).exp())
    whole = most + (total + (-most).exp()).log()
    return whole - torch.where(odds.answer < 0, 0.0, z[odds.answer.clamp(min=0)])


class Calibration(NamedTuple):
    """What a few questions change of a head."""

    sharp: float  # t
    willing: float  # o, to give no answer

    def of(self, head: AnswerHead) -> AnswerHead:
        """Return the head with it."""
        weight = self.sharp * head.weight
        weight[:, -1] += self.willing
        return AnswerHead(weight, self.sharp * head.bias, self.sharp)


def calibration(odds: Odds, *, silent: bool = False) -> Calibration:
    """Return what suits the questions; if `silent`, of a head so little sure of any part that it answers nothing."""
    centre = _even(odds) if silent else 0.0

    def loss(at: Tensor) -> Tensor:
        sharp = at.new_tensor(SILENT) if silent else at[0].exp()
        nats = question_nats(odds, sharp, centre + at[1]).sum()
        return nats + (at[0] / SHARPNESS) ** 2 / 2 + (at[1] / WILLINGNESS) ** 2 / 2

    found = minimised(loss, torch.zeros(2, dtype=torch.float64))
    return Calibration(SILENT if silent else float(found[0].exp()), centre + float(found[1]))


def _even(odds: Odds) -> float:
    """Return the willingness of a silent head by which "no answer" is about as likely as not."""
    whole = odds.part.new_zeros(len(odds.answer)).index_add(0, odds.owner, (SILENT * odds.part).exp())
    return float(whole.log().mean()) / 2


def _decided(windows: PaddedWindows, start: AnswerHead, head: AnswerHead) -> AnswerHead:
    """Return the head calibrated, and as willing to give no answer as the learnt one or as the questions gain by."""
    learnt, odds = verdicts(odds_of(windows, start), 1.0), odds_of(windows, head)
    gain = (odds.answer < 0).double() - learnt.scores(0.0)
    if len(gain) > 1 and float(gain.mean()) > SILENCE * float(gain.std()) / len(gain) ** 0.5:
        return calibration(odds, silent=True).of(head)
    found = calibration(odds)
    now = verdicts(odds, found.sharp)
    near = now.nearest(found.willing, learnt.until > 0)
    better = float(now.scores(found.willing).sum()) > float(now.scores(near).sum())
    return (found if better else found._replace(willing=near)).of(head)


class Verdicts(NamedTuple):
    """What a head of some sharpness answers to each question (`answer_choice.py`)."""

    until: Tensor  # [Q], the willingness to give no answer up to which a part is given
    score: Tensor  # [Q], F1 of this part, in tokens
    none: Tensor  # [Q] bool, whether there is no answer

    def scores(self, willing: float) -> Tensor:  # [Q]
        """Return F1 of what is answered."""
        return torch.where(self.until > willing, self.score, self.none.double())

    def nearest(self, willing: float, answered: Tensor) -> float:
        """Return the willingness nearest to this one by which most of these questions are answered, or are not."""
        edges = self.until[self.until.isfinite()]
        tried = torch.cat([edges.new_tensor([willing]), edges - EDGE, edges + EDGE])
        agree = ((self.until > tried[:, None]) == answered).sum(1)
        best = tried[agree == agree.max()]
        return float(best[(best - willing).abs().argmin()])


def verdicts(odds: Odds, sharp: float) -> Verdicts:
    """Return what is answered: the best part where its expected F1 is larger than P(none) = 1 / (1 + Σ exp z)."""
    until = torch.full((len(odds.answer),), -torch.inf, dtype=torch.float64)
    score = torch.zeros(len(odds.answer), dtype=torch.float64)
    for question, right in enumerate(odds.answer.tolist()):
        mine = (odds.owner == question).nonzero()[:, 0]
        if not len(mine):
            continue
        likely = mine[odds.part[mine].argsort(descending=True)[:LIKELY]]
        total = torch.logsumexp(sharp * odds.part[mine], 0)
        overlaps = _overlaps(odds.where[likely], odds.where[likely])
        chosen = int((overlaps @ odds.part[likely].softmax(0)).argmax())
        until[question] = (total + (overlaps[chosen] @ (sharp * odds.part[likely] - total).exp()).log()) / 2
        if right >= 0:
            best = likely[chosen]
            score[question] = _overlaps(odds.where[best][None], odds.where[right][None])[0, 0]
    return Verdicts(until, score, odds.answer < 0)


def _overlaps(some: Tensor, others: Tensor) -> Tensor:  # [S, 3], [O, 3] -> [S, O]
    """Return F1 of the tokens of parts, 0 where they are of different windows."""
    (window, first, last), (its_window, its_first, its_last) = some.mT[..., None], others.mT[:, None]
    common = torch.minimum(last, its_last) - torch.maximum(first, its_first) + 1
    sizes = last - first + its_last - its_first + 2
    return torch.where(window == its_window, 2 * common.clamp(min=0) / sizes, 0).double()


def _best_penalty(windows: PaddedWindows, start: AnswerHead, learnt: bool) -> float | None:
    """Return the ρ whose weights tell examples set aside best; None where the learnt ones had better stay."""
    owners = windows.owner.unique()
    if len(owners) < LEAST:
        return None if learnt else PENALTIES[-1]
    parts = [torch.isin(windows.owner, owners[k::FOLDS]) for k in range(FOLDS)]
    before = torch.cat([_judged(windows, part, start, learnt, None) for part in parts])
    found: list[tuple[float, float]] = []
    for penalty in PENALTIES:
        nats = torch.cat([_judged(windows, part, start, learnt, penalty) for part in parts])
        gain = before - nats
        error = float(gain.std()) / len(gain) ** 0.5 if learnt and len(gain) > 1 else 0.0
        found.append((float(gain.mean()) - MARGIN * error, penalty))
    gain, penalty = max(found)
    return penalty if gain > 0 or not learnt else None


def _judged(windows: PaddedWindows, aside: Tensor, start: AnswerHead, learnt: bool, penalty: float | None) -> Tensor:
    """Return the nats of the questions set aside, by a head that was made of the others."""
    inside, outside = (PaddedWindows(*(value[rows] for value in windows)) for rows in (~aside, aside))
    head = start if penalty is None else _moved(inside, start, penalty)
    odds = odds_of(outside, calibration(odds_of(inside, head)).of(head) if learnt else head)
    return question_nats(odds, odds.part.new_ones(()), odds.part.new_zeros(()))


def _moved(windows: PaddedWindows, start: AnswerHead, penalty: float) -> AnswerHead:
    """Return the weights that tell the windows best, near those of the start."""
    shape = start.weight.shape

    def loss(change: Tensor) -> Tensor:
        head = AnswerHead(start.weight + change.view(shape), start.bias)
        return _nats(_scores(windows, head), windows).sum() + penalty / 2 * change.square().sum()

    return AnswerHead(start.weight + minimised(loss, torch.zeros(start.weight.numel())).view(shape), start.bias)


def _scores(windows: PaddedWindows, head: AnswerHead) -> Tensor:  # [W, U, 2]
    scores = windows.features @ head.weight.float().T + head.bias.float()
    return scores.masked_fill(~windows.there[..., None], NEVER)


def _nats(scores: Tensor, windows: PaddedWindows) -> Tensor:  # [W]
    return cross_entropy(scores, windows.answer, reduction="none").mean(-1)


def minimised(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Return where a convex loss is least, by L-BFGS."""
    at = start.clone().requires_grad_()
    search = torch.optim.LBFGS([at], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        value = loss(at)
        value.backward()
        return value

    with torch.enable_grad():
        search.step(closure)
    return at.detach()
