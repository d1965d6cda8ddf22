"""Counters, gauges and histograms in Prometheus' text exposition format 0.0.4, for one thread."""

from collections.abc import Iterable, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counter:
    """A counter (or with `kind="gauge"` a gauge) with fixed label names."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), *, kind: str = "counter") -> None:
        self._name = name
        self._head = f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
        self._labels = tuple(labels)
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0}

    def add(self, *labels: str, amount: float = 1) -> None:
        self._values[labels] = self._values.get(labels, 0) + amount

    def set(self, value: float, *labels: str) -> None:
        self._values[labels] = value

    def get(self, *labels: str) -> float:
        return self._values.get(labels, 0)

    def render(self) -> str:
        lines = [
            f"{self._name}{_braces(self._labels, labels)} {_number(value)}\n" for labels, value in self._values.items()
        ]
        return self._head + "".join(lines)


class Histogram:
    """Cumulative buckets up to `bounds` (ascending), then +Inf, with fixed label names."""

    def __init__(self, name: str, text: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self._name = name
        self._head = f"# HELP {name} {text}\n# TYPE {name} histogram\n"
        self._bounds = tuple(bounds)
        self._labels = tuple(labels)
        self._series: dict[tuple[str, ...], _Series] = {} if labels else {(): _Series(len(self._bounds) + 1)}

    def observe(self, value: float, *labels: str) -> None:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = _Series(len(self._bounds) + 1)
        series.sum += value
        for index, bound in enumerate(self._bounds):
            if value <= bound:
                series.counts[index] += 1
                return
        series.counts[-1] += 1

    def render(self) -> str:
        lines = []
        for labels, series in self._series.items():
            total = 0
            for bound, count in zip((*map(_number, self._bounds), "+Inf"), series.counts, strict=True):
                total += count
                braces = _braces((*self._labels, "le"), (*labels, bound))
                lines.append(f"{self._name}_bucket{braces} {total}\n")
            braces = _braces(self._labels, labels)
            lines.append(f"{self._name}_sum{braces} {series.sum:.9g}\n{self._name}_count{braces} {total}\n")
        return self._head + "".join(lines)


class _Series:
    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0


def render(metrics: Iterable[Counter | Histogram]) -> bytes:
    return "".join(metric.render() for metric in metrics).encode()


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
