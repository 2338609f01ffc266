from __future__ import annotations

import copy
import inspect

import pytest

from anytomy.core import errors
from anytomy.core.errors import AnytomyError

TREE = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, AnytomyError)]


@pytest.mark.parametrize("kind", TREE)
def test_message_and_hint_are_one_line(kind: type[AnytomyError]) -> None:
    error = kind("expected a box, got none", hint="give --box")
    assert str(error) == "expected a box, got none; give --box"
    assert (error.message, error.hint) == ("expected a box, got none", "give --box")
    assert str(kind("expected a box, got none")) == "expected a box, got none"


@pytest.mark.parametrize("kind", TREE)
def test_errors_reach_another_process_whole(kind: type[AnytomyError]) -> None:
    error = copy.copy(kind("what", hint="how"))
    assert (type(error), error.message, error.hint, str(error)) == (kind, "what", "how", "what; how")


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    for kind in TREE:
        assert f"{kind.__name__}\n" in errors.__doc__ or f"{kind.__name__} " in errors.__doc__


def test_those_who_catch_builtin_errors_catch_ours() -> None:
    assert issubclass(errors.InputError, ValueError)
    assert issubclass(errors.MissingDependencyError, ImportError)
