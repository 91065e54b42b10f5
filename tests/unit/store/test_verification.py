"""Which files `verify_results` accepts; tests/workflow/test_damage.py has the damage that it finds."""

import pytest

from diagen.classifiers.trained_file import Epoch, write_history
from diagen.files.tables import DamagedFile
from diagen.store.verification import READERS


@pytest.mark.parametrize("place", ["guide_classifiers/*/history.csv", "downstream/*/history.csv"])
def test_a_history_without_validation_is_whole(place, tmp_path):
    path = tmp_path / "history.csv"
    write_history([Epoch(1, 0.5, None, None), Epoch(2, 0.25, None, None)], path)
    READERS[place](path)
    path.write_text(path.read_text().replace("0.25", ""))
    with pytest.raises(DamagedFile, match="line 3: could not convert"):
        READERS[place](path)
