"""Averages of the generator beside the one that draws by default: moved, and named in a model file."""

from torch import Tensor, nn

from gan.averages import RAW
from gan.checkpoint import average_prefix
from gan.spec import TrainingSpec
from worker.training.players import Players, update_average
from worker.training.schedules import ema_decay


def follow(players: Players, spec: TrainingSpec, images: int, batch: int) -> None:
    """Moves every average towards the generator, `batch` images after the last time; one foreach call for each."""
    update_average(players.average, players.generator, ema_decay(spec.ema_halflife, images, batch))
    for halflife, average in players.averages.items():
        update_average(average, players.generator, ema_decay(float(halflife), images, batch))


def model_tensors(players: Players, spec: TrainingSpec) -> dict[str, Tensor]:
    """All generators of a model file: the default average, the others, and the raw one where that is another."""
    generators: dict[float, nn.Module] = {float(halflife): kept for halflife, kept in players.averages.items()}
    generators |= {RAW: players.generator, spec.ema_halflife: players.average}
    return {
        f"{average_prefix(halflife, spec.ema_halflife)}.{name}": tensor
        for halflife, generator in generators.items()
        for name, tensor in generator.state_dict().items()
    }


def selectable(spec: TrainingSpec) -> tuple[float, ...]:
    """The half-lives that the model file of a training has, ascending; 0 is the raw generator."""
    return tuple(sorted({RAW, spec.ema_halflife, *spec.ema_halflives}))
