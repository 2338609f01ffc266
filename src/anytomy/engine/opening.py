"""From a model card to a running engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytomy.core.errors import ModelError, OptionError
from anytomy.engine.graph_engine import GraphEngine, runtimes
from anytomy.engine.graphs import ensure_graphs, graph_folder
from anytomy.engine.threads import available_cores
from anytomy.zoo import checksum, store
from anytomy.zoo.home import cache_dir

if TYPE_CHECKING:
    from pathlib import Path

    from anytomy.engine.protocol import Engine
    from anytomy.models.sam import Sam
    from anytomy.zoo.card import ModelCard


def open_engine(
    card: ModelCard, *, engine: str, device: str, threads: int | None, precision: str
) -> tuple[Engine, str]:
    """The engine for a card, and the hash of its weights; see `LoadedModel.open` for the arguments."""
    weights = store.ensure(card.id)
    sha256 = card.weights.sha256 or _recorded_sha256(weights)
    threads = threads or available_cores()
    if engine in ("openvino", "onnxruntime") and device not in ("auto", "cpu"):
        raise OptionError(f"{engine} runs on the CPU only", hint=f"use --engine torch for {device}")
    if engine == "torch" or _wants_gpu(engine, device):
        from anytomy.engine.torch_engine import TorchEngine, choose_device

        chosen = choose_device(device)
        if engine == "torch" or chosen != "cpu":
            sam = load_sam(card, weights)
            return TorchEngine(sam, device=chosen, threads=threads, precision=precision), sha256
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
    folder = ensure_graphs(
        graph_folder(sha256, card.architecture),
        lambda: load_sam(card, weights),
        title=card.title,
        threads=threads,
    )
    opened = GraphEngine(
        folder,
        encoder=encoder,
        decoder=decoder,
        threads=threads,
        precision=precision,
        compile_cache=cache_dir("graphs") / "openvino",
    )
    return opened, sha256


def load_sam(card: ModelCard, weights: Path) -> Sam:
    """The torch model of a card with its weights, in `eval()` mode."""
    from anytomy.models.architectures import build
    from anytomy.models.checkpoints import load_weights, read_checkpoint

    sam = build(card.architecture)
    load_weights(sam, read_checkpoint(weights))
    return sam.eval()


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
