"""Checkpoint files: whole or not at all, sealed with the hash of their content, and finite."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import torch
from pytorch_lightning.plugins.io import CheckpointIO
from torch import Tensor

from selfsup_depth.errors import CheckpointError, NumericError, SelfsupDepthError, StorageError, first_line
from selfsup_depth.training.storage import check_space, part_of, sync_folder

# Follows torch's zip archive, whose readers ignore what comes after it; then 64 hexadecimal digits.
SEAL = b"\nselfsup-depth sha256 "
SEAL_LENGTH = len(SEAL) + 64
CHUNK = 1 << 20
# What an archive holds besides its tensors: names, counters, the configuration.
OVERHEAD_BYTES = 1 << 20

TRAINED_KEYS = ("state_dict", "optimizer_states")


class SealedCheckpoints(CheckpointIO):
    """Lightning's way to the disk, with plain paths of the operating system."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint; see `write_sealed`.

        Raises:
            NumericError: a weight is not finite; nothing is written.
            StorageError: it cannot be written; what was there before stays.
        """
        refuse_non_finite(checkpoint, Path(path))
        write_sealed(checkpoint, Path(path))

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint to the CPU; never runs code in it, whatever is asked for."""
        return dict(read_sealed(Path(path)))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a file that is no longer kept."""
        Path(path).unlink(missing_ok=True)


class _Hashing:
    """A stream that hashes what passes.

    torch's archive writer turns an exception of its stream into another one without cause, so
    the first failure is kept, and what follows it is swallowed.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.hash = hashlib.sha256()
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        if self.failure is None:
            self.hash.update(data)
            try:
                self.stream.write(data)
            except OSError as error:
                self.failure = error
        return len(data)

    def flush(self) -> None:
        """Torch asks for it; `write_sealed` flushes once, at the end."""


def write_sealed(content: Any, file: Path) -> None:
    """Write a checkpoint so that at every moment the old or the new one is there, whole.

    Args:
        content: tensors and plain values.
        file: where; replaced if it exists, in the folder itself, never by way of another disk.

    Raises:
        StorageError: no space, no permission, no folder; the old file stays.
    """
    part = part_of(file)
    try:
        check_space(file.parent, size_of(content), file)
        with part.open("wb") as stream:
            hashing = _Hashing(stream)
            torch.save(content, cast(IO[bytes], hashing))
            if hashing.failure is not None:
                raise hashing.failure
            stream.write(SEAL + hashing.hash.hexdigest().encode("ascii"))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, file)
        sync_folder(file.parent)
    except OSError as error:
        raise StorageError(
            f"checkpoint not saved ({error.strerror or error}), in {file}; the one before is kept, "
            "free space or permit writing and use --resume"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def read_sealed(file: Path) -> Any:
    """The content of a checkpoint whose hash is right; nothing in it is ever run.

    Raises:
        CheckpointError: it cannot be read, is damaged, or was not written by `write_sealed`.
    """
    try:
        with file.open("rb") as stream:
            _check_seal(stream, file)
            stream.seek(0)
            # Said explicitly: an environment variable can change the default.
            return torch.load(stream, map_location="cpu", weights_only=True)
    except SelfsupDepthError:
        raise
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"more than tensors and plain values, nothing of it was run, in {file}; give one `train` wrote"
        ) from None
    except Exception as error:
        reason = first_line(error)[:80]
        raise CheckpointError(f"unreadable checkpoint ({reason}), in {file}; give another file") from None


def _check_seal(stream: IO[bytes], file: Path) -> None:
    """Compare the content with its hash."""
    left = max(0, os.fstat(stream.fileno()).st_size - SEAL_LENGTH)
    stream.seek(left)
    seal = stream.read(SEAL_LENGTH)
    if not seal.startswith(SEAL):
        raise CheckpointError(
            f"no content hash at its end, cut off or not a checkpoint of selfsup-depth, in {file}; "
            "give a whole one that `train` wrote"
        )
    stream.seek(0)
    found = hashlib.sha256()
    while left and (data := stream.read(min(CHUNK, left))):
        found.update(data)
        left -= len(data)
    if found.hexdigest().encode("ascii") != seal[len(SEAL) :]:
        raise CheckpointError(
            f"damaged checkpoint, its content differs from its hash, in {file}; use another one or a copy"
        )


def refuse_non_finite(checkpoint: dict[str, Any], file: Path) -> None:
    """Let no weight and no state of the optimizer that is NaN or infinite reach the disk.

    Raises:
        NumericError: naming the tensor.
    """
    for key in TRAINED_KEYS:
        held = [
            (name, tensor)
            for name, tensor in tensors_in(checkpoint.get(key), key)
            if tensor.is_floating_point()
        ]
        if not held or bool(torch.stack(_norms(held)).isfinite().all()):
            continue
        # A norm of large numbers overflows, too: which tensor it is, and whether, is asked of each.
        for name, tensor in held:
            if not bool(torch.isfinite(tensor).all()):
                raise NumericError(
                    f"{name} is not finite, so nothing is saved, in {file}; --resume goes on from the last "
                    "good checkpoint, a smaller --optimizer.learning_rate may help"
                )


def _norms(tensors: list[tuple[str, Tensor]]) -> list[Tensor]:
    """One pass over each tensor, ten times faster than asking each number; on the CPU."""
    return [norm.cpu().double() for norm in torch._foreach_norm([tensor for _, tensor in tensors])]


def size_of(content: Any) -> int:
    """Bytes that the file will need, a little more rather than less."""
    return OVERHEAD_BYTES + sum(tensor.nbytes for _, tensor in tensors_in(content))


def tensors_in(content: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of nested dictionaries and lists, with their places."""
    if isinstance(content, Tensor):
        yield name, content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from tensors_in(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            yield from tensors_in(value, f"{name}.{index}")
