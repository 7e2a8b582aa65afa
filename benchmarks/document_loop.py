"""The usual training loop of tutorials for an MLP GAN on MNIST; the baseline of training_speed.py.

It does not need torchvision: `Digits` performs the same operations per image as MNIST, ToTensor and Normalize of
torchvision. The code is neither optimised nor slowed down relative to the tutorials.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

LATENT_DIM, PIXELS, BATCH_SIZE = 100, 784, 128
LEARNING_RATE = 2e-4
MEAN, STD = (0.5,), (0.5,)


class Digits(TorchDataset[tuple[Tensor, int]]):
    """datasets.MNIST with transforms.Compose([ToTensor(), Normalize((0.5,), (0.5,))])."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self.data = torch.from_numpy(images[..., 0].copy())
        self.targets = torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.data[index].numpy())  # uint8 [h, w] is mode "L"
        return normalize(to_tensor(picture)), int(self.targets[index])


def to_tensor(picture: Image.Image) -> Tensor:
    """torchvision's ToTensor for a picture with 8 bits per channel."""
    pixels = torch.from_numpy(np.array(picture, np.uint8, copy=True))
    pixels = pixels.view(picture.size[1], picture.size[0], len(picture.getbands()))
    return pixels.permute((2, 0, 1)).contiguous().to(dtype=torch.get_default_dtype()).div(255)


def normalize(tensor: Tensor) -> Tensor:
    """torchvision's Normalize, which does not work in place."""
    tensor = tensor.clone()
    mean = torch.as_tensor(MEAN, dtype=tensor.dtype, device=tensor.device)
    std = torch.as_tensor(STD, dtype=tensor.dtype, device=tensor.device)
    if (std == 0).any():
        raise ValueError("std evaluated to zero")
    return tensor.sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))


def build_generator() -> nn.Sequential:
    """Latents [n, 100] -> [n, 784] in [-1, 1]."""
    return nn.Sequential(
        nn.Linear(LATENT_DIM, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 512),
        nn.LeakyReLU(0.2),
        nn.Linear(512, 1024),
        nn.LeakyReLU(0.2),
        nn.Linear(1024, PIXELS),
        nn.Tanh(),
    )


def build_discriminator() -> nn.Sequential:
    """Images [n, 784] -> probability [n, 1]."""
    return nn.Sequential(
        nn.Linear(PIXELS, 1024),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3),
        nn.Linear(1024, 512),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3),
        nn.Linear(512, 256),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3),
        nn.Linear(256, 1),
        nn.Sigmoid(),
    )


class DocumentLoop:
    """The tutorial's globals, and the body of its loop as `step`."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self.generator, self.discriminator = build_generator(), build_discriminator()
        self.criterion = nn.BCELoss()
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=LEARNING_RATE)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), lr=LEARNING_RATE)
        self.loader = DataLoader(Digits(images, labels), batch_size=BATCH_SIZE, shuffle=True)

    def step(self, batch: Tensor) -> tuple[float, float]:
        """One step of the discriminator and one of the generator; their losses."""
        real = batch.view(-1, PIXELS)
        n = real.size(0)
        ones, zeros = torch.ones(n, 1), torch.zeros(n, 1)

        self.d_optimizer.zero_grad()
        real_loss = self.criterion(self.discriminator(real), ones)
        fake = self.generator(torch.randn(n, LATENT_DIM))
        fake_loss = self.criterion(self.discriminator(fake.detach()), zeros)
        d_loss = real_loss + fake_loss
        d_loss.backward()
        self.d_optimizer.step()

        self.g_optimizer.zero_grad()
        fake = self.generator(torch.randn(n, LATENT_DIM))
        g_loss = self.criterion(self.discriminator(fake), ones)
        g_loss.backward()
        self.g_optimizer.step()
        return d_loss.item(), g_loss.item()
