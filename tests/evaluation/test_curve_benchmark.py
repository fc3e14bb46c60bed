"""The curve of translation from random weights: its laws, its table, and that no judged string is learnt from."""

from math import exp, inf

import pytest
from benchmarks.writing import curve, curve_fit
from benchmarks.writing.curve_fit import Law, foreseen, frontier, lines_of, loss_at, picture_of, power_law


def rows_of(law: Law) -> list[dict[str, object]]:
    """Two sizes of which the second follows the law and the first is worse, by one stop more at the end."""
    rows: list[dict[str, object]] = []
    for size, more in (("small", 1.0), ("large", 0.0)):
        for stop in (10.0, 20.0, 40.0):
            loss = law.scale * stop**-law.exponent + more
            row = {"size": size, "text": "all", "stop": stop, "cpu": stop, "loss": loss, "pairs": 100, "batch": 5}
            rows.append(row | {"steps": int(stop), "train": 1.0})
        rows[-1]["chrf"] = {"de": 100 - 10 * loss, "gl": 100 - 10 * loss}
    return rows


def test_a_law_is_found_again_and_foresees_what_it_is():
    law = Law(8.0, 0.25)
    points = [(x, law.scale * x**-law.exponent) for x in (1.0, 3.0, 20.0, 50.0)]
    assert power_law(points) == pytest.approx(law)
    assert law.x_of(4.0) == pytest.approx(16.0)
    assert foreseen(points, 2.0) == pytest.approx((256.0,) * 3)
    assert power_law([(1.0, 2.0), (exp(1), 2.0)]).x_of(1.0) == inf
    assert law.x_of(-1.0) == inf


def test_the_table_has_the_least_loss_and_the_line_of_chrf():
    law = Law(6.0, 0.2)
    rows = rows_of(law)
    assert frontier(rows, "all") == [(stop, law.scale * stop**-law.exponent) for stop in (10.0, 20.0, 40.0)]
    assert loss_at(rows, 60.0) == pytest.approx(4.0)
    copied = [{"language": one, "copied": {"English": 20.0, "nearest locale (x)": 60.0}} for one in ("de", "gl")]
    text = "\n".join(lines_of(rows, copied))
    assert "chrF 60.0, a loss of 4.00" in text
    assert "all: 6.00 · C^-0.200; CPU seconds to it: 10^0.9 to 10^0.9 to 10^0.9" in text
    assert "| all | 100 | large | 40 | 2.0 | 1.00 |" in text
    assert picture_of(rows).startswith("<svg")
    assert curve_fit.loss_at(rows[:3], 60.0) != curve_fit.loss_at(rows[:3], 60.0)  # one cell is no line: not a number


def test_no_judged_string_is_learnt_from(monkeypatch):
    english = [f"string {i}" for i in range(40)]
    languages = (*curve.LANGUAGES, "xx", "en_GB")
    rows = [{"source": one, "target": f"{one} {to}", "target_lang": to} for one in english for to in languages]
    monkeypatch.setattr(curve, "table", lambda _: rows)
    judged = {one for one in english if curve.is_judged(one)}
    assert 0 < len(judged) < len(english)
    for text, count in (("three", 3), ("twenty", 3), ("all", 4)):
        pairs = curve.pairs_of(text)
        assert len(pairs) == count * (len(english) - len(judged))
        assert not any(source.partition(": ")[2] in judged for source, _ in pairs)
