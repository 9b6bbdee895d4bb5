"""A desk scene as the account of a real home: what operators' commands work on, without a pipeline."""

from datetime import date
from pathlib import Path

import sqlalchemy as sa

from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig, write_home
from hydra_exec.account_data import AccountData
from hydra_exec.defs.account import AccountParts
from tests.support.desk_scene import FIRST, DeskScene


class SceneParts(AccountParts):
    """The home's account, with the scene's world in place of the lake's frames."""

    scene: DeskScene

    def data(self, first: date, last: date) -> AccountData:
        """Days and tapes of the scene in a range."""
        world = self.scene.world
        days = {day: found for day, found in world.days().items() if first <= day <= last}
        tapes = {day: found for day, found in world.tapes().items() if first <= day <= last}
        return AccountData(days, tapes, dict(world.last_trades))


def scene_parts(home: Path, scene: DeskScene, *, kind: str = "real", mode: str = "paper") -> SceneParts:
    """The scene's account in a home of a folder; ``mode`` live is Interactive Brokers' and never connected."""
    market = "HE" if kind == "real" else "SIM_HE"
    live = {"broker": "ib", "mode": "live", "account": "U1"} if mode == "live" else {}
    config = HomeConfig.model_validate({"kind": kind, "markets": (market,), "history_start": FIRST, "trading": live})
    home.mkdir(parents=True, exist_ok=True)
    write_home(home, config)
    url = scene.engine.url
    assert isinstance(url, sa.URL)
    database = DatabaseResource(url=url.render_as_string(hide_password=False))
    parts = SceneParts(HomeResource(path=str(home)), LakeResource(uri=str(home / "lake")), database, "")
    parts.scene = scene
    return parts
