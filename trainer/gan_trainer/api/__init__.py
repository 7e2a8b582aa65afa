"""The trainer as a library: `train`, `resume`, `recipe`, `load_settings`, `project`, `Run`; `gan_trainer` exports them.

Nothing is printed unless `progress=True`, and nothing exits the program. torch's random number generators and its
number of threads are set for a run while it trains, and are as before when the call returns or raises.
"""

from gan_trainer.api.projecting import project
from gan_trainer.api.run import Run
from gan_trainer.api.settings import load_settings, recipe
from gan_trainer.api.training import resume, train
from gan_trainer.training.observer import Observer

__all__ = ["Observer", "Run", "load_settings", "project", "recipe", "resume", "train"]
