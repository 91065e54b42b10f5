"""Features of real photos in the store: methods and cells that evaluate the same photos share them."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from diagen.classifiers import image_features
from diagen.classifiers.image_features import plain_features
from diagen.config.models import BackboneModel
from diagen.files.checkpoints import load_state, save_state
from diagen.files.checksums import checksum
from diagen.files.store_layout import features_path
from diagen.images import require_indexed
from diagen.models.classifier_body import Backbone
from diagen.runtime.fingerprint import fingerprint
from diagen.seeds import stable_hash


def stored_features(
    backbone: Backbone,
    source: BackboneModel,
    paths: Sequence[str],
    hashes: Sequence[str],
    *,
    store: Path,
    size: int,
    micro_batch: int,
    device: torch.device,
) -> Tensor:
    """Features `[n, D]`, float32, of the plain views of image files with these SHA-256, computed unless in `store`.

    `source` is where the frozen `backbone` was loaded from. The file's name is a hash of everything that decides the
    features down to their rounding, so a result does not depend on which job computed them. Raises `InputError` when a
    feature is not finite, or when a photo to be read has another SHA-256.
    """
    code, weights = fingerprint(Path(image_features.__file__)), source.sha256 or checksum(source.location)
    rounding = (micro_batch, torch.get_num_threads(), device.type, torch.__version__)
    file = features_path(store, stable_hash(code, weights, size, *rounding, *hashes))
    if found := load_state(file):
        return found[0]["features"]
    require_indexed(paths, hashes)  # or the store would keep features of a replaced photo as those of the indexed one
    features = plain_features(backbone, paths, size=size, micro_batch=micro_batch, device=device)
    save_state(file, {"features": features}, {})
    return features
