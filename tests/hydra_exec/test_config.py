"""What a home may say of its trading, and what it is told where it may not."""

import pytest
from pydantic import ValidationError

from hydra_exec.config import IbConnection


@pytest.mark.parametrize("prefixes", [[""], ["U"], ["D"], ["DU", "u"], ["dU"], [" DU"]])
def test_a_prefix_that_would_take_real_accounts_for_paper_is_refused(prefixes: list[str]) -> None:
    with pytest.raises(ValidationError, match="paper_prefixes"):
        IbConnection.model_validate({"paper_prefixes": prefixes})


def test_prefixes_of_paper() -> None:
    assert IbConnection.model_validate({"paper_prefixes": ["DU", "DFX"]}).paper_prefixes == ("DU", "DFX")
