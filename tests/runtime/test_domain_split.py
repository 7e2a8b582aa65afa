"""Held-out pictures of two domains: by content, pairs and variants of a picture on one side."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from gan_runtime.data import Dataset
from gan_runtime.data.domain_split import split_domains
from gan_runtime.data.domains import Domains, domains_of
from gan_runtime.data.variants import variants_key
from gan_runtime.errors import InputError


def domain(names: list[str], salt: str = "", like: dict[str, int] | None = None) -> Dataset:
    """Pictures of 8 random bytes that depend on their names; those in `like` are of one number."""
    digests = [hashlib.sha256(f"{salt} {(like or {}).get(name, name)}".encode()).digest() for name in names]
    images = np.array([list(digest[:8]) for digest in digests], np.uint8).reshape(-1, 2, 4, 1)
    content = np.array([int.from_bytes(digest[8:16], "big") for digest in digests], np.uint64)
    return Dataset("d", "train", images, np.zeros(len(names), np.int64), (), salt, names=tuple(names), content=content)


def numbered(count: int) -> list[str]:
    return [f"A/{i}.png" for i in range(count)]


def pairs(count: int = 1000) -> Domains:
    return domains_of(domain(numbered(count), "a"), domain(numbered(count), "b"), paired=True)


def unpaired(a: list[str], b: list[str]) -> Domains:
    return domains_of(domain([f"A/{name}" for name in a], "a"), domain([f"B/{name}" for name in b], "b"), paired=False)


def test_pairs_are_split_together() -> None:
    found = split_domains(pairs(), 0.1)
    for rows in (found.train, found.held_out):
        assert np.array_equal(rows.source, rows.images)
    assert 60 <= len(found.held_out.images) <= 140
    both = np.concatenate([found.train.images, found.held_out.images])
    assert sorted(both) == list(range(1000))
    assert found.unseen.held_out is None


def test_the_split_depends_on_content_alone() -> None:
    domains = pairs()
    found = {domains.names[row] for row in split_domains(domains, 0.1).held_out.images}
    back = domains_of(domains.target, domains.source, paired=True)
    assert {domains.names[row] for row in split_domains(back, 0.1).held_out.images} == found
    fewer = domains_of(domain(numbered(600), "a"), domain(numbered(600), "b"), paired=True)
    kept = {fewer.names[row] for row in split_domains(fewer, 0.1).held_out.images}
    assert kept == found & set(numbered(600))
    renamed = replace(domains, names=tuple(f"B/{i}x.png" for i in range(1000)))
    assert np.array_equal(split_domains(renamed, 0.1).held_out.images, split_domains(domains, 0.1).held_out.images)


def test_variants_are_on_one_side() -> None:
    names = [f"A/{i}{variant}.png" for i in range(300) for variant in ("", "-flipped", "_crop2")]
    domains = domains_of(domain(names, "a"), domain(names, "b"), paired=True)
    found = split_domains(domains, 0.1)
    keys = [{variants_key(names[row][2:-4]) for row in rows.images} for rows in (found.train, found.held_out)]
    assert not keys[0] & keys[1]
    assert 60 <= len(found.held_out.images) <= 130


def test_a_share_of_the_groups_is_held_out_whatever_their_size() -> None:
    names = [f"A/{i}_rot{j}.png" for i in range(400) for j in range(8)]
    domains = domains_of(domain(names, "a"), domain(names, "b"), paired=True)
    assert 0.07 < len(split_domains(domains, 0.1).held_out.images) / len(names) < 0.13


def test_equal_pairs_are_on_one_side() -> None:
    names, same = numbered(200), {f"A/{i}.png": i % 20 for i in range(200)}
    domains = domains_of(domain(names, "a", same), domain(names, "b", same), paired=True)
    found = split_domains(domains, 0.2)
    assert not {row % 20 for row in found.train.images} & {row % 20 for row in found.held_out.images}


def test_equal_inputs_of_different_targets_may_be_on_both_sides() -> None:
    names = numbered(200)
    domains = domains_of(domain(names, "a", dict.fromkeys(names, 1)), domain(names, "b"), paired=True)
    assert 8 <= len(split_domains(domains, 0.1).held_out.images) <= 35


def test_variants_in_both_unpaired_domains() -> None:
    domains = unpaired([f"1f{i}.png" for i in range(100, 400)], [f"1f{i}-1f3fe.png" for i in range(200, 500)])
    found = split_domains(domains, 0.2)
    assert not np.array_equal(found.train.source, found.train.images)
    held = [
        {name[2:7] for name in np.array(one.names)[rows]}
        for one, rows in ((domains.source, found.held_out.source), (domains, found.held_out.images))
    ]
    shared = {f"1f{i}" for i in range(200, 400)}
    assert held[0] & shared == held[1] & shared
    assert held[0] - shared
    assert held[1] - shared


def test_each_unpaired_domain_has_both_parts() -> None:
    for count in range(2, 12):
        a, b = [f"{i}.png" for i in range(count)], [f"x{i}.png" for i in range(40)]
        found = split_domains(unpaired(a, b), 0.01)
        for rows in (found.train, found.held_out):
            assert len(rows.source)
            assert len(rows.images)


def test_names_that_would_leave_few_groups_do_not_count() -> None:
    names = [f"A/{letter}_crop{i}.png" for letter in "ab" for i in range(50)]
    domains = domains_of(domain(names, "a"), domain(names, "b"), paired=True)
    assert 3 <= len(split_domains(domains, 0.1).held_out.images) <= 20


def test_pictures_for_testing_that_came_along() -> None:
    tests = pairs(7)
    domains = domains_of(domain(numbered(50), "c"), domain(numbered(50), "d"), paired=True, held_out=tests)
    found = split_domains(domains, 0.4)
    assert len(found.train.images) == 50
    assert found.held_out.images.tolist() == list(range(7))
    assert found.unseen is tests


def test_nothing_or_too_much() -> None:
    assert not len(split_domains(pairs(), 0.0).held_out.images)
    with pytest.raises(InputError, match=r"hold-out 0\.6"):
        split_domains(pairs(), 0.6)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("cat-flipped", "cat"),
        ("a/cat_crop2", "a/cat"),
        ("cat copy 2", "cat"),
        ("cat_hflip_rot270", "cat"),
        ("cat (2)", "cat (2)"),
        ("cat-2", "cat-2"),
        ("cat_crop_0002", "cat_crop_0002"),
        ("flip", "flip"),
        ("1f44b-1f3fe", "1f44b"),
        ("emoji_u1f468_200d_1f52c", "1f9d1-1f52c"),
        ("1f469-1f3fb-200d-1f52c", "1f9d1-1f52c"),
        ("1f3fe", "1f3fe"),
        ("0001", "0001"),
        ("2640", "2640"),
    ],
)
def test_names_of_variants(name: str, key: str) -> None:
    assert variants_key(name) == key
