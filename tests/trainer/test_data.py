import numpy as np
import torch

from gan_runtime.data import Dataset
from gan_trainer.data.batches import Batches

SIZE = 50


def stream(batch_size: int = 8, seed: int = 0) -> Batches:
    images = np.arange(SIZE, dtype=np.uint8)[:, None, None, None].repeat(2, axis=1).repeat(3, axis=2)
    dataset = Dataset("d", "train", images, np.arange(SIZE) % 4, tuple("abcd"))
    return Batches(dataset, batch_size, seed, torch.device("cpu"))


def numbers(batches: Batches, first: int, last: int, batch_size: int = 8) -> list[int]:
    pieces = [batches.at(seen)["images"][:, 0, 0, 0] for seen in range(first, last, batch_size)]
    return ((torch.cat(pieces) + 1) * 127.5).round().int().tolist()


def test_each_epoch_shows_every_image_once_in_an_order_of_its_own() -> None:
    seen = numbers(stream(), 0, 400)
    epochs = [seen[i * SIZE : (i + 1) * SIZE] for i in range(8)]
    assert all(sorted(epoch) == list(range(SIZE)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 8


def test_batches_are_full_and_normalised() -> None:
    images, labels = stream().at(48).values()  # crosses the end of an epoch
    assert images.shape == (8, 1, 2, 3)
    assert images.dtype == torch.float32
    assert labels.tolist() == [number % 4 for number in numbers(stream(), 48, 56)]
    assert images.min() >= -1


def test_a_place_in_the_stream_needs_no_history() -> None:
    ahead = stream()
    everything = numbers(ahead, 0, 400)
    assert numbers(stream(), 200, 400) == everything[200:]
    assert numbers(ahead, 80, 88) == everything[80:88]  # and back again


def test_seeds_differ_and_repeat() -> None:
    assert numbers(stream(seed=1), 0, 48) == numbers(stream(seed=1), 0, 48)
    orders = {tuple(numbers(stream(seed=seed), 0, 48)) for seed in (0, 1, 2, 256, 2**31, 2**32 - 1)}
    assert len(orders) == 6
    assert numbers(stream(seed=1), 48, 96) != numbers(stream(seed=1), 0, 48)


def test_a_batch_may_be_larger_than_an_epoch() -> None:
    images, _ = stream(batch_size=120).at(0).values()
    values, counts = torch.unique(images[:, 0, 0, 0], return_counts=True)
    assert len(values) == SIZE
    assert set(counts.tolist()) == {2, 3}
