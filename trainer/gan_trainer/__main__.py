"""`python -m gan_trainer` is gan-train: torchrun starts modules more easily than commands."""

from gan_trainer.commands.train import train_main

train_main()
