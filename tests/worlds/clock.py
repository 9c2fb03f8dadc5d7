"""A clock that stands but for those who set it or sleep."""


class Clock:
    """Stands for the module `time`."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
