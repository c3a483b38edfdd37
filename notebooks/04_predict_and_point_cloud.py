# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Predict, and look at it in space
#
# Depth files, and a coloured point cloud. Give `checkpoint` a run of your own; here one is trained in
# seconds, from the pairs of a rendered street, so the cloud is coarse.

# %%
import json
import tempfile
from pathlib import Path

import numpy as np
from IPython.display import display
from PIL import Image

from selfsup_depth.cli import main

folder = Path(tempfile.mkdtemp())
checkpoint = folder / "run"

# %%
small = ["--data.height=64", "--data.width=192", "--trainer.max_steps=15", "--data.num_workers=0"]
drives = [f"--data.layout.options.{option}" for option in ("drives=2", "frames=6", "held_out_drives=1")]
places = [f"--data.root={folder / 'drive'}", f"--run={checkpoint}"]
assert main(["train", "--config=conf/demo.yaml", *places, *small, *drives]) == 0

# %%
photo = sorted((folder / "drive").rglob("image_02/data/*.png"))[-1]
command = ["predict", f"--checkpoint={checkpoint}", f"--input={photo}", f"--output={folder / 'out'}"]
assert main([*command, "--npy", "--ply", "--max-depth=40"]) == 0
print(sorted(path.name for path in (folder / "out").iterdir()))
display(Image.open(photo), Image.open(folder / "out" / f"{photo.stem}_inverse_depth.png"))

# %% [markdown]
# The 16-bit PNG holds metres times 256, and says so itself.

# %%
stored = Image.open(folder / "out" / f"{photo.stem}_depth.png")
print(json.dumps(json.loads(stored.text["selfsup_depth"]), indent=1))
print(f"middle of the picture: {np.asarray(stored)[64, 208] / 256:.2f} m")

# %% [markdown]
# The point cloud opens in MeshLab, CloudCompare or Blender. From above, the camera at the bottom, 20 m to
# either side and 40 m ahead, brighter where there are more points:

# %%
header, _, body = (folder / "out" / f"{photo.stem}.ply").read_bytes().partition(b"end_header\n")
vertices = np.frombuffer(body, np.dtype([("point", "<f4", 3), ("colour", "u1", 3)]))
x, y, z = vertices["point"].T
above, *_ = np.histogram2d(-z, x, bins=(200, 200), range=((-40, 0), (-20, 20)))
display(Image.fromarray((np.sqrt(above / above.max()) * 255).astype(np.uint8)).resize((600, 600)))
print(len(vertices), "points")
