"""What a report shows of rows: reconstructions, the points of the map, and what each number of a code does."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.colours import colours_of
from isthmus.pages import data_url
from isthmus.pictures import Shades, png, sheet, shrunk
from isthmus.plots.codes import grouped
from isthmus.plots.plane import plane_of
from isthmus.report.sample import Sample

_QUANTILES = (0, 0.25, 0.5, 0.75, 0.9, 0.97, 0.995, 1)
_POINTS, _SHEET_BYTES, _SIDE = 2_500, 900_000, 32
_STEPS, _COLUMNS, _WORST = 11, 8, 5
_CLASSES = 20
Values = dict[str, Any]


class Drawing:
    """Draws rows of a sample, as images where they are images and as tables otherwise."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.shape = sample.model.schema_.image_shape
        self._shades = Shades.of(sample.rows.reshape(-1, *self.shape)) if self.shape else None
        self.names = sample.names or tuple(f"x{place}" for place in range(sample.model.n_features_in_))

    def pixels(self, rows: NDArray) -> NDArray:
        """Give the pixels of rows that are images."""
        assert self._shades is not None
        return self._shades(rows.reshape(-1, *(self.shape or ())))

    def from_best_to_worst(self) -> list[Values]:
        """Give rows at quantiles of the error, each with its reconstruction."""
        errors = np.nan_to_num(self.sample.errors, nan=-np.inf)
        order = np.argsort(errors, kind="stable")
        places = dict.fromkeys(int(order[round(share * (len(order) - 1))]) for share in _QUANTILES)
        return [
            self._example(place, int(np.flatnonzero(order == place)[0]) / max(1, len(order) - 1)) for place in places
        ]

    def _example(self, place: int, better: float) -> Values:
        sample = self.sample
        found = {
            "row": int(sample.numbers[place]),
            "label": None if sample.labels is None else str(sample.labels[place]),
            "error": float(sample.errors[place]),
            "worse_than": better,
        }
        row, rebuilt = sample.rows[place : place + 1], sample.rebuilt[place : place + 1]
        if self.shape:
            pair = np.concatenate([self.pixels(row), self.pixels(rebuilt)])
            return found | {"original": _address(pair[0]), "rebuilt": _address(pair[1])}
        return found | {"cells": self._cells(row[0], rebuilt[0])}

    def _cells(self, row: NDArray, rebuilt: NDArray) -> list[tuple[str, float, float]]:
        """Give the columns that are rebuilt worst, by their own spread."""
        spread = np.nanstd(self.sample.rows, axis=0)
        off = np.nan_to_num(np.abs(row - rebuilt) / np.where(spread > 0, spread, 1))
        worst = np.sort(np.argsort(-off, kind="stable")[:_WORST])
        return [(self.names[column], float(row[column]), float(rebuilt[column])) for column in worst]

    def columns(self) -> list[tuple[str, float]]:
        """Give the explained variance of each column of a table, the lowest first."""
        from isthmus.metrics import explained_variance

        if self.shape:
            return []
        shares = explained_variance(self.sample.rows, self.sample.rebuilt, per="column")
        return [(self.names[place], float(shares[place])) for place in np.argsort(shares, kind="stable")]

    def traversals(self, coordinates: list[Values]) -> list[Values]:
        """Move each number of the code from its 2nd to its 98th percentile while the others stay at their medians."""
        middle = np.median(self.sample.codes, axis=0)
        return [one | self._traversal(one, middle) for one in coordinates]

    def _traversal(self, coordinate: Values, middle: NDArray) -> Values:
        way = np.tile(middle, (_STEPS, 1))
        way[:, coordinate["number"] - 1] = np.linspace(coordinate["low"], coordinate["high"], _STEPS)
        rows = self.sample.decoded(way)
        if self.shape:
            frames = np.pad(self.pixels(rows), [(0, 0), (0, 0), (0, 1), *[(0, 0)] * (self.pixels(rows[:1]).ndim - 3)])
            return {"strip": _address(sheet(frames, _STEPS)[:, :-1])}
        spread = np.nanstd(self.sample.rows, axis=0)
        moved = np.nan_to_num(np.ptp(rows, axis=0) / np.where(spread > 0, spread, np.inf))
        most = np.argsort(-moved, kind="stable")[:_COLUMNS]
        return {"moves": [(self.names[column], float(rows[0, column]), float(rows[-1, column])) for column in most]}

    def map(self) -> Values:
        """Give the points of the map as a script takes them: numbers in base64, pictures on two sheets."""
        sample = self.sample
        some = np.sort(np.random.RandomState(1).permutation(len(sample.codes))[:_POINTS])
        points, titles = points_of(sample.codes)
        found = {"titles": titles, "points": _packed(_unit(points)[some], "<f4"), "count": len(some)}
        found |= {"ranges": [[float(axis.min()), float(axis.max())] for axis in points.T]}
        found |= {"rows": _packed(sample.numbers[some], "<u4"), "errors": _packed(sample.errors[some], "<f4")}
        found |= self._labels(some)
        return found | (self._sheets(some) if self.shape else self._table(some))

    def _labels(self, some: NDArray) -> Values:
        labels = self.sample.labels
        if labels is None:
            return {"classes": [], "members": _packed(np.zeros(len(some)), "<u1")}
        classes, members = grouped(labels, len(labels))
        if len(classes) <= _CLASSES:
            return {"classes": [str(one) for one in classes], "members": _packed(members[some], "<u1")}
        values = labels.astype(float)
        return {
            "classes": [],
            "colours": _packed(colours_of(values)[some], "<u1"),
            "values": _packed(values[some], "<f4"),
            "range": [float(np.nanmin(values)), float(np.nanmax(values))],
        }

    def _sheets(self, some: NDArray) -> Values:
        """Put originals and reconstructions on sheets, with as many pixels and shades as there is room for."""
        side, across = _SIDE, 50
        while True:
            both = [shrunk(self.pixels(rows[some]), side) & 0xF8 for rows in (self.sample.rows, self.sample.rebuilt)]
            files = [png(sheet(pixels, across)) for pixels in both]
            if sum(map(len, files)) <= _SHEET_BYTES * 2 or side <= 8:
                break
            side = side * 3 // 4
        height, width = both[0].shape[1:3]
        return {"sheets": [data_url(file) for file in files], "across": across, "cell": [width, height]}

    def _table(self, some: NDArray) -> Values:
        most = np.argsort(-np.nan_to_num(self.sample.rows.std(axis=0)), kind="stable")[:_COLUMNS]
        shown = np.sort(most if len(self.names) > _COLUMNS else np.arange(len(self.names)))
        both = np.stack([self.sample.rows[some][:, shown], self.sample.rebuilt[some][:, shown]], axis=1)
        return {"columns": [self.names[place] for place in shown], "cells": _packed(both, "<f4")}


def points_of(codes: NDArray) -> tuple[NDArray, list[str]]:
    """Give two coordinates for each code; the second is chance where the code is one number."""
    if codes.shape[1] > 1:
        plane = plane_of(codes)
        return plane(codes), list(plane.titles)
    chance = np.random.RandomState(0).uniform(size=len(codes))
    return np.column_stack([codes[:, 0], chance]), ["code 1", "chance, to keep points apart"]


def _unit(points: NDArray) -> NDArray:
    low, spread = points.min(axis=0), np.ptp(points, axis=0)
    return (points - low) / np.where(spread > 0, spread, 1)


def _packed(values: NDArray, kind: str) -> str:
    return b64encode(np.ascontiguousarray(values, dtype=np.dtype(kind)).tobytes()).decode()


def _address(pixels: NDArray) -> str:
    return data_url(png(pixels))
