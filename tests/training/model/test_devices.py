import pytest

from hgld.errors import InputError
from hgld.training.model.devices import choose_device


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="device 'warp' is not there"):
        choose_device("warp")
