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
# # Your own video
#
# From a video file to a trained network, depth of every frame, and the camera's path. The video here is
# rendered, so that this runs everywhere; put the path of your own into `video`, and the horizontal field of
# view of your camera into `fov` (a phone: about 65 degrees; a dash camera: 80 to 110).

# %%
import tempfile
from pathlib import Path

import numpy as np
from IPython.display import display
from PIL import Image

from selfsup_depth.cli import main
from selfsup_depth.data.trajectory_files import read_trajectory
from selfsup_depth.data.video_writer import VideoWriter
from selfsup_depth.training.path_picture import picture_of_paths

folder = Path(tempfile.mkdtemp())
video, fov = folder / "drive.mp4", 81.5

# %%
options = ["--drives=1", "--frames=30", "--held_out_drives=0"]
assert main(["data", "synthesize", f"--output={folder / 'drive'}", *options]) == 0
frames = sorted((folder / "drive").rglob("image_02/data/*.png"))
with VideoWriter(video, frames_per_second=10) as writer:
    for number, frame in enumerate(frames):
        writer.add(np.asarray(Image.open(frame)), seconds=number / 10)
display(Image.open(frames[0]))

# %% [markdown]
# Video alone: nothing says how fast the camera drove, so depth will be right up to one factor.

# %%
recipe = [f"--config=conf/{name}.yaml" for name in ("method/monodepth2_mono", "small", "data/video")]
small = ["--data.height=64", "--data.width=192", "--trainer.max_steps=60", "--data.num_workers=0"]
start = ["--model.geometric_start.steps=40", "--model.geometric_start.teaching_steps=20"]
data = [f"--data.root={video}", f"--data.fov={fov}"]
assert main(["train", *recipe, *data, f"--run={folder / 'run'}", *small, *start]) == 0

# %%
display(Image.open(sorted((folder / "run" / "pictures").glob("*.png"))[-1]))

# %% [markdown]
# Every frame, a video that shows depth beside the input, and the path. The names say `relative`; where the
# camera's height above the road is known, `--scale-from camera_height=1.65` turns all of it into metres.

# %%
places = [f"--checkpoint={folder / 'run'}", f"--input={video}", f"--output={folder / 'depth'}"]
assert main(["predict", *places, "--poses"]) == 0
print(sorted(path.name for path in (folder / "depth").iterdir()))
display(Image.open(folder / "depth" / "drive" / "000015_inverse_depth.png"))

# %%
path = read_trajectory(folder / "depth" / "drive_poses_relative_kitti.txt")
display(Image.fromarray(picture_of_paths({"predicted": path})).resize((450, 450)))
