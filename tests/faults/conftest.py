"""Faults: the short form of each runs with every test, the long forms (`faults_long`) where they are asked for."""

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long forms out, unless the `-m` expression names them: they take hours."""
    if "faults_long" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("faults_long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]
