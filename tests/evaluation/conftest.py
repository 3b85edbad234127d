import pytest
import torch
from evaluation_kit import Workshop


@pytest.fixture(autouse=True)
def one_thread():
    """Two busy threads on shared cores wait for each other; small steps are quicker on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path)
