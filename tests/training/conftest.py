import pytest
import torch
from training_kit import Workshop, blobs, branches, pictures


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


@pytest.fixture
def stocked(workshop):
    """A workshop with one dataset of each kind: `images` (two classes), `points`, `branches` (a c_* column)."""
    images, labels = pictures(700)
    workshop.pack("images", images, labels, ("dark", "bright"))
    workshop.pack("points", blobs(700))
    y, x = branches(700)
    workshop.pack("branches", y, x)
    return workshop
