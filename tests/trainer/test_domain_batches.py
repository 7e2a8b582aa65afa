"""Batches of two domains: orders, flips and shifts, without state."""

import numpy as np
import torch

from gan_runtime.data import Dataset
from gan_runtime.data.domain_split import Rows
from gan_runtime.data.domains import domains_of
from gan_trainer.data.domains import DomainBatches

SIDE = 8
CPU = torch.device("cpu")


def dataset(count: int, channels: int, offset: int) -> Dataset:
    """Picture i has i + `offset` everywhere in its first row; the other pixels say where they are."""
    places = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE, 1) + 100
    images = np.tile(places, (count, 1, 1, channels))
    images[:, 0] = (np.arange(count) + offset)[:, None, None]
    return Dataset("d", "train", images, np.zeros(count, np.int64), ())


def stream(batch_size: int = 4, seed: int = 0, *, paired: bool = True, **changes: object) -> DomainBatches:
    source, target = dataset(30, 1, 0), dataset(30 if paired else 20, 3, 50)
    rows = Rows(np.arange(2, 30), np.arange(2, 30) if paired else np.arange(5, 20))
    return DomainBatches(domains_of(source, target, paired), rows, batch_size, seed, CPU, **changes)


def pixels(batch: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """uint8 [n, h, w, c]."""
    return ((batch[name] + 1) * 127.5).round().permute(0, 2, 3, 1).to(torch.uint8)


def seen(batches: DomainBatches, first: int, last: int, name: str, batch_size: int = 4) -> list[int]:
    found = [pixels(batches.at(at), name)[:, 0, 0, 0] for at in range(first, last, batch_size)]
    return torch.cat(found).tolist()


def test_shapes_and_range() -> None:
    batch = stream().at(26)  # crosses the end of an epoch
    assert set(batch) == {"source", "images"}
    assert batch["source"].shape == (4, 1, SIDE, SIDE)
    assert batch["images"].shape == (4, 3, SIDE, SIDE)
    assert batch["images"].dtype == torch.float32
    assert -1 <= batch["images"].min() <= batch["images"].max() <= 1


def test_pairs_stay_together_and_only_training_rows_are_seen() -> None:
    sources, targets = (seen(stream(), 0, 28 * 4, name) for name in ("source", "images"))
    assert [number + 50 for number in sources] == targets
    for epoch in range(4):
        assert sorted(sources[28 * epoch : 28 * (epoch + 1)]) == list(range(2, 30))


def test_unpaired_domains_have_orders_of_their_own() -> None:
    batches = stream(paired=False)
    sources, targets = (seen(batches, 0, 28 * 15, name) for name in ("source", "images"))
    for epoch in range(15):
        assert sorted(sources[28 * epoch : 28 * (epoch + 1)]) == list(range(2, 30))
    for epoch in range(28):
        assert sorted(targets[15 * epoch : 15 * (epoch + 1)]) == list(range(55, 70))
    assert len(set(zip(sources, targets, strict=True))) > 200
    same = domains_of(dataset(30, 1, 0), dataset(30, 1, 0), paired=False)
    twins = DomainBatches(same, Rows(np.arange(30), np.arange(30)), 30, 0, CPU).at(0)
    assert not torch.equal(twins["source"], twins["images"])


def test_a_place_in_the_stream_needs_no_history() -> None:
    for paired in (True, False):
        ahead = stream(paired=paired, flip=True, shift=2)
        everything = {at: ahead.at(at) for at in range(0, 120, 4)}
        for at in (80, 4, 116):
            for batches in (ahead, stream(paired=paired, flip=True, shift=2)):
                again = batches.at(at)
                assert all(torch.equal(again[name], everything[at][name]) for name in again)


def test_the_changes_of_a_picture_do_not_depend_on_the_batch_size() -> None:
    large, small = stream(12, flip=True, shift=2).at(24), stream(4, flip=True, shift=2)
    for name, images in large.items():
        assert torch.equal(images, torch.cat([small.at(at)[name] for at in (24, 28, 32)]))


def test_seeds_differ() -> None:
    one, other = (stream(seed=seed, flip=True, shift=2).at(0)["images"] for seed in (0, 1))
    assert not torch.equal(one, other)


def moved(image: torch.Tensor, flip: bool, down: int, across: int) -> torch.Tensor:
    """[h, w, c] by definition: pixel (y, x) comes from (y + down, x + across); the border is repeated."""
    out = torch.empty_like(image)
    for y in range(SIDE):
        for x in range(SIDE):
            out[y, x] = image[min(max(y + down, 0), SIDE - 1), min(max(x + across, 0), SIDE - 1)]
    return out.flip(1) if flip else out


def change_of(image: torch.Tensor, original: torch.Tensor, shift: int) -> tuple[bool, int, int]:
    (found,) = {
        (flip, down, across)
        for flip in (False, True)
        for down in range(-shift, shift + 1)
        for across in range(-shift, shift + 1)
        if torch.equal(moved(original, flip, down, across), image)
    }
    return found


def changes(
    batches: DomainBatches, plain: DomainBatches, name: str, shift: int, count: int
) -> list[tuple[bool, int, int]]:
    return [
        change_of(image, original, shift)
        for at in range(0, count, 4)
        for image, original in zip(pixels(batches.at(at), name), pixels(plain.at(at), name), strict=True)
    ]


def test_pairs_are_flipped_and_shifted_alike() -> None:
    both = [changes(stream(flip=True, shift=1), stream(), name, 1, 80) for name in ("source", "images")]
    assert both[0] == both[1]
    assert len(set(both[0])) >= 15  # of 18
    assert 20 <= sum(flip for flip, _, _ in both[0]) <= 60


def test_unpaired_pictures_are_flipped_and_shifted_independently() -> None:
    both = [
        changes(stream(paired=False, flip=True, shift=1), stream(paired=False), name, 1, 80)
        for name in ("source", "images")
    ]
    assert sum(one == other for one, other in zip(*both, strict=True)) < 20
    assert len(set(both[1])) >= 15


def test_flips_or_shifts_alone() -> None:
    assert {change[1:] for change in changes(stream(flip=True), stream(), "images", 0, 40)} == {(0, 0)}
    only_shifted = changes(stream(shift=2), stream(), "images", 2, 80)
    assert not any(flip for flip, _, _ in only_shifted)
    assert {down for _, down, _ in only_shifted} == {across for _, _, across in only_shifted} == {-2, -1, 0, 1, 2}


def test_memory_mapped_images_are_not_copied() -> None:
    source, target = dataset(30, 1, 0), dataset(30, 3, 50)
    batches = DomainBatches(domains_of(source, target, True), Rows(np.arange(30), np.arange(30)), 4, 0, CPU)
    target.images[:] = source.images[:] = 77
    batch = batches.at(0)
    assert {*pixels(batch, "source").unique().tolist(), *pixels(batch, "images").unique().tolist()} == {77}
