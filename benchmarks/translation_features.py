"""A small classifier of emoji, for Frechet distances between outputs and emoji: vendor and group are its classes.

It has seen the training pictures of both vendors only. Distances are comparable with those of the same network alone.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from translation_data import Images, group, in_test, read_pictures

from gan_runtime.evaluation.metrics import frechet_distance_of

VENDORS = ("google", "twitter")
WIDTHS, FEATURES = (32, 64, 96), 64
STEPS, BATCH, LR, SHIFT = 1200, 64, 2e-3, 3


class EmojiNetwork(nn.Module):
    """Pictures float [n, 3, h, w] in [-1, 1] -> features float [n, 64]; `heads` has the logits of both questions."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in WIDTHS:
            layers += [nn.Conv2d(inputs, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(inputs, FEATURES, 3, 1, 1), nn.ReLU())
        self.heads = nn.ModuleList([nn.Linear(FEATURES, len(VENDORS)), nn.Linear(FEATURES, groups)])

    def forward(self, pictures: Tensor) -> Tensor:
        """Means of the last feature maps."""
        features: Tensor = self.layers(pictures).mean((2, 3))
        return features


def emoji_network(data: Path, file: Path) -> EmojiNetwork:
    """The network in `file`; trained first if there is none, in about two minutes on one core."""
    names, pictures, vendors = _training_pictures(data)
    groups = np.unique([group(name) for name in names], return_inverse=True)[1]
    network = EmojiNetwork(int(groups.max()) + 1)
    if file.exists():
        network.load_state_dict(torch.load(file, weights_only=True))
        return network.eval()
    torch.manual_seed(0)
    network.apply(lambda layer: layer.reset_parameters() if isinstance(layer, nn.Conv2d | nn.Linear) else None)
    _train(network, pictures, [torch.from_numpy(vendors), torch.from_numpy(groups)])
    torch.save(network.state_dict(), file)
    return network.eval()


@torch.no_grad()
def features_of(network: EmojiNetwork, pictures: Images) -> NDArray[np.float32]:
    """Features float32 [n, 64] of pictures uint8 [n, h, w, 3]."""
    parts = [network(_floats(pictures[first : first + 256])) for first in range(0, len(pictures), 256)]
    return np.asarray(torch.cat(parts).numpy())


def emoji_distance(network: EmojiNetwork, pictures: Images, target: Images) -> float:
    """Frechet distance of the features of two sets of pictures, uint8 [n, h, w, 3] each."""
    return frechet_distance_of(features_of(network, pictures), features_of(network, target))


def _training_pictures(data: Path) -> tuple[list[str], Images, NDArray[np.int64]]:
    names, pictures, vendors = [], [], []
    for number, vendor in enumerate(VENDORS):
        for name, picture in read_pictures(data / "emoji" / f"{vendor}-64.zip").items():
            if not in_test(name):
                names.append(name)
                pictures.append(picture)
                vendors.append(number)
    return names, np.stack(pictures), np.array(vendors)


def _train(network: EmojiNetwork, pictures: Images, answers: list[Tensor]) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), LR, weight_decay=0.01)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = LR * (1 - step / STEPS)
        rows = torch.randint(len(pictures), (BATCH,))
        y, x = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
        batch = _floats(pictures[rows.numpy()]).roll((y, x), (2, 3))
        features = network(batch)
        losses = [
            cross_entropy(head(features), answer[rows]) for head, answer in zip(network.heads, answers, strict=True)
        ]
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()


def _floats(pictures: Images) -> Tensor:
    return torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).float() / 127.5 - 1.0
