"""What a distillation brought, beside what labels would have."""

from __future__ import annotations

from anytomy.distill.outcome import room
from anytomy.evaluation.statistics import Interval, Paired
from anytomy.tuning.evaluate import Change


def change(structure: str, before: float, after: float, dataset: str = "discs") -> Change:
    means = [Interval(value, value, value, 6) for value in (before, after, after - before)]
    return Change(dataset, structure, ("none", "none"), means[0], means[1], Paired(means[2], 0.5), 0.5)


class TestRoom:
    def test_the_gain_stands_beside_what_all_labels_give(self) -> None:
        few = [change("liver", 0.1, 0.2), change("", 0.80, 0.81)]
        (line,) = room({"few": few, "all": [change("liver", 0.9, 0.2), change("", 0.84, 0.81)]})
        assert "discs" in line
        assert "mean Dice 0.800" in line
        assert line.index("+0.040") < line.index("+0.010")

    def test_the_only_structure_is_its_own_mean(self) -> None:
        (line,) = room({"few": [change("polyp", 0.5, 0.4)], "all": [change("polyp", 0.6, 0.4)]})
        assert "+0.100" in line
        assert "-0.100" in line

    def test_each_data_set_has_a_sentence(self) -> None:
        both = [change("liver", 0.5, 0.6), change("liver", 0.5, 0.6, "rings")]
        more = [change("liver", 0.7, 0.6), change("liver", 0.7, 0.6, "rings")]
        assert [line.split(":")[0] for line in room({"few": both, "all": more})] == ["discs", "rings"]

    def test_nothing_is_said_without_both_or_where_no_other_case_has_labels(self) -> None:
        few = [change("liver", 0.5, 0.6)]
        assert room({"few": few}) == room({"all": few}) == room({"few": few, "all": few}) == []
