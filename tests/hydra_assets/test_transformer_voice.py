"""A home that names a transformer has its headlines read by it; a directory that holds none is named."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from hydra_assets.defs import signals
from hydra_assets.defs.jobs import DATASETS_JOB, range_tags
from hydra_assets.sentiment.text_classifier import TransformerError
from tests.support.pipeline import make_pipeline

FIRST, LAST = date(2025, 6, 2), date(2025, 6, 20)


class Optimist:
    """Reads every text as good news."""

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.ones(len(texts))


def scores(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch, transformer: str | None) -> pl.DataFrame:
    monkeypatch.setenv("HYDRA_NOW", "2025-06-21T12:00:00+00:00")
    config = {"kind": "simulated", "markets": ["SIM_HE"], "history_start": FIRST, "transformer": transformer}
    home = make_pipeline(folder, config, url, monkeypatch)
    for dataset in ("raw_headlines", "headline_scores"):
        result = home.definitions.resolve_job_def(DATASETS_JOB).execute_in_process(
            instance=home.instance, tags=range_tags(["SIM_HE"], FIRST, LAST), asset_selection=[dg.AssetKey(dataset)]
        )
        assert result.success
    return home.lake.read("headline_scores").drop_nulls("headline_score")


def test_the_named_transformer_is_asked(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without = scores(tmp_path / "home", database_url, monkeypatch, None)
    asked: list[Path] = []

    def load(directory: Path) -> Optimist:
        asked.append(directory)
        return Optimist()

    monkeypatch.setattr(signals, "load_transformer", load)
    signals._loaded.cache_clear()
    told = scores(tmp_path / "home", database_url, monkeypatch, "finbert")
    assert asked == [tmp_path / "home" / "finbert"]
    both = told.join(without, on=["market", "session"], suffix="_without", validate="1:1")
    assert both.height == without.height > 5
    assert (both["headline_score"] > both["headline_score_without"]).all()
    signals._loaded.cache_clear()


def test_a_directory_that_holds_none_is_named(tmp_path: Path) -> None:
    signals._loaded.cache_clear()
    with pytest.raises(TransformerError, match=r"holds no transformer: config\.json"):
        signals._loaded(tmp_path)
