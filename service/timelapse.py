"""A job's previews in order as one moving picture, of bounded size, made once for the same previews."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from fastapi import Response
from PIL import Image

from gan.errors import NotFound
from gan.images import ANIMATIONS, Pixels, scaled
from gan.spacing import evenly
from ledger import records
from service.headers import matches
from service.house import House
from service.kept import Picture
from service.negotiation import negotiate

FORMS: Final = ("webp", "gif", "apng")
"""Of `ANIMATIONS`, the server's own choice first."""
TYPES: Final = tuple(ANIMATIONS[form].media_type for form in FORMS)

MOST_FRAMES: Final = 120
LONGEST_SIDE: Final = 640
"""Pixels: larger previews are reduced."""
MOST_PIXELS: Final = 2**24
"""Of all frames together, which are in memory at once (some hundred MB while they are encoded)."""
FEWEST_FRAMES: Final = 2
"""Of a moving picture; a single preview is shown twice."""

FPS: Final = 8.0
FPS_BOUNDS: Final = (0.1, 60.0)


@dataclass(frozen=True)
class Lapse:
    """The previews that are shown, of height × width pixels each; `tag` is another where any of them is."""

    files: tuple[Path, ...]
    size: tuple[int, int]
    mode: str
    tag: str


async def shown_timelapse(house: House, job: str, accept: str, fps: float, if_none_match: str | None) -> Response:
    """The previews of a job as an animation. Raises NotFound, NotAcceptable."""
    form = FORMS[negotiate(accept, TYPES, "a time-lapse")]
    lapse = await house.read(lapse_of, house, job)
    etag = f'"{lapse.tag}.{form}.{fps:g}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept"}
    if matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    content = await made(house, etag, lapse, form, fps)
    return Response(content, media_type=ANIMATIONS[form].media_type, headers=headers)


async def made(house: House, key: str, lapse: Lapse, form: str, fps: float) -> bytes:
    """The animation: kept from before, or made now, one at a time."""
    async with house.moving:
        kept = house.kept.get(key)
        if kept is not None:
            return kept.body
        content = await house.scan(drawn, lapse, form, fps)
        house.kept.put(key, Picture(content, ANIMATIONS[form].media_type, {}))
        return content


def lapse_of(house: House, job: str) -> Lapse:
    """The previews of a job that are shown: all, or as many as may be, evenly chosen. Raises NotFound."""
    house.jobs.get(job)
    there = [path for path in map(house.storage.path, map(path_of, house.jobs.previews(job))) if path.is_file()]
    if not there:
        raise NotFound(f"job {job} has no previews")
    try:
        with Image.open(there[-1]) as newest:
            size, mode = scaled(newest.height, newest.width, min(LONGEST_SIDE, max(newest.size))), newest.mode
        most = max(FEWEST_FRAMES, min(MOST_FRAMES, MOST_PIXELS // (size[0] * size[1])))
        files = tuple(there[place] for place in evenly(len(there), most))
        facts = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    except OSError as error:
        raise NotFound(f"a preview of job {job} cannot be read") from error
    return Lapse(files, size, mode, sha256(repr(facts).encode()).hexdigest()[:32])


def path_of(row: records.Preview) -> str:
    """Where a preview lies below the storage root."""
    return row.path


def drawn(lapse: Lapse, form: str, fps: float) -> bytes:
    """The animation's bytes. Raises NotFound where a file has gone meanwhile."""
    try:
        frames = [pixels(path, lapse) for path in lapse.files]
    except OSError as error:
        raise NotFound("a preview was deleted while it was read") from error
    return ANIMATIONS[form].encode(frames * (FEWEST_FRAMES if len(frames) == 1 else 1), fps)


def pixels(path: Path, lapse: Lapse) -> Pixels:
    """A preview as (H, W, C), in size and channels like the newest."""
    height, width = lapse.size
    with Image.open(path) as opened:
        picture = opened.convert(lapse.mode)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture, dtype=np.uint8).reshape(height, width, -1)
