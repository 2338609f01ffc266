from __future__ import annotations

from anytomy.volumes.work import Work


def test_each_step_is_told_with_what_is_expected_by_then() -> None:
    told: list[tuple[int, int]] = []
    work = Work(3, lambda done, expected: told.append((done, expected)))
    work.step()
    work.expect(2)
    work.step()
    work.expect(-4)  # no less than is done already
    work.step()
    assert told == [(1, 3), (2, 5), (3, 3)]


def test_nobody_need_listen() -> None:
    work = Work()
    work.step()
    assert (work.done, work.expected) == (1, 1)
