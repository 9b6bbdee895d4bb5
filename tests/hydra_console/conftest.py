"""The command, called in the test's own process."""

import os
import sys

import pytest

from hydra_console.cli import app
from tests.support.command import Hydra


@pytest.fixture
def hydra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hydra:
    """The command in this process: exit status, stdout, stderr. A traceback only where it is asked for."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hydra", *arguments])
        code: object = 0
        try:
            app.run()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        assert "Traceback" not in err or "HYDRA_DEBUG" in os.environ
        return (code if isinstance(code, int) else 0), out, err

    return call
