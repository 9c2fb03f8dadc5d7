"""The browser that all tests of a worker share."""

import asyncio

import pytest


async def _answer() -> int:
    process = await asyncio.create_subprocess_exec("true")
    return await process.wait()


@pytest.mark.usefixtures("_started_chromium")
def test_other_loops_run_between_the_tests_that_use_it(request: pytest.FixtureRequest) -> None:
    assert asyncio.run(_answer()) == 0
    page = request.getfixturevalue("chromium").new_page()
    assert page.evaluate("() => 6 * 7") == 42
    page.close()
