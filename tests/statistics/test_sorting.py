"""Sorting inside compiled loops, and that no sort of numpy is called there."""

import ast
from pathlib import Path

import numpy as np
import pytest

import vadose.statistics
import vadose.validation
from vadose.statistics.sorting import ascending, positions


@pytest.mark.parametrize("size", [0, 1, 2, 23, 24, 25, 47, 48, 49, 1000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_orders_are_those_of_numpy_and_stable(size: int, dtype: type) -> None:
    values = np.random.default_rng(size).integers(0, max(size // 3, 2), size).astype(dtype)
    kept = values.copy()
    np.testing.assert_array_equal(ascending(values), np.sort(values))
    np.testing.assert_array_equal(positions(values), np.argsort(values, kind="stable"))
    np.testing.assert_array_equal(values, kept)


def test_a_strided_view_is_sorted_like_a_copy() -> None:
    values = np.random.default_rng(1).random((200, 3))[::2, 1]
    np.testing.assert_array_equal(ascending(values), np.sort(values))


def test_no_compiled_function_calls_a_sort_of_numpy() -> None:
    # Cached in different processes, two of them can share a symbol and exchange their bodies (numba issue 10486).
    templates = {"sort", "argsort", "searchsorted", "median", "nanmedian", "percentile", "quantile", "unique", "partition"}  # fmt: skip # noqa: E501
    found, compiled = [], 0
    for package in (vadose.statistics, vadose.validation):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not (isinstance(node, ast.FunctionDef) and any("njit" in ast.unparse(d) for d in node.decorator_list)):  # fmt: skip # noqa: E501
                    continue
                compiled += 1
                calls = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
                found += [f"{path.name}:{node.name}" for one in calls if isinstance(one, ast.Attribute) and one.attr in templates]  # fmt: skip # noqa: E501
    assert compiled > 30
    assert found == []
