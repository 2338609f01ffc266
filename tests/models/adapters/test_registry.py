"""Methods by name, with parameters and combined."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from anytomy.core.errors import OptionError
from anytomy.models.adapters import registry
from anytomy.models.adapters.projection import Decoder
from anytomy.models.adapters.registry import methods, parse, spelled


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("decoder", "decoder"),
        ("lora", "lora:4"),
        (" LoRA:8 + decoder", "lora:8+decoder"),
        ("norm:statistics", "norm:statistics"),
        ("full+prompt-decoder", "full+prompt-decoder"),
    ],
)
def test_texts_are_understood_and_spelled_again(text: str, canonical: str) -> None:
    assert spelled(parse(text)) == canonical
    assert spelled(parse(canonical)) == canonical


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("decoda", "did you mean decoder"),
        ("", "expected a tuning method of decoder, "),
        ("decoder+", "expected a tuning method"),
        ("lora:0", "rank of 1 to 64"),
        ("lora:x", "rank of 1 to 64"),
        ("lora:", "rank of 1 to 64"),
        ("decoder:3", "takes no parameter"),
        ("norm:batch", "norm or norm:statistics"),
        ("lora:4+lora:8", "stands twice"),
    ],
)
def test_others_are_refused(text: str, match: str) -> None:
    with pytest.raises(OptionError, match=match):
        parse(text)


class Third(Decoder):
    name = "third"


third = Third()
not_one = "a text"


def _point(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    point = EntryPoint("third", f"{__name__}:{value}", registry.GROUP)
    monkeypatch.setattr(registry, "_added", lambda: {"third": point})


def test_third_parties_fit_in(monkeypatch: pytest.MonkeyPatch) -> None:
    _point(monkeypatch, "third")
    assert parse("third+lora")[0] is third
    assert list(methods())[-1] == "third"


@pytest.mark.parametrize(
    ("value", "match"), [("nothing", "cannot be loaded"), ("not_one", "to be a TuningMethod")]
)
def test_what_is_no_method_is_refused(monkeypatch: pytest.MonkeyPatch, value: str, match: str) -> None:
    _point(monkeypatch, value)
    with pytest.raises(OptionError, match=match):
        parse("third")
