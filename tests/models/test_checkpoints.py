from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from anytomy.core.errors import ModelError
from anytomy.models.checkpoints import load_weights, read_checkpoint
from anytomy.models.converters import to_hugging_face, to_original


class NotATensor:
    """Something that only unpickling could bring back."""


@pytest.fixture
def state():
    return {"image_encoder.a": torch.arange(6.0).reshape(2, 3), "mask_decoder.b": torch.ones(4)}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


class TestReading:
    def test_safetensors(self, tmp_path, state):
        path = tmp_path / "weights.safetensors"
        save_file(state, path)
        assert same(read_checkpoint(path), state)

    @pytest.mark.parametrize("zipped", [True, False])
    def test_torch(self, tmp_path, state, zipped):
        path = tmp_path / "weights.pth"
        torch.save(state, path, _use_new_zipfile_serialization=zipped)
        assert same(read_checkpoint(str(path)), state)

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda s: {"model": s, "optimizer": {"state": {}, "param_groups": []}, "epoch": 3},
            lambda s: {"state_dict": {f"module.{key}": value for key, value in s.items()}},
            lambda s: {"model": {f"_orig_mod.module.{key}": value for key, value in s.items()}},
            lambda s: {"model": {f"module._orig_mod.{key}": value for key, value in s.items()}},
        ],
    )
    def test_wrappers_and_prefixes_are_taken_off(self, tmp_path, state, wrap):
        path = tmp_path / "checkpoint.pth"
        torch.save(wrap(state), path)
        assert same(read_checkpoint(path), state)

    def test_code_is_refused(self, tmp_path):
        path = tmp_path / "evil.pth"
        torch.save({"model": NotATensor()}, path)
        with pytest.raises(ModelError, match=r"evil\.pth .*code in it could run.*safetensors"):
            read_checkpoint(path)

    @pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
    @pytest.mark.parametrize("kind", ["pth", "safetensors"])
    def test_truncated_files_are_named(self, tmp_path, state, kind, keep):
        path = tmp_path / f"cut.{kind}"
        torch.save(state, path) if kind == "pth" else save_file(state, path)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])
        with pytest.raises(ModelError, match=rf"cut\.{kind}"):
            read_checkpoint(path)

    @pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"version https://git-lfs"])
    def test_other_files_are_named(self, tmp_path, content):
        path = tmp_path / "page.pth"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"page\.pth is no checkpoint.*download it again"):
            read_checkpoint(path)

    @pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {}])
    def test_files_without_weights_are_named(self, tmp_path, content):
        path = tmp_path / "odd.pth"
        torch.save(content, path)
        with pytest.raises(ModelError, match=r"odd\.pth holds"):
            read_checkpoint(path)

    def test_missing_file(self, tmp_path):
        with pytest.raises(ModelError, match="nowhere"):
            read_checkpoint(tmp_path / "nowhere.pth")


class TestLoading:
    def test_all_namings_fill_the_same_model(self, tiny_vit):
        wanted = tiny_vit.state_dict()
        for named in (wanted, to_original(wanted), to_hugging_face(wanted)):
            given = {key: value.clone() for key, value in named.items()}
            for parameter in tiny_vit.parameters():
                parameter.data = torch.zeros_like(parameter)
            load_weights(tiny_vit, given)
            assert same(tiny_vit.state_dict(), wanted)

    def test_the_position_grid_follows_the_loaded_frequencies(self, tiny_vit):
        state = {key: value.clone() for key, value in tiny_vit.state_dict().items()}
        state["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"] *= 2
        layer = tiny_vit.prompt_encoder.pe_layer
        before = layer.image_grid.clone()
        load_weights(tiny_vit, state)
        assert not torch.equal(layer.image_grid, before)
        centre = (torch.tensor([2.0, 5.0]) + 0.5) / layer.grid  # x, y
        torch.testing.assert_close(layer.image_grid[0, :, 5, 2], layer(centre))

    def test_misfits_are_listed_briefly_and_change_nothing(self, tiny_vit):
        state = {key: value + 1 for key, value in tiny_vit.state_dict().items()}
        before = {key: value.clone() for key, value in tiny_vit.state_dict().items()}
        for index in range(5):
            del state[f"mask_decoder.output_hypernetworks_mlps.{index % 4}.layers.{index // 4}.bias"]
        state["extra.weight"] = torch.zeros(1)
        state["image_encoder.pos_embed"] = torch.zeros(1, 2, 2, 32)
        with pytest.raises(ModelError) as caught:
            load_weights(tiny_vit, state)
        message = str(caught.value)
        assert "5 missing (" in message
        assert "and 2 more" in message
        assert "1 unexpected (extra.weight)" in message
        assert "image_encoder.pos_embed (1, 2, 2, 32) instead of (1, 6, 6, 32)" in message
        assert len(message) < 600
        assert same(tiny_vit.state_dict(), before)
