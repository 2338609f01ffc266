from __future__ import annotations

from collections import Counter

from anytomy.tuning.augment import IDENTITY, Augmentation
from anytomy.tuning.sampler import Sampler
from anytomy.tuning.samples import Sample
from tests.tuning.conftest import quick

POLICY = Augmentation.named("light", flip_x=True, flip_y=False)


def sample(dataset: str, number: int, **areas: int) -> Sample:
    return Sample(dataset, f"c{number}", f"p{number}", "f", 0, number, areas)


SAMPLES = [
    *(sample("large", n, liver=100) for n in range(40)),
    *(sample("large", n, spleen=100) for n in range(40, 42)),
    *(sample("small", n, liver=100) for n in range(3)),
    *(sample("small", n) for n in range(10, 20)),
]


def draws(sampler: Sampler, count: int = 800) -> list[object]:
    return [sampler.draw(step, item) for step in range(count // 4) for item in range(4)]


def test_a_draw_depends_on_step_and_place_alone() -> None:
    first, second = Sampler(SAMPLES, quick(), POLICY, 3), Sampler(SAMPLES, quick(), POLICY, 3)
    second.draw(9, 9)
    assert draws(first, 40) == draws(second, 40)
    assert draws(first, 40) != draws(Sampler(SAMPLES, quick(seed=1), POLICY, 3), 40)


def test_data_sets_and_structures_come_up_alike() -> None:
    found = draws(Sampler(SAMPLES, quick(empty=0.0), POLICY, None))
    sets = Counter(d.sample.dataset for d in found)  # type: ignore[attr-defined]
    assert abs(sets["large"] - sets["small"]) < 120
    structures = Counter(d.structure for d in found if d.sample.dataset == "large")  # type: ignore[attr-defined]
    assert abs(structures["liver"] - structures["spleen"]) < 100


def test_empty_slices_have_their_share_in_semantic_mode_only() -> None:
    found = draws(Sampler(SAMPLES, quick(empty=0.3), POLICY, None))
    small = [d for d in found if d.sample.dataset == "small"]  # type: ignore[attr-defined]
    share = sum(not d.sample.areas for d in small) / len(small)  # type: ignore[attr-defined]
    assert 0.2 < share < 0.4
    prompted = draws(Sampler(SAMPLES, quick(mode="promptable", empty=0.3), POLICY, None))
    assert all(d.sample.areas for d in prompted)  # type: ignore[attr-defined]


def test_too_small_objects_are_not_prompted() -> None:
    samples = [sample("a", 1, liver=5), sample("a", 2, liver=50)]
    found = draws(Sampler(samples, quick(mode="promptable", least=20), POLICY, None), 40)
    assert {d.sample.slice for d in found} == {2}  # type: ignore[attr-defined]


def test_cached_variants_are_the_ones_that_are_drawn() -> None:
    sampler = Sampler(SAMPLES, quick(), POLICY, 3)
    for draw in draws(sampler, 100):
        assert draw.variation in sampler.variants(draw.sample)  # type: ignore[attr-defined]
    assert len(sampler.variants(SAMPLES[0])) == 3
    assert Sampler(SAMPLES, quick(), Augmentation(), 3).variants(SAMPLES[0]) == [IDENTITY]


def test_where_all_slices_are_empty_one_of_those_is_drawn() -> None:
    """As of pseudo-labels whose objects are smaller than a pixel of a student's grid."""
    draw = Sampler([sample("small", 1), sample("small", 2)], quick(), POLICY, None).draw(0, 0)
    assert (draw.structure, draw.sample.dataset) == ("", "small")
