"""Makes the pictures in `pictures/` and Pillow's numbers for them in `pictures.json`.

    pip install numpy==2.4.6 pillow==13.0.0
    python make_pictures.py

The pictures are drawn from formulas: nothing is downloaded. Pillow's WebP and JPEG encoders are used, so that another
Pillow may write other bytes; the numbers always belong to the bytes written beside them. Tensors are made as
torchvision makes them (Resize, CenterCrop, ToTensor, Normalize), written out in numpy.
"""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).parent
FOLDER = HERE / "pictures"
FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}


def scene(width, height, seed):
    """Smooth shading, hard edges and a little texture: what resampling gets wrong shows on edges."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = x / width, y / height
    shade = np.stack([0.5 + 0.4 * np.sin(6 * u + c + seed) * np.cos(5 * v - c) for c in range(3)], -1)
    disc = (u - 0.6) ** 2 + (v * height / width - 0.35) ** 2 < 0.04
    shade[disc] = [0.95, 0.9, 0.1]
    shade[(np.abs(x - y) < 2)] = 0.02
    shade[(x.astype(int) // 6 + y.astype(int) // 6) % 2 * (v > 0.8) > 0] = 1.0
    noise = rng.normal(0, 0.015, (height, width, 1))
    return np.clip((shade + noise) * 255 + 0.5, 0, 255).astype(np.uint8)


def make_pictures():
    FOLDER.mkdir(exist_ok=True)

    def save(name, image, **options):
        image.save(FOLDER / name, **options)

    rgb = Image.fromarray(scene(97, 71, 1))
    save("rgb.png", rgb, optimize=True)
    save("gray.png", rgb.convert("L"), optimize=True)
    save("palette.png", rgb.quantize(32), optimize=True)
    alpha = np.dstack([scene(61, 80, 2), np.tile(np.arange(61, dtype=np.uint8) * 4, (80, 1))])
    save("rgba.png", Image.fromarray(alpha), optimize=True)
    save("rgb.bmp", Image.fromarray(scene(40, 31, 3)))
    save("lossless.webp", rgb, lossless=True)
    save("lossy.webp", rgb, quality=90)
    save("line.png", Image.fromarray(scene(200, 1, 4)))
    photo = Image.fromarray(scene(183, 131, 5))
    save("444.jpg", photo, quality=92, subsampling=0)
    save("420.jpg", photo, quality=85, subsampling=2)
    save("progressive.jpg", photo, quality=85, progressive=True)
    save("gray.jpg", photo.convert("L"), quality=85)
    save("cmyk.jpg", photo.convert("CMYK"), quality=90)
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"orientation-{orientation}.jpg", Image.fromarray(scene(48, 32, 6)), quality=90, exif=exif)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("orientation-6.png", Image.fromarray(scene(20, 12, 7)), exif=exif)
    frames = [Image.fromarray(scene(32, 24, s)) for s in (8, 9)]
    save("animated.webp", frames[0], save_all=True, append_images=frames[1:], lossless=True)
    save("animated.png", frames[0], save_all=True, append_images=frames[1:])
    data = io.BytesIO()
    photo.save(data, "jpeg", quality=85)
    (FOLDER / "truncated.jpg").write_bytes(data.getvalue()[:-400])
    data = (FOLDER / "rgb.png").read_bytes()
    (FOLDER / "truncated.png").write_bytes(data[: len(data) // 2])


def tensor(image, *, size, resize="shortest-edge", resize_to=None, interpolation="bilinear", color="rgb", range_=1,
           mean=(0, 0, 0), std=(1, 1, 1), layout="nchw", pad_value=0):
    image = image.convert("L" if color == "gray" else "RGB")
    (w, h), (height, width), kernel = image.size, size, FILTERS[interpolation]
    if resize == "stretch":
        image = image.resize((width, height), kernel)
    elif resize == "letterbox":
        fill = (pad_value,) * len(image.getbands())
        image = ImageOps.pad(image, (width, height), kernel, color=fill if len(fill) > 1 else pad_value)
    else:
        to = (resize_to, int(resize_to * h / w)) if w <= h else (int(resize_to * w / h), resize_to)
        image = image.resize(to, kernel)
        left, top = int(round((to[0] - width) / 2.0)), int(round((to[1] - height) / 2.0))
        image = image.crop((left, top, left + width, top + height))
    array = np.asarray(image, dtype=np.float32).reshape(height, width, -1)
    if color == "bgr":
        array = array[:, :, ::-1]
    channels = array.shape[2]
    array = (array * np.float32(range_ / 255) - np.float32(mean[:channels])) / np.float32(std[:channels])
    return array.transpose(2, 0, 1) if layout == "nchw" else array


SETTINGS = {
    "imagenet": dict(size=(56, 56), resize_to=64, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "bicubic-nhwc": dict(size=(33, 48), resize_to=49, interpolation="bicubic", layout="nhwc", range_=255),
    "lanczos-bgr": dict(size=(40, 40), resize="stretch", interpolation="lanczos", color="bgr", range_=255, mean=(104, 117, 123)),
    "letterbox": dict(size=(64, 48), resize="letterbox", pad_value=114, mean=(0.5,) * 3, std=(0.5,) * 3),
    "gray": dict(size=(24, 30), resize="stretch", color="gray", mean=(0.4,) * 3, std=(0.3,) * 3),
    "enlarged": dict(size=(150, 170), resize_to=175, range_=255, interpolation="bicubic"),
}


def describe(array):
    """Shape, mean and standard deviation of the whole, and every value of a sparse grid in memory order."""
    flat = np.ascontiguousarray(array).reshape(-1).astype(np.float64)
    step = max(1, len(flat) // 97)
    return {"mean": round(flat.mean(), 5), "deviation": round(flat.std(), 5), "step": step,
            "values": [round(float(v), 4) for v in flat[::step]], "length": len(flat)}


def main():
    make_pictures()
    pixels, tensors = {}, []
    for path in sorted(FOLDER.iterdir()):
        if path.name.startswith("truncated"):
            continue
        upright = ImageOps.exif_transpose(Image.open(path))
        rgb = np.asarray(upright.convert("RGB"))
        pixels[path.name] = {"width": rgb.shape[1], "height": rgb.shape[0], **describe(rgb)}
        if path.name in ("rgb.png", "gray.png", "rgba.png", "rgb.bmp", "420.jpg", "orientation-6.jpg"):
            for name, settings in SETTINGS.items():
                tensors.append({"file": path.name, "setting": name, **describe(tensor(upright.convert("RGB"), **settings))})
    text = json.dumps({"pixels": pixels, "tensors": tensors}, separators=(",", ":"))
    (HERE / "pictures.json").write_text(text.replace('},"', '},\n"').replace("},{", "},\n{") + "\n")


if __name__ == "__main__":
    main()
