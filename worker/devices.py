"""Which devices this machine's jobs can run on, found without importing torch, and the slots that they make."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from gan.errors import Unavailable

SMI_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Device:
    """A device that one job at a time runs on. `visible` is what CUDA_VISIBLE_DEVICES must say; "" hides all GPUs."""

    name: str
    visible: str

    @property
    def torch(self) -> str:
        """The device's name in a process that sees nothing else."""
        return "cuda:0" if self.visible else "cpu"

    def __str__(self) -> str:
        return f"cuda:{self.visible} {self.name}" if self.visible else self.name


CPU = Device("cpu", "")


def described(device: Device) -> str:
    """The device with its memory, as a worker makes itself known: `cpu, 16000 MiB`; without, where that is unknown."""
    memory = gpu_memory(device.visible) if device.visible else machine_memory()
    return str(device) if memory is None else f"{device}, {memory >> 20} MiB"


LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a container's memory limit stands, by version of the kernel's control groups."""


def machine_memory(limits: tuple[Path, ...] = LIMITS) -> int | None:
    """Bytes of memory that this machine or container has; None where it does not tell."""
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
    texts = [path.read_text().strip() for path in limits if path.is_file()]
    return min([whole, *(int(text) for text in texts if text.isdecimal())])


def gpu_memory(visible: str) -> int | None:
    """Bytes of memory of the GPU of that index or UUID; None where the driver's tool does not tell."""
    query = [f"--id={visible}", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(["nvidia-smi", *query], capture_output=True, text=True, timeout=SMI_SECONDS, check=True)
        return int(told.stdout.strip()) << 20
    except (subprocess.SubprocessError, OSError, ValueError):
        return None


def devices_for(queue: str, wish: str, environment: Mapping[str, str] | None = None) -> list[Device]:
    """One device a slot: each GPU for `train`, else the CPU. Raises Unavailable where a GPU is wished for and missing.

    `wish` is `cpu`, `cuda`, `cuda:1` (counted among the GPUs this process may see) or `auto`: GPUs if there are any
    that the installed torch can use.
    """
    if queue != "train" or wish == "cpu":
        return [CPU]
    if wish == "auto" and not _torch_has_cuda():
        return [CPU]
    gpus = visible_gpus(os.environ if environment is None else environment)
    if wish == "auto":
        return gpus or [CPU]
    return _wished(wish, gpus)


def _wished(wish: str, gpus: list[Device]) -> list[Device]:
    match = re.fullmatch(r"cuda(?::(\d+))?", wish)
    if match is None:
        raise Unavailable(f"GANYMEDE_TRAIN_DEVICE={wish} is not cpu, cuda, cuda:0 … or auto")
    chosen = gpus if match[1] is None else gpus[int(match[1]) : int(match[1]) + 1]
    if not chosen:
        raise Unavailable(f"GANYMEDE_TRAIN_DEVICE={wish}, but of NVIDIA GPUs this process sees {len(gpus)}")
    if not _torch_has_cuda():
        raise Unavailable(f"GANYMEDE_TRAIN_DEVICE={wish}, but the installed torch is built for CPU alone")
    return chosen


def visible_gpus(environment: Mapping[str, str]) -> list[Device]:
    """The GPUs that CUDA would show to this process. CUDA_VISIBLE_DEVICES is CUDA's own word, not a setting of ours."""
    present = _present()
    if not present:
        return []
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [Device(name, index) for index, (name, _) in present.items()]
    by_uuid = {uuid: name for name, uuid in present.values()}
    entries = [entry.strip() for entry in visible.split(",") if entry.strip() not in {"", "-1"}]
    return [Device(by_uuid.get(entry) or present.get(entry, ("GPU", ""))[0], entry) for entry in entries]


def _present() -> dict[str, tuple[str, str]]:
    """Index → (name, UUID) of every NVIDIA GPU, as the driver's tool tells; by device files where there is no tool."""
    if shutil.which("nvidia-smi") is None:
        files = sorted(Path("/dev").glob("nvidia[0-9]*"))
        return {path.name.removeprefix("nvidia"): ("NVIDIA GPU", "") for path in files}
    query = ["nvidia-smi", "--query-gpu=index,name,uuid", "--format=csv,noheader"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=SMI_SECONDS, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return {}
    rows = [line.split(", ") for line in listed.splitlines() if line.count(", ") == 2]
    return {index: (name, uuid) for index, name, uuid in rows}


def _torch_has_cuda() -> bool:
    """By the build's version: `2.13.0+cpu` is for CPU alone."""
    return not metadata.version("torch").endswith("+cpu")
