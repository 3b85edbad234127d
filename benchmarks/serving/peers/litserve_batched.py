"""LitServe with batches of up to 16."""

import io
import os
from typing import Any

import litserve
import torch
from fastapi import Response
from PIL import Image

from gan.checkpoint import load_generator


class Dcgan(litserve.LitAPI):
    """One seed in, one PNG out."""

    def setup(self, device: str) -> None:  # noqa: ARG002  # as the library calls it
        """Load the generator."""
        self.loaded = load_generator(os.environ["CHECKPOINT"])

    def decode_request(self, request: dict[str, Any]) -> int:
        """The seed."""
        return int(request["seed"])

    def predict(self, seeds: list[int]) -> Any:
        """Pictures as levels (N, H, W, C)."""
        dim = self.loaded.header.network.latent_dim
        z = torch.stack([torch.randn(dim, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        with torch.inference_mode():
            x = self.loaded.module(z)
        return ((x.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()

    def encode_response(self, output: Any) -> Response:
        """A PNG."""
        buffer = io.BytesIO()
        Image.fromarray(output).save(buffer, "png")
        return Response(buffer.getvalue(), media_type="image/png")


if __name__ == "__main__":
    api = Dcgan(max_batch_size=16, batch_timeout=0.002)
    litserve.LitServer(api, accelerator="cpu").run(
        port=int(os.environ["PORT"]), log_level="warning", num_api_servers=1, generate_client_file=False
    )
