"""Same seed, same machine, same result."""

import torch


def settle_math_library() -> None:
    """Call the vector math library once, from one thread.

    MKL chooses its code path on first use. Two threads that get there together may take different ones: a first
    tanh then differs from all later ones by 7e-6 (torch 2.13 on two cores; measured in one process of sixteen).
    """
    few = torch.full((8,), 0.5)  # too few elements to be shared between threads
    for function in (torch.tanh, torch.exp, torch.log, torch.sqrt):
        function(few)
