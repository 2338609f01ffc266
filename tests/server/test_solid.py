from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from anytomy.core.geometry import Geometry
from anytomy.core.image import Image
from anytomy.core.intensity import GreyScale
from anytomy.server.solid import grey_solid, label_solid
from tests.server.serving import API, SHAPE, Annotator, ball_volume, packed, serving


def volume_of(content: bytes) -> Any:
    return nibabel.Nifti1Image.from_bytes(content)


class TestSolids:
    def test_small_volumes_are_whole(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            answer = client.get(f"{API}/cases/{user.case}/solid.nii?window=window:1000,500")
            found = volume_of(answer.content)
            expected = (np.clip(ball_volume(), 0, 1000) / 1000 * 255).astype(np.uint8)
            assert found.get_data_dtype() == np.uint8
            assert np.array_equal(np.asarray(found.dataobj).transpose(2, 1, 0), expected)
            stored = nibabel.load(folder / "ball.nii.gz")
            assert np.allclose(found.affine, stored.affine, atol=1e-5)

    def test_labels_lie_on_the_same_grid(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            first = user.do("labels", 201)["label"]["id"]
            second = user.do("labels", 201)["label"]["id"]
            bits = np.ones((4, 6), dtype=bool)
            for label, x in ((first, 10), (second, 30)):
                box = [x, 20, x + 6, 24]
                user.do("drawings", label=label, axis="z", slice=5, box=box, data=packed(bits))
            found = volume_of(client.get(f"{API}/sessions/{user.id}/solid.nii").content)
            labels = np.asarray(found.dataobj).transpose(2, 1, 0)
            assert labels.shape == SHAPE
            assert set(np.unique(labels)) == {0, first, second}
            for label in (first, second):
                assert np.array_equal(labels[5] == label, user.mask(label, 5))
            image = volume_of(client.get(f"{API}/cases/{user.case}/solid.nii").content)
            assert np.array_equal(found.affine, image.affine)

    def test_a_picture_has_none(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client, "bar.png")
            for place in (f"/cases/{user.case}/solid.nii", f"/sessions/{user.id}/solid.nii"):
                answer = client.get(API + place)
                assert answer.status_code == 422
                assert "single picture" in answer.json()["error"]["message"]

    def test_long_axes_are_thinned_out_and_voxels_stay_in_their_place(self) -> None:
        geometry = Geometry(size_xyz=(600, 4, 257), spacing_xyz_mm=(0.5, 1.0, 2.0), origin_lps_mm=(5, 6, 7))
        array = np.random.default_rng(0).integers(0, 256, geometry.shape_zyx, dtype=np.uint8)
        image = Image(array=array, geometry=geometry, is_volume=True)
        grey = volume_of(grey_solid(image, GreyScale(0, 255, keep=True, zero_is_black=False)))
        labels = volume_of(label_solid(geometry, [(3, array > 100), (300, array > 200)]))
        assert grey.shape == labels.shape == (200, 4, 129)
        taken = array[::2, :, ::3]
        assert np.array_equal(np.asarray(grey.dataobj).transpose(2, 1, 0), taken)
        expected = np.where(taken > 200, 300, np.where(taken > 100, 3, 0))
        assert np.array_equal(np.asarray(labels.dataobj).transpose(2, 1, 0), expected)
        place = grey.affine @ [7, 2, 11, 1]
        assert np.allclose(place, geometry.affine_ras @ [21, 2, 22, 1])
        assert np.allclose(grey.affine, labels.affine)
