"""Folders of images: one folder for each class, PNG or JPEG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnas.data.preparation import ResizeStep
from selfnas.data.raw import Fetch, Part, RawData
from selfnas.data.spec import TaskSpec
from selfnas.errors import InputError

__all__ = ["read_folder"]

_ENDINGS = (".png", ".jpg", ".jpeg")
_PARTS = {"train": "x", "validation": "validation", "test": "test"}
_MODES = {"1": "L", "L": "L", "I;16": "I;16", "P": "RGB", "RGB": "RGB", "RGBA": "RGB", "LA": "L", "CMYK": "RGB"}
_MOST_FILES = 1_000_000
_MOST_PIXELS = 2**26  # of one image
_AT_ONCE = 64  # images
_Size = tuple[int, int]


def read_folder(path: Path, spec: TaskSpec) -> RawData:
    """`path/CLASS/*.png`, or `path/train/CLASS/*.png` with `test` and perhaps `validation` beside `train`.

    Images become grey or colour, as all of them can be; transparency is dropped. Images of unequal sizes need `resize`,
    and are averaged to that many pixels a side, whatever their proportions.

    Raises:
        InputError: no such folder, no images in it, an image that cannot be read, or unequal sizes without `resize`.
    """
    if not path.is_dir():
        raise InputError(f"{path} is {'not a folder' if path.exists() else 'no such folder'}")
    roots = _roots(path)
    if spec.target is not None and spec.target.kind not in ("classification", "ordinal"):
        raise InputError(f"target: folders are classes, and {spec.target.kind} asks for something else")
    files = {part: _files(root) for part, root in roots.items()}
    names = sorted({name for held in files.values() for name, _ in held})
    places = [file for held in files.values() for _, file in held]
    if not places:
        raise InputError(f"{path}: no images; one folder for each class holds them, as {', '.join(_ENDINGS)}")
    if len(places) > _MOST_FILES:
        raise InputError(f"{path}: {len(places):,} images: at most {_MOST_FILES:,} are read")
    looked = [_look(file) for file in places]
    sizes, colour = sorted({size for size, _ in looked}), any(mode == "RGB" for _, mode in looked)
    if len(sizes) > 1 and spec.resize is None:
        (low, high) = sizes[0], sizes[-1]
        raise InputError(
            f"{path}: images of unequal sizes, from {low[1]}×{low[0]} to {high[1]}×{high[0]} pixels: `resize` makes "
            "them equal"
        )
    least = min(min(size) for size in sizes)
    if spec.resize is not None and spec.resize > least:
        raise InputError(f"resize: cannot make {spec.resize} out of a side of {least}: at most {least}")
    return _data(spec, files, names, sizes, colour=colour)


def _data(
    spec: TaskSpec, files: dict[str, list[tuple[str, Path]]], names: Sequence[str], sizes: list[_Size], *, colour: bool
) -> RawData:
    """What the files are as a source; images are read when they are asked for."""
    order = list((spec.target.order if spec.target else None) or names)
    if sorted(order) != list(names):
        raise InputError(f"order lists {', '.join(order[:12])}; the folders are {', '.join(names[:12])}")
    numbers = {name: number for number, name in enumerate(order)}
    unequal, channels = len(sizes) > 1, 3 if colour else 1
    width, height = sizes[0]
    side = (spec.resize, spec.resize) if unequal and spec.resize else (height, width)
    dtype = np.dtype(np.float32) if unequal else np.dtype(np.uint8)
    parts: dict[str, Part] = {}
    for part, held in files.items():
        x = np.broadcast_to(np.zeros((), dtype), (len(held), channels, *side))
        parts[part] = (x, np.array([numbers[name] for name, _ in held], dtype=np.int64))
    note = (
        f"images from {sizes[0][1]}×{sizes[0][0]} to {sizes[-1][1]}×{sizes[-1][0]} pixels averaged to one square"
        if unequal
        else ""
    )
    return RawData(
        kind="image",
        x=parts["x"][0],
        y=parts["x"][1],
        test=parts.get("test"),
        validation=parts.get("validation"),
        labels=tuple(order),
        target=spec.target.kind if spec.target else "classification",
        axes="hwc" if colour else "hw",
        notes=(note,) if note else (),
        fetch=_fetch(
            {part: [file for _, file in held] for part, held in files.items()}, side, colour=colour, own=not unequal
        ),
        shape=(*((0, 0) if unequal else side), *((channels,) if colour else ())),
    )


def _roots(path: Path) -> dict[str, Path]:
    """The folder of each part: those called train, validation and test, or the one folder alone."""
    held = sorted(each for each in path.iterdir() if each.is_dir())
    if not any(each.name == "train" and any(inner.is_dir() for inner in each.iterdir()) for each in held):
        return {"x": path}
    odd = [each.name for each in held if each.name not in _PARTS]
    if odd:
        raise InputError(f"{path} has the folders train and {odd[0]}: beside train there may be validation and test")
    return {_PARTS[each.name]: each for each in held}


def _files(root: Path) -> list[tuple[str, Path]]:
    """Class and place of every image, in the order of their names."""
    found = []
    for folder in sorted(each for each in root.iterdir() if each.is_dir()):
        found += [(folder.name, file) for file in sorted(folder.iterdir()) if file.suffix.lower() in _ENDINGS]
    return found


def _look(file: Path) -> tuple[_Size, str]:
    """Width and height, and the mode it is read in, from the header alone."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            size, mode = image.size, image.mode
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} is no image that can be read: {type(error).__name__}") from error
    if mode not in _MODES or mode == "I;16":
        raise InputError(f"{file} is stored as {mode}: need 8-bit grey or colour")
    if size[0] * size[1] > _MOST_PIXELS:
        raise InputError(f"{file} has {size[0]}×{size[1]} pixels: at most {_MOST_PIXELS:,} are read")
    return size, _MODES[mode]


def _fetch(files: dict[str, list[Path]], side: _Size, *, colour: bool, own: bool) -> Fetch:
    """What reads chosen images as `(b, channels, h, w)`, averaged to one size where they differ."""

    def fetch(part: str, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
        for start in range(0, len(rows), _AT_ONCE):
            images = [_image(files[part][row], colour=colour) for row in rows[start : start + _AT_ONCE]]
            yield np.stack(images if own else [ResizeStep(size=side).apply(image[None])[0] for image in images])

    return fetch


def _image(file: Path, *, colour: bool) -> NDArray[np.uint8]:
    """`(channels, h, w)`."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGB" if colour else "L"), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{file} is damaged: {type(error).__name__}") from error
    return pixels.transpose(2, 0, 1) if colour else pixels[None]
