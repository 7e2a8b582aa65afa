"""Training steps of a recipe on random images, for benchmarks."""

from dataclasses import replace

FIXED = {"augment": "none", "precision": "fp32", "eval_every": 0, "conditional": False}


class Steps:
    """A run of a recipe for grey images of 28 x 28, which makes steps on one batch of random images."""

    def __init__(self, name: str, device: str = "cpu") -> None:
        import torch

        from gan_runtime.manifest import ImageSize
        from gan_trainer.recipes.recipe import RECIPES
        from gan_trainer.systems import SYSTEMS
        from gan_trainer.training.state import new_state
        from gan_trainer.training.system import Shapes

        recipe = RECIPES[name]
        self.recipe = replace(recipe, **{field: FIXED[field] for field in FIXED if hasattr(recipe, field)})
        system, n = SYSTEMS[recipe.system], recipe.batch_size
        torch.manual_seed(0)
        networks = system.networks(self.recipe, Shapes(ImageSize(28, 28, 1)))
        self.state = new_state(system, networks, self.recipe, torch.device(device))
        self.images = torch.rand(n, 1, 28, 28, device=device) * 2 - 1
        self.labels = torch.zeros(n, dtype=torch.int64, device=device)

    def run(self, steps: int) -> None:
        """Make so many steps; losses are read in each, as by the loop on a CPU."""
        state = self.state
        for _ in range(steps):
            state.meter.add(state.system.step(state, self.recipe, self.images, self.labels))
            state.step, state.images_seen = state.step + 1, state.images_seen + self.recipe.batch_size
            state.meter.check(state.step)
