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
# # Train on a synthetic drive
#
# A street is rendered, a network learns from it without ever being shown a depth, and is then asked for the
# depth of pictures that it has not seen. Shortened to less than two minutes on a CPU, so the result is
# coarse; `make train` gives the same recipe its 400 steps.

# %%
import csv
import json
import tempfile
from pathlib import Path

from IPython.display import display
from PIL import Image

import selfsup_depth
from selfsup_depth.cli import main
from selfsup_depth.training.prediction_files import picture_of

folder = Path(tempfile.mkdtemp())  # any folder will do; runs/first, for instance

# %% [markdown]
# Every option of every constructor is a flag: smaller pictures, fewer drives and steps than
# `conf/demo.yaml` says.

# %%
small = ["--data.height=64", "--data.width=192", "--trainer.max_steps=60", "--data.num_workers=0"]
drives = [f"--data.layout.options.{option}" for option in ("drives=4", "frames=10", "held_out_drives=1")]
places = [f"--data.root={folder / 'drive'}", f"--run={folder / 'run'}"]
assert main(["train", "--config=conf/demo.yaml", *places, *small, *drives]) == 0

# %% [markdown]
# What the network learned from, at the first step and at the last: the target view, its inverse depth, the
# target rebuilt from another view through that depth, and the error of the rebuilding.

# %%
pictures = sorted((folder / "run" / "pictures").glob("*.png"))
for picture in (pictures[0], pictures[-1]):
    display(Image.open(picture))

# %% [markdown]
# The loss, and the errors in metres on the drive that was held out, beside those of a constant depth.

# %%
for row in csv.DictReader((folder / "run" / "metrics.csv").open()):
    if row["loss/total"]:
        print(
            *(f"{name} {float(row[name]):.4g}" for name in ("step", "loss/total", "loss/photometric")),
            sep="   ",
        )
metrics = json.loads((folder / "run" / "evaluation.json").read_text())
print({name: round(metrics["metrics"][name], 3) for name in ("abs_rel", "rmse", "a1")})

# %% [markdown]
# A trained network is one line away from any picture.

# %%
model = selfsup_depth.load(folder / "run")
frame = Image.open(sorted((folder / "drive").rglob("image_02/data/*.png"))[-1])
prediction = model.predict(frame)
print(
    prediction.scale,
    prediction.depth.shape,
    f"{prediction.depth.min():.1f} to {prediction.depth.max():.1f} m",
)
display(frame, Image.fromarray(picture_of(prediction)))
