"""Devices as the driver's tool tells of them; here the tool is a small script."""

from pathlib import Path

import pytest

from gan.errors import Unavailable
from worker import devices
from worker.devices import CPU, Device, devices_for, visible_gpus

TWO = "0, NVIDIA One, GPU-aaaa\n1, NVIDIA Two, GPU-bbbb\n"


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '%s' '{TWO}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: True)


def test_each_gpu_is_a_slot(two_gpus: None) -> None:
    found = devices_for("train", "auto", {})
    assert found == [Device("NVIDIA One", "0"), Device("NVIDIA Two", "1")]
    assert [str(one) for one in found] == ["cuda:0 NVIDIA One", "cuda:1 NVIDIA Two"]
    assert {one.torch for one in found} == {"cuda:0"}  # each child sees but one


def test_one_gpu_can_be_named(two_gpus: None) -> None:
    assert devices_for("train", "cuda:1", {}) == [Device("NVIDIA Two", "1")]


def test_what_cuda_may_see_is_respected(two_gpus: None) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "1"}) == [Device("NVIDIA Two", "1")]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "GPU-bbbb,0"}) == [
        Device("NVIDIA Two", "GPU-bbbb"),
        Device("NVIDIA One", "0"),
    ]
    assert devices_for("train", "auto", {"CUDA_VISIBLE_DEVICES": ""}) == [CPU]


def test_the_light_queue_and_the_wish_for_a_cpu_take_no_gpu(two_gpus: None) -> None:
    assert devices_for("light", "auto", {}) == [CPU]
    assert devices_for("train", "cpu", {}) == [CPU]


@pytest.mark.parametrize("wish", ["cuda:2", "gpu", "cuda:x"])
def test_a_device_that_is_not_there_is_refused_by_name(two_gpus: None, wish: str) -> None:
    with pytest.raises(Unavailable, match=f"GANYMEDE_TRAIN_DEVICE={wish}"):
        devices_for("train", wish, {})


def test_a_gpu_that_the_installed_torch_cannot_use_is_not_chosen(
    two_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_torch_has_cuda", lambda: False)
    assert devices_for("train", "auto", {}) == [CPU]
    with pytest.raises(Unavailable, match="CPU alone"):
        devices_for("train", "cuda", {})
