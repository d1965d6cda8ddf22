import pytest

from iambridge.core.service_account_token import refresh_time


@pytest.mark.parametrize(
    ("life", "jitter", "fraction", "expected"),
    [
        (3600, 0.0, 0.8, 2880),
        (3600, 1.0, 0.8, 2870),
        (86400, 0.0, 0.8, 69120),
        (864000, 0.0, 0.8, 86400),
        (600, 0.0, 0.01, 6),
    ],
)
def test_a_token_is_replaced_at_80_percent_or_a_day(
    life: float, jitter: float, fraction: float, expected: float
) -> None:
    assert refresh_time(1000.0, 1000.0 + life, jitter, fraction=fraction) == pytest.approx(1000.0 + expected)
