"""Encoder and decoder modules that users write themselves."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from isthmus.errors import ParameterError
from isthmus.legal import ModuleClass, Number, Several
from isthmus.params import param, part


@part
class Custom:
    """Encoder and decoder of classes of your own, each made without arguments.

    The encoder gets ``(n, columns)`` or, with ``image_shape``, ``(n, channels, height, width)``, scaled; the
    decoder answers in that shape. Before a `Gaussian` bottleneck the encoder gives twice as many numbers, all means and
    then all log-variances. A saved model names the classes; ``load(path, classes=[...])`` brings them.

    Examples
    --------
    >>> import isthmus
    >>> from torch import nn
    >>> from isthmus.parts import Custom
    >>> class Encoder(nn.Sequential):
    ...     def __init__(self):
    ...         super().__init__(nn.Linear(64, 5), nn.Tanh())
    >>> class Decoder(nn.Sequential):
    ...     def __init__(self):
    ...         super().__init__(nn.Linear(5, 64))
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.Autoencoder(5, network=Custom(Encoder, Decoder), max_epochs=1, random_state=0)
    >>> model.fit_transform(X).shape
    (1797, 5)
    """

    kind: ClassVar[str] = "network"

    encoder: Any = param(nn.Identity, ModuleClass(), "Class of the encoder.", positional=True)
    decoder: Any = param(nn.Identity, ModuleClass(), "Class of the decoder.", positional=True)
    image_shape: Any = param(
        None,
        Several(Number(1, integer=True), shortest=2, longest=3),
        "Height, width and channels, if the modules work on images.",
        none="flat rows",
    )

    def layout(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        """A row is seen as one flat vector, or as the image that it is said to be."""
        if self.image_shape is None:
            return (math.prod(row_shape),)
        return tuple(self.image_shape) if len(self.image_shape) == 3 else (*self.image_shape, 1)

    def build(self, layout: tuple[int, ...], code_size: int | None, heads: int) -> tuple[nn.Module, nn.Module]:
        """Make one of each."""
        return _made(self.encoder), _made(self.decoder)

    def initialise(self, encoder: nn.Module, decoder: nn.Module, generator: Generator) -> None:
        """Take the first weights that the classes draw themselves; torch's global generator is put back."""
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
            encoder.load_state_dict(self.encoder().state_dict())
            decoder.load_state_dict(self.decoder().state_dict())


def _made(cls: type[nn.Module]) -> nn.Module:
    """Make a module, and refuse one with tensors that neither first weights nor a file would fill."""
    module = cls()
    loose = {name for name, _ in module.named_buffers()} - module.state_dict().keys()
    for part_name, layer in module.named_modules():
        loose |= {f"{part_name}.{name}".lstrip(".") for name, value in vars(layer).items() if isinstance(value, Tensor)}
    if loose:
        raise ParameterError(
            f"Custom: {cls.__name__} holds tensors that a file would not keep; register them as parameters or "
            f"persistent buffers: {', '.join(sorted(loose))}"
        )
    return module
