import numpy as np
import pytest

from hydra_assets.replay.random import normals, philox_4x32


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers_of_its_authors(
    counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]
) -> None:
    arrays = tuple(np.array([word], dtype=np.uint64) for word in counter)
    assert tuple(int(word[0]) for word in philox_4x32(arrays, key)) == words  # type: ignore[arg-type]


def test_a_number_depends_on_its_own_address_only() -> None:
    days = np.arange(100, 160)
    whole = normals(7, ["A", "B", "C"], days)
    assert np.array_equal(normals(7, ["C", "A"], days[13:29]), whole[13:29][:, [2, 0]])
    assert normals(7, ["B"], days[5:6])[0, 0] == whole[5, 1]
    assert not np.isin(normals(8, ["A", "B", "C"], days), whole).any()


def test_the_numbers_are_standard_normal() -> None:
    z = normals(1, [f"M{m}" for m in range(40)], np.arange(5_000))
    n = z.size
    assert abs(z.mean()) < 4.0 / np.sqrt(n)
    assert abs(z.var() - 1.0) < 4.0 * np.sqrt(2.0 / n)
    assert abs((z**4).mean() - 3.0) < 4.0 * np.sqrt(96.0 / n)
    assert abs(np.corrcoef(z[1:, 0], z[:-1, 0])[0, 1]) < 4.0 / np.sqrt(len(z))
    assert abs(np.corrcoef(z[:, 0], z[:, 1])[0, 1]) < 4.0 / np.sqrt(len(z))
