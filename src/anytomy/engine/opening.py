"""From a model card to a running engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anytomy.core.errors import ModelError, OptionError
from anytomy.engine.graph_engine import GraphEngine, runtimes
from anytomy.engine.graphs import ensure_graphs, graph_folder
from anytomy.engine.loading import load_sam, load_tuned
from anytomy.engine.routed import RoutedEngine
from anytomy.engine.threads import available_cores
from anytomy.zoo import checksum, store
from anytomy.zoo.adapted import check_base
from anytomy.zoo.home import cache_dir

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.engine.protocol import Engine, SemanticEngine
    from anytomy.engine.student_engine import StudentEngine
    from anytomy.zoo.card import ModelCard


@dataclass(frozen=True, eq=False)
class Opened:
    """An engine and what it runs.

    Attributes:
        engine: For prompts, for the classes of the card, or of a student.
        sha256: Hash of all weights.
        encoder_sha256: Hash of those that decide an embedding: the base's where an adapter leaves the image
            encoder alone.
    """

    engine: Engine | SemanticEngine | StudentEngine
    sha256: str
    encoder_sha256: str


@dataclass(frozen=True)
class _Source:
    """The weights of a card: a checkpoint, and an adapter where it has one."""

    card: ModelCard
    checkpoint: Path
    base_sha256: str

    @property
    def sha256(self) -> str:
        return self.card.weights_sha256(self.base_sha256)

    @property
    def keeps_encoder(self) -> bool:
        """Whether the image encoder is the base's; also where there is no adapter."""
        return self.card.adapter is None or not self.card.adapter.card.touches_encoder

    @property
    def routes(self) -> tuple[str, ...]:
        return () if self.card.adapter is None else self.card.adapter.card.routes


def open_engine(card: ModelCard, *, engine: str, device: str, threads: int | None, precision: str) -> Opened:
    """The engine for a card; see `LoadedModel.open` for the arguments."""
    if card.student is not None:
        from anytomy.engine.student_engine import StudentEngine

        runner = StudentEngine.of(
            card.student, engine=engine, device=device, threads=threads, precision=precision
        )
        return Opened(runner, card.weights.sha256, card.weights.sha256)
    weights = store.ensure(card.base_id)
    source = _Source(card, weights, card.weights.sha256 or _recorded_sha256(weights))
    if card.adapter is not None:
        check_base(card.adapter.card, card, source.base_sha256, card.adapter.folder)
    threads = threads or available_cores()
    chosen = torch_device(engine, device)
    if chosen is not None:
        opened = _open_torch(source, device=chosen, threads=threads, precision=precision)
    else:
        opened = _open_graphs(source, engine, threads=threads, precision=precision)
    encoder = source.base_sha256 if source.keeps_encoder else source.sha256
    return Opened(opened, source.sha256, encoder)


def torch_device(engine: str, device: str) -> str | None:
    """The device that torch runs on; None where graphs run on the CPU.

    Raises:
        OptionError: The engine does not go with the device, or there is no such device.
    """
    if engine in ("openvino", "onnxruntime") and device not in ("auto", "cpu"):
        raise OptionError(f"{engine} runs on the CPU only", hint=f"use --engine torch for {device}")
    if engine != "torch" and not _wants_gpu(engine, device):
        return None
    from anytomy.engine.torch_engine import choose_device

    chosen = choose_device(device)
    return chosen if engine == "torch" or chosen != "cpu" else None


def _open_torch(source: _Source, **settings: Any) -> Engine | SemanticEngine:
    from anytomy.engine.semantic_engines import TorchSemanticEngine
    from anytomy.engine.torch_engine import TorchEngine

    model: Any = load_tuned(source.card, source.checkpoint, source.base_sha256)
    if source.card.classes:
        return TorchSemanticEngine(model, **settings)
    tuned = TorchEngine(model, **settings)
    if not source.routes:
        return tuned
    base = load_sam(source.card, source.checkpoint)
    base.image_encoder = model.image_encoder  # the same weights once
    return RoutedEngine(tuned, TorchEngine(base, **settings), source.routes)


def _open_graphs(source: _Source, engine: str, *, threads: int, precision: str) -> Engine | SemanticEngine:
    encoder, decoder = choose_runtimes(engine, precision)
    card, folder, tuned = source.card, None, None
    if source.keeps_encoder:
        folder = ensure_graphs(
            graph_folder(source.base_sha256, card.architecture),
            lambda: load_sam(card, source.checkpoint),
            title=card.base_id,
            threads=threads,
        )
    if card.adapter is not None:
        tuned = ensure_graphs(
            graph_folder(source.sha256, card.architecture),
            lambda: load_tuned(card, source.checkpoint, source.base_sha256),
            title=card.title,
            threads=threads,
            encoder=not source.keeps_encoder,
        )
    first = folder or tuned
    assert first is not None
    settings: dict[str, Any] = {
        "decoder": decoder,
        "threads": threads,
        "precision": precision,
        "compile_cache": cache_dir("graphs") / "openvino",
    }
    if card.classes:
        from anytomy.engine.semantic_engines import GraphSemanticEngine

        return GraphSemanticEngine(first, tuned=tuned, encoder=encoder, **settings)
    opened = GraphEngine(first, tuned=tuned, encoder=encoder, **settings)
    if not source.routes:
        return opened
    return RoutedEngine(opened, GraphEngine(first, encoder=None, **settings), source.routes)


def choose_runtimes(engine: str, precision: str) -> tuple[str, str]:
    """Which runtime takes the encoder, and which what stands behind it."""
    there = runtimes()
    if not there:
        raise ModelError("neither OpenVINO nor ONNX Runtime is installed", hint="use --engine torch")
    encoder, decoder = there[0], there[-1]
    if engine != "auto":
        encoder = decoder = engine
    if precision == "bf16":
        if "openvino" not in there or engine == "onnxruntime":
            raise OptionError("bf16 on a CPU needs OpenVINO", hint="pip install openvino, or use f32")
        encoder = decoder = "openvino"
    return encoder, decoder


def _wants_gpu(engine: str, device: str) -> bool:
    """Whether torch must be asked for a GPU; with `auto` only where a driver can be there at all.

    Importing torch costs more than a second, which a CPU run of exported graphs does not need.
    """
    if engine != "auto":
        return False
    if device != "auto":
        return device != "cpu"
    import platform
    from pathlib import Path

    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    nvidia = Path("/dev/nvidiactl").exists() or Path("/proc/driver/nvidia/version").exists()
    return apple or nvidia or platform.system() == "Windows"


def _recorded_sha256(weights: Path) -> str:
    record = checksum.read_record(checksum.record_path(weights))
    if record is not None and checksum.is_unchanged(weights, record):
        return record.sha256
    return checksum.sha256_of(weights)
