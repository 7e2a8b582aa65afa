"""The settings of a run that several processes train together."""

from gan_runtime.errors import DataError, DeviceError
from gan_trainer.training.config import Config
from gan_trainer.training.distributed.joining import check_gpus
from gan_trainer.training.distributed.processes import Processes, share_of_batch


def settings_of_first(config: Config, processes: Processes) -> Config:
    """The settings of the first process, which all have then.

    Raises:
        DataError, DeviceError: this process has other images, or another device.
    """
    if config.device == "cuda" and not processes.alone:
        check_gpus(processes)
    first = processes.of_first(lambda: config)
    if config.data.digest != first.data.digest:
        raise DataError(f"{config.data.source}: process {processes.rank} has other images than process 0; copy them")
    if config.device != first.device:
        raise DeviceError(
            f"process {processes.rank} would train on {config.device}, process 0 on {first.device}; give --device cpu"
        )
    share_of_batch(first.recipe, processes)
    return first
