import pytest
import torch
from torch import Tensor

from gan_trainer.data.augment import AUGMENTATIONS, augment

NAMES = sorted(AUGMENTATIONS)


def pictures(n: int = 64, channels: int = 3, side: int = 16) -> Tensor:
    torch.manual_seed(0)
    return torch.rand(n, channels, side, side) * 2 - 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_stays_and_each_image_has_its_own_change(name: str, channels: int) -> None:
    images = pictures(1, channels).expand(64, -1, -1, -1)
    changed = augment(images, (name,))
    assert changed.shape == images.shape
    assert len({tuple(image.flatten().tolist()) for image in changed}) > 8


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_the_images_twice(name: str) -> None:
    """The generator learns through it, and R1 differentiates that again."""
    images = pictures(4).requires_grad_()
    (gradient,) = torch.autograd.grad(augment(images, (name,)).square().sum(), images, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), images)
    assert gradient.abs().max() > 0
    assert second.abs().max() > 0


def test_translation_moves_by_up_to_an_eighth_and_fills_with_the_middle() -> None:
    torch.manual_seed(0)
    images = torch.zeros(500, 1, 16, 16)
    images[:, :, 8, 8] = 1.0
    moved = augment(images, ("translation",))
    _, _, rows, columns = moved.nonzero(as_tuple=True)
    assert sorted(set(rows.tolist())) == sorted(set(columns.tolist())) == [6, 7, 8, 9, 10]
    assert moved.sum() == 500
    edges = augment(torch.ones(500, 1, 16, 16), ("translation",))
    assert set(edges.unique().tolist()) == {0.0, 1.0}


def test_cutout_blots_out_a_square_of_half_the_side() -> None:
    torch.manual_seed(0)
    holes = (augment(torch.ones(500, 1, 16, 16), ("cutout",)) == 0).sum((1, 2, 3))
    assert holes.max() == 64
    assert holes.min() == 16  # a corner


def test_colour_of_grey_images_stays_grey() -> None:
    grey = pictures(channels=1).expand(-1, 3, -1, -1)
    changed = augment(grey, ("colour",))
    torch.testing.assert_close(changed[:, 0], changed[:, 2])


def test_no_names_change_nothing() -> None:
    images = pictures()
    assert augment(images, ()) is images
