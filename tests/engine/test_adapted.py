"""Adapters opened by reference: torch and graphs agree, routes keep the base, embeddings are shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anytomy.core.errors import ChecksumError, ModelError, OptionError, OutputError, UnsupportedPromptError
from anytomy.engine.cache import EmbeddingCache
from anytomy.engine.frame import PlanePrompt
from anytomy.engine.loading import load_sam
from anytomy.engine.merging import merge_model
from anytomy.engine.onnx_export import export_onnx
from anytomy.engine.protocol import BatchEngine, SemanticEngine
from anytomy.models.adapters.folder import CARD, WEIGHTS
from anytomy.predict.model import Model, load
from anytomy.zoo.registry import card
from tests.engine.adapted import adapt, add_tiny

BOX = PlanePrompt(box=(8, 10, 30, 34))
POINT = PlanePrompt(points=((20, 20),))
BOTH = PlanePrompt(box=(8, 10, 30, 34), points=((20, 20),))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapted")


@pytest.fixture(autouse=True)
def folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The adapters of the module; graphs are built once for all tests."""
    if not (home / "tiny.pth").exists():
        add_tiny(home, monkeypatch)
        adapt(home / "lora", "lora:2+decoder")
        adapt(home / "routed", "prompt-decoder", routes=("box",))
        adapt(home / "classes", "decoder", classes=("liver", "spleen"))
        adapt(home / "cnn", "lora+autosam-cnn", classes=("liver",))
    from anytomy.models import architectures
    from tests.engine.tiny import random_sam

    monkeypatch.setenv("ANYTOMY_HOME", str(home / "home"))
    monkeypatch.setenv("ANYTOMY_CACHE", str(home / "cache"))
    monkeypatch.setattr(architectures, "build", lambda name: random_sam())
    return home


@pytest.fixture
def picture() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)


def opened(reference: str, engine: str = "auto", **more: Any) -> Model:
    return load(reference, engine=engine, threads=1, **more)


def test_a_wrapped_checkpoint_is_a_model(picture: Any) -> None:
    model = opened("tiny", "torch")
    assert model.decode(model.encode(picture), BOX).logits.shape == picture.shape


@pytest.mark.parametrize("name", ["lora", "routed"])
@pytest.mark.parametrize("prompt", [BOX, POINT, BOTH])
def test_graphs_and_torch_agree(folder: Path, picture: Any, name: str, prompt: PlanePrompt) -> None:
    found = []
    for engine in ("auto", "torch"):
        model = opened(f"tiny+{folder / name}", engine)
        found.append(model.decode(model.encode(picture), prompt))
    assert np.abs(found[0].logits - found[1].logits).max() < 1e-3
    assert found[0].score == pytest.approx(found[1].score, abs=1e-3)


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_routes_keep_the_base(folder: Path, picture: Any, engine: str) -> None:
    base, model = opened("tiny", engine), opened(str(folder / "routed"), engine)
    assert isinstance(model.engine, BatchEngine)
    for prompt, kept in ((BOX, True), (POINT, False), (BOTH, False)):
        answers = [m.decode(m.encode(picture), prompt).logits for m in (base, model)]
        assert np.array_equal(*answers) is kept
    points = np.array([[5.0, 6.0], [20.0, 20.0]])
    together = model.propose(model.encode(picture), points)
    assert not np.allclose(together.logits, base.propose(base.encode(picture), points).logits)
    alone = model.propose(model.encode(picture), points[1:])
    np.testing.assert_allclose(together.logits[1:], alone.logits, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "shared"), [("routed", True), ("classes", True), ("lora", False), ("cnn", False)]
)
def test_embeddings_are_shared_where_the_encoder_is_the_same(
    folder: Path, picture: Any, name: str, shared: bool
) -> None:
    cache = EmbeddingCache()
    opened("tiny", "torch", cache=cache).encode(picture)
    model = opened(str(folder / name), "torch", cache=cache)
    model.encode(picture)
    assert model.encodings == (0 if shared else 1)


def test_hashes_tell_adapters_apart(folder: Path) -> None:
    names = ["tiny", *(str(folder / name) for name in ("lora", "routed", "classes", "cnn"))]
    models = [opened(name, "torch") for name in names]
    assert len({model.weights_sha256 for model in models}) == len(models)
    base = models[0].weights_sha256
    assert [model.encoder_sha256 == base for model in models] == [True, False, True, True, False]


def test_an_adapter_of_the_decoder_has_no_graph_of_the_encoder(folder: Path) -> None:
    opened(str(folder / "routed"))
    held = [{p.name for p in f.iterdir()} for f in (folder / "cache" / "graphs").iterdir() if f.is_dir()]
    assert {"decoder.onnx", "graph.json"} in held
    assert {"encoder.onnx", "decoder.onnx", "graph.json"} in held


class TestClasses:
    @pytest.mark.parametrize("name", ["classes", "cnn"])
    def test_graphs_and_torch_agree(self, folder: Path, picture: Any, name: str) -> None:
        found = []
        for engine in ("auto", "torch"):
            model = opened(f"tiny+{folder / name}", engine)
            assert isinstance(model.engine, SemanticEngine)
            found.append(model.classify(model.encode(picture)))
        assert found[0].shape == (len(card(str(folder / name)).classes) + 1, *picture.shape)
        assert np.abs(found[0] - found[1]).max() < 1e-3

    def test_prompts_are_refused_and_classes_of_others_too(self, folder: Path, picture: Any) -> None:
        model = opened(str(folder / "classes"), "torch")
        with pytest.raises(UnsupportedPromptError, match="takes no prompts: it finds liver, spleen"):
            model.decode(model.encode(picture), BOX)
        plain = opened("tiny", "torch")
        with pytest.raises(UnsupportedPromptError, match="nothing without prompts"):
            plain.classify(plain.encode(picture))


class TestRefused:
    def test_another_checkpoint_under_the_same_id(self, folder: Path, tmp_path: Path) -> None:
        adapt(tmp_path / "other", "decoder", base_sha256="cd" * 32)
        with pytest.raises(
            ModelError, match=r"for another model: it was trained on tiny with the sha256 cdcd"
        ):
            opened(f"tiny+{tmp_path / 'other'}")

    def test_weights_that_were_changed(self, tmp_path: Path) -> None:
        adapt(tmp_path / "mine", "decoder")
        path = tmp_path / "mine" / WEIGHTS
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        for engine in ("auto", "torch"):
            with pytest.raises(ChecksumError, match="not the file that adapter"):
                opened(str(tmp_path / "mine"), engine)

    def test_other_classes_than_were_trained(self, tmp_path: Path) -> None:
        adapt(tmp_path / "mine", "decoder", classes=("liver", "spleen"))
        path = tmp_path / "mine" / CARD
        path.write_text(json.dumps(json.loads(path.read_text()) | {"classes": ["liver"]}))
        with pytest.raises(ModelError, match="check that base, method and classes"):
            opened(str(tmp_path / "mine"), "torch")


class TestMerging:
    @pytest.mark.parametrize("ending", [".safetensors", ".pth"])
    def test_the_checkpoint_answers_as_the_adapter(
        self, folder: Path, tmp_path: Path, picture: Any, ending: str
    ) -> None:
        found = card(f"tiny+{folder / 'lora'}")
        path = merge_model(found, tmp_path / f"merged{ending}")
        merged = load_sam(card("tiny"), path)
        from anytomy.engine.torch_engine import TorchEngine

        plain = Model(card("tiny"), TorchEngine(merged), weights_sha256="m")
        model = opened(found.id, "torch")
        expected, got = (m.decode(m.encode(picture), BOX).logits for m in (model, plain))
        assert np.abs(expected - got).max() < 1e-3

    @pytest.mark.parametrize(
        ("name", "match"),
        [("routed", "two decoders"), ("classes", "without prompts"), ("", "no adapter that could be merged")],
    )
    def test_what_has_no_place_is_refused(self, folder: Path, tmp_path: Path, name: str, match: str) -> None:
        with pytest.raises(ModelError, match=match):
            merge_model(card(f"tiny+{folder / name}" if name else "tiny"), tmp_path / "merged.pth")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("ending", [".safetensors", ".pth"])
    def test_a_full_disk_is_one_line(self, folder: Path, tmp_path: Path, ending: str) -> None:
        resource = pytest.importorskip("resource")
        found, held = card(f"tiny+{folder / 'lora'}"), resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, held[1]))
        try:
            with pytest.raises(OutputError, match=f"cannot write .*merged{ending}"):
                merge_model(found, tmp_path / f"merged{ending}")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, held)
        assert not list(tmp_path.iterdir())

    def test_the_ending_says_the_format(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match=r"\.safetensors or \.pth"):
            merge_model(card(f"tiny+{folder / 'lora'}"), tmp_path / "merged.bin")


class Plain:
    """What an engineer would write after reading `model.json`: numpy, Pillow and ONNX Runtime."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        self.about = json.loads((folder / "model.json").read_text())
        self.graphs = {p.name: onnxruntime.InferenceSession(str(p)) for p in folder.glob("*.onnx")}
        self.size = self.about["preprocess"]["input_size"]

    def pixels(self, picture: Any) -> Any:
        """Of a square picture of the input's size, which needs no resizing."""
        before = self.about["preprocess"]
        assert before["scale"] == "minmax"
        values = picture.astype(np.float32)
        values = (values - values.min()) / max(float(values.max() - values.min()), 1e-8)
        return np.repeat(values[None, None], 3, axis=1)

    def box(self, picture: Any, box: tuple[int, ...], mask: Any = None) -> Any:
        side = self.about["postprocess"]["low_resolution"]
        decoder = next(
            name
            for name, kinds in self.about["prompts"]["decoder"].items()
            if "box" in kinds or "all" in kinds
        )
        embedding = self.graphs["encoder.onnx"].run(None, {"pixels": self.pixels(picture)})[0]
        logits, scores = self.graphs[decoder].run(
            None,
            {
                "embedding": embedding,
                "coords": np.array([[[box[0], box[1]], [box[2], box[3]]]], np.float32),
                "labels": np.array([[2, 3]], np.float32),
                "mask_input": np.zeros((1, 1, side, side), np.float32),
                "has_mask": np.zeros(1, np.float32),
            },
        )
        assert logits.shape[-1] == self.size
        return logits[0, 0], float(scores[0, 0])


def exported(home: Path, name: str) -> Path:
    """The exported model, written once for all tests."""
    out = home / f"onnx-{name}"
    if not out.exists():
        files = export_onnx(card(f"tiny+{home / name}" if name else "tiny"), out)
        assert files == sorted(out.iterdir())
    return out


class TestOnnx:
    @pytest.mark.parametrize("name", ["", "routed", "lora"])
    def test_plain_onnx_runtime_gives_the_same_masks(self, folder: Path, name: str) -> None:
        out = exported(folder, name)
        held = {path.name for path in out.iterdir()}
        assert {"encoder.onnx", "decoder.onnx", "model.json"} <= held
        assert ("decoder_base.onnx" in held) is (name == "routed")
        picture = np.random.default_rng(1).integers(0, 255, (64, 64), dtype=np.uint8)
        logits, score = Plain(out).box(picture, (8, 10, 30, 34))
        model = opened(f"tiny+{folder / name}" if name else "tiny", "torch")
        expected = model.decode(model.encode(picture), BOX)
        assert np.abs(logits - expected.logits).max() < 1e-3
        assert score == pytest.approx(expected.score, abs=1e-3)
        both = (logits > 0) & (expected.logits > 0)
        either = (logits > 0) | (expected.logits > 0)
        assert both.sum() >= 0.999 * either.sum()

    def test_classes(self, folder: Path) -> None:
        plain = Plain(exported(folder, "classes"))
        assert plain.about["classes"] == ["background", "liver", "spleen"]
        picture = np.random.default_rng(1).integers(0, 255, (64, 64), dtype=np.uint8)
        embedding = plain.graphs["encoder.onnx"].run(None, {"pixels": plain.pixels(picture)})[0]
        logits = plain.graphs["head.onnx"].run(None, {"embedding": embedding})[0][0]
        model = opened(str(folder / "classes"), "torch")
        expected = model.classify(model.encode(picture))
        assert np.abs(logits - expected).max() < 1e-3
        assert (logits.argmax(0) == expected.argmax(0)).mean() >= 0.999

    def test_the_document_says_what_the_graphs_take(self, folder: Path) -> None:
        for name in ("routed", "classes"):
            out = exported(folder, name)
            plain = Plain(out)
            assert set(plain.about["graphs"]) == set(plain.graphs)
            for graph, session in plain.graphs.items():
                said = plain.about["graphs"][graph]
                assert {i.name for i in session.get_inputs()} == set(said["inputs"])
                assert {o.name for o in session.get_outputs()} == set(said["outputs"])
            assert max(plain.about["check"]["differences"].values()) < 1e-3
            text = (out / "model.json").read_text()
            assert str(folder) not in text

    def test_what_is_there_stays(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "mine").write_text("")
        with pytest.raises(OutputError, match="a new or an empty folder"):
            export_onnx(card("tiny"), tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_training_libraries_are_not_needed_to_run(
    folder: Path, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "peft", None)
    monkeypatch.setitem(sys.modules, "accelerate", None)
    model = opened(str(folder / "lora"), "torch")
    with torch.no_grad():
        assert np.isfinite(model.decode(model.encode(picture), BOX).logits).all()
