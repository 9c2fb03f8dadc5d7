"""How long is waited, for whom, and when it is given up."""

import pytest

from hgld.http.patience import HttpPolicy, Patience, retry_after_s

_DATE = "Wed, 25 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("Wed, 25 Nov 2026 10:00:30 GMT", 30.0),
        ("Wed, 25 Nov 2026 09:59:30 GMT", 0.0),
    ],
)
def test_both_forms_of_retry_after_are_read(header: str, seconds: float) -> None:
    assert retry_after_s({"Retry-After": header, "Date": _DATE}) == seconds


@pytest.mark.parametrize(
    "header", ["", "soon", "-5", "1.5.2", "²", "Wed, 99 Nov 2026 10:00:30 GMT"]
)
def test_a_malformed_retry_after_names_no_time(header: str) -> None:
    assert retry_after_s({"Retry-After": header, "Date": _DATE}) is None


def test_a_date_is_read_against_the_servers_clock_not_ours() -> None:
    # Ours may be years off: the server says what time it is.
    headers = {
        "Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT",
        "Date": "Thu, 01 Jan 1970 00:00:00 GMT",
    }
    assert retry_after_s(headers) == 60.0


def test_waits_after_faults_double_and_end(waits: list[float]) -> None:
    patience = Patience(HttpPolicy(attempts=4, backoff_s=1.0), "http://example.org")
    assert [patience.fault("broken") for _ in range(4)] == [True, True, True, False]
    assert waits == [1.0, 2.0, 4.0]


def test_no_wait_without_a_header_is_longer_than_a_minute(waits: list[float]) -> None:
    patience = Patience(HttpPolicy(attempts=12, backoff_s=1.0), "http://example.org")
    while patience.fault("broken"):
        pass
    assert max(waits) == 60.0


def test_a_busy_server_is_waited_for_as_it_says(waits: list[float]) -> None:
    patience = Patience(HttpPolicy(backoff_s=1.0), "http://example.org")
    assert patience.busy("busy", {"Retry-After": "7"})
    assert waits == [7.0]


def test_a_date_just_past_does_not_cause_a_storm_of_requests(waits: list[float]) -> None:
    patience = Patience(HttpPolicy(backoff_s=1.0), "http://example.org")
    assert patience.busy("busy", {"Retry-After": "0"})
    assert waits == [1.0]


def test_a_wait_longer_than_the_patience_is_not_begun(waits: list[float]) -> None:
    patience = Patience(HttpPolicy(patience_s=100.0), "http://example.org")
    assert not patience.busy("busy", {"Retry-After": "86400"})
    assert waits == []


def test_patience_is_for_all_waits_of_a_request_together(waits: list[float]) -> None:
    patience = Patience(HttpPolicy(patience_s=100.0), "http://example.org")
    answers = [patience.busy("busy", {"Retry-After": "40"}) for _ in range(3)]
    assert answers == [True, True, False]
    assert waits == [40.0, 40.0]


def test_each_wait_is_a_warning_with_the_address(
    waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    Patience(HttpPolicy(), "http://example.org/w/").busy("answered 429", {"Retry-After": "7"})
    assert waits == [7.0]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "http://example.org/w/" in record.getMessage()
