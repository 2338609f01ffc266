"""Whether a model saw a data set is never guessed: a list that may be incomplete gives no `unseen`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anytomy.datasets.registry import card as dataset_card
from anytomy.evaluation.exposure import (
    IMAGES_SEEN,
    LABELS_SEEN,
    POSSIBLY,
    SEEN,
    UNKNOWN,
    UNSEEN,
    cases_seen,
    exposure,
    patients_seen,
)
from anytomy.zoo.card import Training
from tests.engine.tiny import card as model_card
from tests.evaluation.bench.phantoms import pictures

MSD = dataset_card("msd")
LITS = dataset_card("lits")


def trained_on(*names: str, **changes):
    return replace(model_card(), training=Training(datasets=names), **changes)


@pytest.mark.parametrize("name", ["msd", "MSD", "Medical Decathlon", "medical-decathlon"])
def test_a_set_in_the_list_is_seen_however_it_is_spelt(name):
    found = exposure(trained_on("busi", name), MSD)
    assert found.state == SEEN
    assert name in found.why


def test_a_set_that_shares_scans_with_one_in_the_list_may_have_been_seen():
    assert "lits" in MSD.parents
    found = exposure(trained_on("lits"), MSD)
    assert found.state == POSSIBLY
    assert "lits" in found.why


def test_sharing_counts_whichever_card_says_so():
    assert exposure(trained_on("abdomenct_1k"), MSD).state == POSSIBLY
    silent = replace(MSD, parents=(), overlaps=())
    assert exposure(trained_on("abdomenct_1k"), silent).state == POSSIBLY  # the other card names it
    assert exposure(trained_on("msd_hippocampus"), MSD).state == POSSIBLY
    assert exposure(trained_on("kvasir_seg"), silent).state == UNSEEN


def test_relatives_are_known_by_their_aliases_too():
    assert exposure(trained_on("Medical Decathlon"), LITS).state == POSSIBLY


def test_another_list_is_unseen_unless_it_may_be_incomplete():
    assert exposure(trained_on("busi"), LITS).state == UNSEEN
    found = exposure(trained_on("busi", unverified=("training.datasets",)), LITS)
    assert found.state == UNKNOWN
    assert "incomplete" in found.why


def test_an_incomplete_list_still_says_what_is_in_it():
    assert exposure(trained_on("lits", unverified=("training.datasets",)), LITS).state == SEEN


def test_without_a_list_it_is_unknown_for_the_reason_of_the_card():
    noted = replace(model_card(), training=Training(note="nobody published it"))
    assert exposure(noted, MSD).state == UNKNOWN
    assert exposure(noted, MSD).why == "nobody published it"
    assert exposure(model_card(), MSD).state == UNKNOWN


def test_every_data_set_that_the_catalogue_relates_is_in_the_catalogue():
    from anytomy.datasets.registry import builtin_cards

    ids = {card.id for card in builtin_cards()}
    missing = {(c.id, name) for c in builtin_cards() for name in (*c.parents, *c.overlaps) if name not in ids}
    assert not missing


def test_cases_are_seen_by_whoever_learned_from_them():
    data = {
        "discs": {"split": "fold 1", "train": ["a", "b"], "teacher": ["b", "c"], "unlabelled": ["d"]},
        "others": {"split": "fold 1", "test": ["e"]},
    }
    assert cases_seen(data, LABELS_SEEN) == {"discs": ["a", "b", "c"]}
    assert cases_seen(data, IMAGES_SEEN) == {"discs": ["d"]}


def test_patients_are_looked_up_where_they_matter(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTOMY_HOME", str(tmp_path / "home"))
    first = pictures(tmp_path / "discs", patients=2)[0]
    data = {"discs": {"guide": [first.id]}, "not_here": {"train": ["x"]}}
    assert patients_seen(data, LABELS_SEEN, {"discs"}) == {("discs", first.patient)}
