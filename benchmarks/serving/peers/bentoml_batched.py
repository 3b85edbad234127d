"""BentoML with adaptive batches of up to 16. Its batchable calls answer JSON, so the PNG is base64 there."""

import io
import os
from base64 import b64encode

import bentoml
import torch
from PIL import Image

from gan.checkpoint import load_generator


@bentoml.service(traffic={"timeout": 60})
class Dcgan:
    """Seeds in, PNGs out."""

    def __init__(self) -> None:
        self.loaded = load_generator(os.environ["CHECKPOINT"])

    @bentoml.api(batchable=True, max_batch_size=16)
    def draw(self, seeds: list[int]) -> list[str]:
        """A picture of each seed."""
        dim = self.loaded.header.network.latent_dim
        z = torch.stack([torch.randn(dim, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds])
        with torch.inference_mode():
            x = self.loaded.module(z)
        pixels = ((x.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
        return [self.encoded(picture) for picture in pixels]

    @staticmethod
    def encoded(picture: object) -> str:
        """A PNG in base64."""
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "png")
        return b64encode(buffer.getvalue()).decode()
