"""A plain FastAPI route before the generator, as most people would write it."""

import io
import os

import torch
import uvicorn
from fastapi import FastAPI, Response
from PIL import Image

from gan.checkpoint import load_generator

app = FastAPI()
loaded = load_generator(os.environ["CHECKPOINT"])


@app.get("/images/{seed}.png")
def draw(seed: int) -> Response:
    """One picture of one seed."""
    z = torch.randn(1, loaded.header.network.latent_dim, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        x = loaded.module(z)[0]
    pixels = ((x.permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return Response(buffer.getvalue(), media_type="image/png")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning")
