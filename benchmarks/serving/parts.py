"""What the parts of an answer take, beside what else could take their place: encoders, threads, precision, runtimes.

    python -m benchmarks.serving.parts

One thread unless said otherwise, in turns, medians. OpenVINO, ONNX Runtime, ISA-L and zlib-ng are measured where
they are installed.
"""

import threading
import time
from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from io import BytesIO
from statistics import median
from typing import Any, Final

import deflate
import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks.serving.model import SPEC, generator
from gan import png
from gan.images import to_uint8
from gan.networks.build import generator_example
from gan.networks.folding import for_serving
from gan.networks.packing import Packed, Scattered, pack
from service.engine.runtime import levels

ROUNDS: Final = 25
BATCHES: Final = (1, 16)


def milliseconds(works: dict[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, float]:
    """The median round of each, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    return {name: 1000 * median(spent[1:]) for name, spent in seconds.items()}


def pillow(picture: png.Pixels) -> bytes:
    """As Pillow writes it, looking for runs alone: its quickest that compresses."""
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "png", compress_level=1, compress_type=3)
    return buffer.getvalue()


def pictures() -> dict[str, png.Pixels]:
    """One of an untrained generator, a smooth one, and a large one."""
    rng = np.random.default_rng(0)
    with torch.inference_mode():
        noise = to_uint8(generator()(torch.randn(1, SPEC.latent_dim)).numpy())[0]
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((64, 64), Image.Resampling.BICUBIC)).astype(int) + rng.integers(
        -3, 4, (64, 64, 3)
    )
    small = smooth.clip(0, 255).astype(np.uint8)
    large = np.asarray(Image.fromarray(small).resize((1024, 1024), Image.Resampling.BICUBIC))
    return {"noise, 64²": noise, "smooth, 64²": small, "smooth, 1024²": large}


def encoders() -> None:
    """Our PNGs, and Pillow's."""
    for name, picture in pictures().items():
        spent = milliseconds({"pillow": lambda p=picture: pillow(p), "ours": lambda p=picture: png.encoded(p, {})})
        sizes = {"pillow": len(pillow(picture)), "ours": len(png.encoded(picture, {}))}
        print(f"PNG, {name}: " + "; ".join(f"{k} {spent[k]:.3f} ms, {sizes[k]} bytes" for k in spent), flush=True)


def compressors() -> None:
    """What can compress the filtered rows of a picture, at the level that is fastest for its size."""
    ways: dict[str, Callable[[png.Pixels], bytes | bytearray]] = {"libdeflate": lambda x: deflate.zlib_compress(x, 1)}
    for module, levels_of_it in {"isal.isal_zlib": (1, 3), "zlib_ng.zlib_ng": (1, 2), "zlib": (1,)}.items():
        try:
            library = import_module(module)
        except ImportError:
            print(f"{module} is not installed")
            continue
        ways |= {f"{module} {level}": lambda x, c=library.compress, n=level: c(x, n) for level in levels_of_it}
    for name, picture in pictures().items():
        rows = png.filtered(picture)
        spent = milliseconds({way: lambda w=compress, r=rows: w(r) for way, compress in ways.items()}, 200)
        said = (f"{way} {spent[way]:.3f} ms, {len(compress(rows))} bytes" for way, compress in ways.items())
        print(f"compressed, {name}: " + "; ".join(said), flush=True)


def served() -> nn.Module:
    """The generator as it is served."""
    network = for_serving(generator())
    pack(network, *generator_example(SPEC))
    return network


@torch.inference_mode()
def to_picture() -> None:
    """The last layer of the generator, 64 channels at 32×32 to three at 64×64, as oneDNN computes it and as sums."""
    layer = nn.ConvTranspose2d(64, 3, 4, stride=2, padding=1, bias=False)
    for count in BATCHES:
        x = torch.randn(count, 64, 32, 32).to(memory_format=torch.channels_last)
        ways = {"packed": Packed(layer, x.shape), "scattered": Scattered(layer)}
        spent = milliseconds({name: lambda w=way, x=x: w(x) for name, way in ways.items()})
        print(
            f"to a picture, by {count}: " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in spent.items()), flush=True
        )


@torch.inference_mode()
def runtimes() -> None:
    """The same network in batches of one and sixteen: images a second, and how far its levels are from float32's."""
    folded = for_serving(generator())
    half = deepcopy(folded).bfloat16()
    z = torch.randn(16, SPEC.latent_dim, generator=torch.Generator().manual_seed(1))
    ways: dict[str, Callable[[torch.Tensor], Any]] = {
        "as trained": generator(),
        "folded": folded,
        "packed": served(),
        "bfloat16": lambda z: half(z.bfloat16()).float(),
        **foreign(folded, z),
    }
    exact = levels(ways["as trained"](z)).astype(int)
    rates = {n: milliseconds({name: lambda w=way, n=n: w(z[:n]) for name, way in ways.items()}) for n in BATCHES}
    for name, way in ways.items():
        off = np.abs(levels(torch.as_tensor(way(z))).astype(int) - exact)
        each = ", ".join(f"{1000 * n / rates[n][name]:.0f} images/s by {n}" for n in BATCHES)
        print(f"{name}: {each}; levels off by {off.max()} at most, {off.mean():.2f} on average", flush=True)


def foreign(folded: nn.Module, z: torch.Tensor) -> dict[str, Callable[[torch.Tensor], Any]]:
    """The network in other runtimes, with one thread and float32, where these are installed."""
    ways: dict[str, Callable[[torch.Tensor], Any]] = {}
    try:
        openvino = import_module("openvino")
        options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        model = openvino.convert_model(folded, example_input=z)
        request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
        ways["OpenVINO"] = lambda z: request.infer([z.numpy()], share_inputs=True)[0]
    except ImportError:
        print("OpenVINO is not installed")
    try:
        runtime, file = import_module("onnxruntime"), BytesIO()
        torch.onnx.export(folded, (z,), file, input_names=["z"], dynamic_axes={"z": {0: "n"}}, dynamo=False)
        settings = runtime.SessionOptions()
        settings.intra_op_num_threads = 1
        session = runtime.InferenceSession(file.getvalue(), settings)
        ways["ONNX Runtime"] = lambda z: session.run(None, {"z": z.numpy()})[0]
    except ImportError:
        print("ONNX Runtime is not installed")
    return ways


def side_by_side(seconds: float = 2.0) -> None:
    """Batches of sixteen by one thread, by one with a team of two, and by two at the same time."""
    network, z = served(), torch.randn(16, SPEC.latent_dim)

    def draw(threads: int, made: list[int]) -> None:
        torch.set_num_threads(threads)
        end = time.perf_counter() + seconds
        with torch.inference_mode():
            while time.perf_counter() < end:
                levels(network(z))
                made.append(len(z))

    for workers, threads in ((1, 1), (1, 2), (2, 1)):
        made: list[int] = []
        drawing = [threading.Thread(target=draw, args=(threads, made)) for _ in range(workers)]
        for thread in drawing:
            thread.start()
        for thread in drawing:
            thread.join()
        print(f"{workers} at a time, {threads} threads each: {sum(made) / seconds:.0f} images/s", flush=True)


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    encoders()
    compressors()
    to_picture()
    runtimes()
    for _ in range(3):
        side_by_side()


if __name__ == "__main__":
    main()
