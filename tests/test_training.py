"""The training loop and what watches it."""

import copy
import math
import re
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from torch import nn

from isthmus import Autoencoder, DenseAutoencoder, SparseAutoencoder, VariationalAutoencoder
from isthmus.batches import Batch
from isthmus.callbacks import BestWeights, Watcher
from isthmus.datasets import load_digits
from isthmus.divergence import LossWatch, largest_activation
from isthmus.errors import DivergedError
from isthmus.hyperparameters import OPTIMIZERS, Training
from isthmus.module import AutoencoderModule
from isthmus.parts import Dense, GaussianNoise
from isthmus.recipe import Recipe
from isthmus.records import Schema
from isthmus.rows import Rows
from isthmus.scaling import learn_scaling
from isthmus.sources import ArrayRows
from isthmus.state import TrainingState
from isthmus.training import Trainer

CPU = torch.device("cpu")
RANDOM = np.random.RandomState(0)
X = (RANDOM.rand(120, 3) @ RANDOM.rand(3, 12) / 3).astype(np.float32)
SMALL = {"hidden": (8,), "random_state": 0, "validation_fraction": 0.0}


def trainer_on(rows, *, held_out=0, schedule="constant", callbacks=(), **settings):
    """A run on rows of a table, unscaled: the last ``held_out`` of them are for validation."""
    settings = Training(**settings)
    schema, everything = Schema(rows.shape[1:], rows.shape[1:]), np.arange(len(rows))
    module = AutoencoderModule(Recipe(2, Dense((8,))), schema).materialise(torch.Generator().manual_seed(0))
    array = ArrayRows(rows)
    source = Rows(array, schema, learn_scaling(array, everything, "none"), CPU)
    state = TrainingState(torch.Generator(), np.random.RandomState(0))
    training, validation = everything[: len(rows) - held_out], everything[len(rows) - held_out :]
    return Trainer(module, settings, source, training, validation, state, schedule, callbacks)


def loss_of(module, rows):
    with torch.no_grad():
        return (module.decoder(module.encoder(rows)) - rows).square().sum(dim=1).mean().item()


def distance(module, other):
    pairs = zip(module.parameters(), other.parameters(), strict=True)
    return math.sqrt(sum((ours - theirs).square().sum().item() for ours, theirs in pairs))


def without_time(history):
    return [{**vars(epoch), "seconds": None} for epoch in history]


class Recorder(Watcher):
    """Notes what the trainer tells it."""

    def __init__(self, stop_after=None):
        self.calls, self.batches, self.rates, self.stop_after = [], [], [], stop_after

    def begin(self, trainer):
        self.calls.append("begin")

    def batch_ended(self, trainer, rows):
        self.batches.append(rows)
        self.rates.append(trainer.optimizer.param_groups[0]["lr"])

    def epoch_ended(self, trainer, epoch):
        self.calls.append(epoch.epoch)
        return epoch.epoch == self.stop_after

    def end(self, trainer):
        self.calls.append("end")


# ---------------------------------------------------------------- a step


@pytest.mark.parametrize("clip_gradient", [None, 0.01])
def test_a_step_is_torchs_own_step_with_adam(clip_gradient):
    trainer = trainer_on(X, batch_size=len(X), learning_rate=1e-2, clip_gradient=clip_gradient)
    by_hand = copy.deepcopy(trainer.module)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=1e-2)
    for _ in range(3):
        trainer.run_epoch()
        rows = torch.from_numpy(X)
        optimizer.zero_grad()
        (by_hand.decoder(by_hand.encoder(rows)) - rows).square().sum(dim=1).mean().backward()
        if clip_gradient:
            nn.utils.clip_grad_norm_(by_hand.parameters(), clip_gradient)
        optimizer.step()
    for ours, theirs in zip(trainer.module.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows_before_each_step():
    trainer = trainer_on(X[:100], batch_size=64, learning_rate=1e-9)
    epoch = trainer.run_epoch()
    expected = loss_of(trainer.module, torch.from_numpy(X[:100]))
    assert epoch.loss == pytest.approx(expected, rel=1e-4)
    assert epoch.mse == pytest.approx(expected / 12, rel=1e-4)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(optimizer):
    trainer = trainer_on(X, max_epochs=12, batch_size=16, optimizer=optimizer)
    trainer.run()
    losses = [epoch.loss for epoch in trainer.state.history]
    assert losses[-1] < 0.9 * losses[0]
    assert losses[-1] < losses[len(losses) // 2] < losses[0]


# ---------------------------------------------------------------- schedules


@pytest.mark.parametrize(
    ("schedule", "factor"),
    [
        ("constant", lambda progress: 1),
        ("linear", lambda progress: 1 - progress),
        ("cosine", lambda progress: (1 + math.cos(math.pi * progress)) / 2),
    ],
)
def test_the_learning_rate_follows_its_schedule_step_by_step(schedule, factor):
    recorder = Recorder()
    trainer = trainer_on(X, schedule=schedule, callbacks=[recorder], max_epochs=3, batch_size=32, learning_rate=0.01)
    trainer.run()
    assert recorder.rates == pytest.approx([0.01 * factor(step / 12) for step in range(12)])
    assert [epoch.learning_rate for epoch in trainer.state.history] == pytest.approx(recorder.rates[3::4])


def test_fit_follows_the_schedule_and_partial_fit_is_constant():
    fitted = DenseAutoencoder(2, max_epochs=4, schedule="linear", batch_size=120, **SMALL).fit(X)
    assert [epoch.learning_rate for epoch in fitted.history_] == pytest.approx([2e-3, 1.5e-3, 1e-3, 0.5e-3])
    model = DenseAutoencoder(2, max_epochs=4, schedule="linear", **SMALL)
    for _ in range(3):
        model.partial_fit(X)
    assert [epoch.learning_rate for epoch in model.history_] == [2e-3] * 3


# ---------------------------------------------------------------- batches and epochs


@pytest.mark.parametrize(("rows", "batches"), [(100, [32, 32, 32, 4]), (96, [32] * 3), (5, [5]), (1, [1])])
def test_every_row_is_used_each_epoch_the_last_short_batch_too(rows, batches):
    recorder = Recorder()
    trainer = trainer_on(X[:rows], callbacks=[recorder], batch_size=32, max_epochs=2)
    trainer.run()
    assert trainer.steps == len(batches)
    assert recorder.batches == 2 * batches


def test_few_rows_are_learned_from_though_they_fill_no_batch():
    trainer = trainer_on(X[:5], batch_size=64, max_epochs=50, learning_rate=1e-2)
    trainer.run()
    assert trainer.state.history[-1].loss < 0.5 * trainer.state.history[0].loss


def test_the_order_of_rows_changes_from_epoch_to_epoch():
    class Order(Rows):
        def batches(self, order, batch_size, skip=0):
            orders.append(list(order.pieces))
            return super().batches(order, batch_size, skip)

    orders = []
    trainer = trainer_on(X, max_epochs=2)
    trainer.rows = Order(**vars(trainer.rows))
    trainer.run()
    first, second = orders
    assert first != second
    assert sorted(first) == sorted(second) == list(range(120))


@pytest.mark.parametrize(("rows", "epochs"), [(64 * 1000, 15), (64 * 100, 15), (64 * 50, 20), (100, 500), (1, 1000)])
def test_without_max_epochs_there_are_15_or_enough_for_1000_steps(rows, epochs):
    trainer = trainer_on(np.zeros((rows, 1), np.float32))
    assert trainer.epochs == epochs
    assert trainer.epochs * trainer.steps >= 1000


def test_max_epochs_is_the_number_of_epochs():
    model = DenseAutoencoder(2, max_epochs=3, **SMALL).fit(X)
    assert model.n_iter_ == len(model.history_) == 3


def test_numpy_numbers_are_taken_for_every_number():
    small = {"max_epochs": np.int8(2), "batch_size": np.uint8(50), "patience": np.int16(1), "random_state": np.uint8(0)}
    rates = {"learning_rate": np.float32(0.01), "weight_decay": np.float16(0), "validation_fraction": np.float32(0.1)}
    rows = np.tile(X, (10, 1))
    model = DenseAutoencoder(np.int8(2), hidden=(np.int8(8),), clip_gradient=np.float32(1), **small, **rates).fit(rows)
    assert model.n_iter_ == 2
    assert len(model.held_out_) == 120


@pytest.mark.filterwarnings("ignore::isthmus.errors.CollapseWarning")
@pytest.mark.parametrize(
    "model",
    [
        SparseAutoencoder(8, sparsity="top_k", n_active=np.int64(3)),
        VariationalAutoencoder(2, beta=np.float32(1)),
        VariationalAutoencoder(2, beta=np.int64(1)),
    ],
)
def test_numpy_numbers_are_taken_where_a_schedule_could_stand(model):
    assert model.set_params(max_epochs=1).fit(X).n_iter_ == 1


# ---------------------------------------------------------------- repeatability


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_same_seed_gives_the_same_history_and_the_same_codes(optimizer):
    settings = {**SMALL, "max_epochs": 3, "optimizer": optimizer, "validation_fraction": 0.2}
    first, second = (DenseAutoencoder(2, **settings).fit(X) for _ in range(2))
    assert without_time(first.history_) == without_time(second.history_)
    np.testing.assert_array_equal(first.transform(X), second.transform(X))


def test_another_seed_gives_another_history():
    first, second = (DenseAutoencoder(2, max_epochs=1, random_state=seed).fit(X) for seed in (0, 1))
    assert first.history_[0].loss != second.history_[0].loss


def test_a_random_state_object_goes_on_and_an_equal_one_repeats():
    random = np.random.RandomState(0)
    first, second = (DenseAutoencoder(2, max_epochs=1, random_state=random).fit(X) for _ in range(2))
    again = DenseAutoencoder(2, max_epochs=1, random_state=np.random.RandomState(0)).fit(X)
    assert first.history_[0].loss == again.history_[0].loss != second.history_[0].loss


# ---------------------------------------------------------------- gradients and weights


def test_clipping_bounds_the_step():
    free = trainer_on(X * 100, batch_size=120, optimizer="sgd", learning_rate=1e-3)
    clipped = trainer_on(X * 100, batch_size=120, optimizer="sgd", learning_rate=1e-3, clip_gradient=0.5)
    start = copy.deepcopy(free.module)
    free.run_epoch()
    clipped.run_epoch()
    assert distance(free.module, start) > 1e-1
    assert distance(clipped.module, start) == pytest.approx(1e-3 * 0.5, rel=1e-3)


def test_clipping_leaves_short_gradients_alone():
    free, clipped = (trainer_on(X, max_epochs=3, clip_gradient=limit) for limit in (None, 1e6))
    free.run()
    clipped.run()
    assert distance(free.module, clipped.module) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_shrinks_the_weights(optimizer):
    sizes = []
    for weight_decay in (0.0, 0.5):
        trainer = trainer_on(X, max_epochs=10, batch_size=16, optimizer=optimizer, weight_decay=weight_decay)
        trainer.run()
        sizes.append(sum(parameter.square().sum().item() for parameter in trainer.module.parameters()))
    assert sizes[1] < 0.95 * sizes[0]


def test_adamws_decay_is_decoupled_from_the_gradient():
    trainer = trainer_on(np.zeros((10, 12), np.float32), optimizer="adamw", learning_rate=0.1, weight_decay=0.5)
    before = trainer.module.encoder[0].weight.detach().clone()
    trainer.run_epoch()
    torch.testing.assert_close(trainer.module.encoder[0].weight, before * (1 - 0.1 * 0.5))


# ---------------------------------------------------------------- validation and the best weights


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 0.9])
def test_the_held_out_rows_are_the_fraction_drawn_once(fraction):
    seen = []

    class Watch(Recorder):
        def epoch_ended(self, trainer, epoch):
            seen.append((list(trainer.training), list(trainer.validation)))
            return False

    model = DenseAutoencoder(2, max_epochs=3, random_state=0, validation_fraction=fraction)
    model._callbacks = lambda *_: [Watch()]
    model.fit(X)
    training, validation = seen[0]
    assert seen == [seen[0]] * 3
    assert len(validation) == int(120 * fraction)
    assert sorted(training + validation) == list(range(120))
    assert validation == list(model.held_out_)


def test_the_held_out_rows_are_drawn_at_random():
    model = DenseAutoencoder(2, max_epochs=1, random_state=0, validation_fraction=0.5).fit(X)
    other = DenseAutoencoder(2, max_epochs=1, random_state=1, validation_fraction=0.5).fit(X)
    assert list(model.held_out_) not in (list(range(60)), list(range(60, 120)))
    assert list(model.held_out_) != list(other.held_out_)


def test_the_validation_loss_is_the_loss_of_the_held_out_rows_after_the_epoch():
    trainer = trainer_on(X, held_out=20, max_epochs=1)
    trainer.run()
    expected = loss_of(trainer.module, torch.from_numpy(X[100:]))
    (epoch,) = trainer.state.history
    assert epoch.validation_loss == pytest.approx(expected, rel=1e-5)
    assert epoch.validation_mse == pytest.approx(expected / 12, rel=1e-5)
    assert epoch.validation_losses == {"reconstruction": epoch.validation_loss}
    assert epoch.monitored == epoch.validation_loss


def test_nothing_is_learned_from_held_out_rows():
    first, second = X.copy(), X.copy()
    second[100:] += 100
    trainers = [trainer_on(rows, held_out=20, max_epochs=2) for rows in (first, second)]
    for trainer in trainers:
        trainer.run()
    assert distance(trainers[0].module, trainers[1].module) == 0


@pytest.mark.parametrize("patience", [None, 3])
def test_the_weights_with_the_lowest_validation_loss_are_restored(patience):
    best = BestWeights(patience)
    trainer = trainer_on(X[:40], held_out=20, callbacks=[best], max_epochs=30, learning_rate=0.2, batch_size=8)
    trainer.run()
    losses = [epoch.validation_loss for epoch in trainer.state.history]
    assert losses[-1] > min(losses)
    assert loss_of(trainer.module, torch.from_numpy(X[20:40])) == pytest.approx(min(losses), rel=1e-5)
    assert trainer.state.best.loss == min(losses)
    assert losses[trainer.state.best.epoch - 1] == min(losses)


def test_a_fitted_model_has_the_weights_with_the_lowest_validation_loss():
    settings = {"max_epochs": 25, "learning_rate": 0.1, "batch_size": 8, "validation_fraction": 0.5, "random_state": 0}
    model = DenseAutoencoder(2, hidden=(8,), schedule="constant", **settings).fit(X[:40])
    losses = [epoch.validation_loss for epoch in model.history_]
    assert losses[-1] > min(losses)
    error = model.reconstruction_error(X[model.held_out_]).mean() * 12
    assert error == pytest.approx(min(losses), rel=1e-4)


def test_patience_stops_after_that_many_epochs_without_a_better_loss():
    settings = {"max_epochs": 500, "learning_rate": 0.1, "batch_size": 8, "validation_fraction": 0.5, "random_state": 0}
    model = DenseAutoencoder(2, hidden=(8,), patience=4, **settings).fit(X[:40])
    losses = [epoch.validation_loss for epoch in model.history_]
    assert len(losses) < 500
    assert len(losses) - 1 - int(np.argmin(losses)) == 4
    for stop in range(4, len(losses) - 1):
        assert min(losses[stop - 3 : stop + 1]) < min(losses[: stop - 3])


def test_patience_without_held_out_rows_watches_the_training_loss():
    model = DenseAutoencoder(2, patience=2, max_epochs=200, learning_rate=0.3, batch_size=8, **SMALL).fit(X[:24])
    losses = [epoch.loss for epoch in model.history_]
    assert len(losses) < 200
    assert len(losses) - 1 - int(np.argmin(losses)) == 2


def test_without_held_out_rows_the_last_weights_stay():
    trainer = trainer_on(X, callbacks=[BestWeights(None)], max_epochs=4, learning_rate=0.1)
    last = trainer_on(X, max_epochs=4, learning_rate=0.1)
    trainer.run()
    last.run()
    assert distance(trainer.module, last.module) == 0


# ---------------------------------------------------------------- divergence and interruption


def diverging(**settings):
    """A model whose training diverges, in the first epoch unless the settings say otherwise."""
    settings = {"learning_rate": 1e6, "output_activation": "linear", "random_state": 0, **settings}
    return DenseAutoencoder(2, optimizer="sgd", max_epochs=50, schedule="constant", **settings)


def refusal(model, rows):
    with pytest.raises(DivergedError) as caught:
        model.fit(rows)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("rate", [1e6, 1e20])
def test_divergence_names_epoch_batch_layer_and_a_learning_rate_that_is_too_high(rate):
    message = refusal(diverging(learning_rate=rate), X)
    assert message.startswith("training diverged in epoch 1, batch 2 of 2: the loss is not finite; the largest")
    assert re.search(r"largest activation is \S+ in (en|de)coder\.\d; ", message)
    assert f"the likely cause is learning_rate={rate:.3g}, as scaled rows reach only" in message


def test_divergence_names_data_that_are_too_large():
    rows = (X * 1e30).astype(np.float32)
    message = refusal(diverging(learning_rate=1e-3, scaling="none"), rows)
    for words in ("epoch 1, batch 1 of 2", "as scaled rows reach 7.57e+29", "set scaling='standard'"):
        assert words in message


def test_the_layer_is_the_first_whose_output_is_not_finite():
    module = trainer_on(X).module
    with torch.no_grad():
        module.decoder[0].bias[0] = 3e38
    batch = Batch(torch.from_numpy(X))
    assert largest_activation(module, batch) == ("decoder.0", pytest.approx(3e38))
    with torch.no_grad():
        module.encoder[1].register_forward_hook(lambda layer, inputs, output: output * math.inf)
    name, value = largest_activation(module, batch)
    assert name in ("encoder.1", "encoder.2")
    assert not math.isfinite(value)


def test_weights_that_a_step_has_spoilt_are_named():
    trainer = trainer_on(X, batch_size=40)
    optimizer = trainer.optimizer

    class Spoiling(Watcher):
        def batch_ended(self, trainer, rows):
            if trainer.state.step == 2:
                trainer.module.encoder[0].weight.data[0, 0] = math.nan

    trainer.callbacks = [Spoiling()]
    with pytest.raises(
        DivergedError, match=r"batch 3 of 3: .* the step before overflowed the weights encoder\.0\.weight"
    ):
        trainer.run()
    assert optimizer is trainer.optimizer


def test_gradients_whose_squares_overflow_are_found_though_the_loss_is_finite():
    trainer = trainer_on((X * 1e14).astype(np.float32), batch_size=120)
    with pytest.raises(DivergedError, match=r"the gradient reaches .* in .*, and its square is not finite"):
        trainer.run()


@pytest.mark.parametrize("every", [1, 50])
def test_the_batch_is_found_however_seldom_losses_are_looked_at(every, monkeypatch):
    trainer = trainer_on(X, batch_size=4)
    module = trainer.module
    monkeypatch.setattr(LossWatch, "__init__", lambda self, device: vars(self).update(_every=every, _waiting=[]))

    class Spoiling(Watcher):
        def batch_ended(self, trainer, rows):
            if trainer.state.step == 17:
                module.decoder[0].bias.data[0] = math.inf

    trainer.callbacks = [Spoiling()]
    with pytest.raises(DivergedError, match="epoch 1, batch 18 of 30: the loss is not finite"):
        trainer.run()


def test_divergence_names_a_later_epoch():
    trainer = trainer_on(X, optimizer="sgd", batch_size=120, learning_rate=50, max_epochs=200)
    with pytest.raises(DivergedError) as caught:
        trainer.run()
    epoch = len(trainer.state.history) + 1
    assert epoch > 1
    assert f"in epoch {epoch}, batch 1 of 1:" in str(caught.value)
    assert all(math.isfinite(epoch.loss) for epoch in trainer.state.history)


def test_divergence_is_a_value_error_and_an_arithmetic_error():
    assert issubclass(DivergedError, ValueError)
    assert issubclass(DivergedError, ArithmeticError)


def test_a_model_whose_training_diverged_at_once_is_not_fitted():
    for model in (diverging(), diverging(learning_rate=1e-3).fit(X).set_params(learning_rate=1e20)):
        refusal(model, X)
        with pytest.raises(NotFittedError):
            model.transform(X)


@pytest.mark.parametrize("fraction", [0.0, 0.25])
def test_a_model_whose_training_diverged_later_has_its_best_weights(fraction):
    settings = {"learning_rate": 1.0, "batch_size": 120, "validation_fraction": fraction, "hidden": (8,)}
    model = diverging(**settings)
    message = refusal(model, X)
    assert ("held-out" in message) == bool(fraction)
    assert 1 < model.n_iter_ == len(model.history_) < 50
    first = diverging(**settings).set_params(max_epochs=1).fit(X)
    np.testing.assert_allclose(model.transform(X), first.transform(X), rtol=1e-5)
    if fraction:
        error = model.reconstruction_error(X[model.held_out_]).mean() * 12
        assert error == pytest.approx(min(epoch.monitored for epoch in model.history_), rel=1e-3)


def test_a_partial_fit_that_diverges_changes_nothing():
    model = diverging(learning_rate=1e-2).partial_fit(X)
    codes = model.transform(X)
    with pytest.raises(DivergedError):
        model.partial_fit(X * np.float32(1e25))
    np.testing.assert_array_equal(model.transform(X), codes)
    assert model.n_iter_ == 1
    assert math.isfinite(model.partial_fit(X).history_[-1].loss)


def test_a_run_that_diverges_goes_on_at_a_tenth_of_the_rate_if_asked():
    model = diverging(learning_rate=1.0, batch_size=120, hidden=(8,), retries=1)
    with pytest.warns(ConvergenceWarning, match=r"diverged in epoch .* with learning_rate=0\.1$"):
        model.fit(X)
    rates = [epoch.learning_rate for epoch in model.history_]
    assert model.n_iter_ == 50
    assert (rates[0], rates[-1]) == (1.0, 0.1)
    assert sorted(rates, reverse=True) == rates
    assert all(math.isfinite(epoch.loss) for epoch in model.history_)


def test_retries_come_to_an_end():
    with pytest.warns(ConvergenceWarning) as caught:
        refusal(diverging(learning_rate=1e20, retries=2), X)
    assert len(caught) == 2


class Interrupting(Watcher):
    """The user loses patience in the third epoch."""

    def batch_ended(self, trainer, rows):
        if len(trainer.state.history) == 2:
            raise KeyboardInterrupt


def test_an_interrupt_ends_with_a_warning_and_keeps_the_best_weights():
    trainer = trainer_on(X, held_out=20, callbacks=[BestWeights(None), Interrupting()], max_epochs=9)
    with pytest.warns(ConvergenceWarning, match="interrupted after epoch 2; the best weights so far are kept"):
        trainer.run()
    best = min(epoch.validation_loss for epoch in trainer.state.history)
    assert len(trainer.state.history) == 2
    assert loss_of(trainer.module, torch.from_numpy(X[100:])) == pytest.approx(best, rel=1e-5)
    assert not trainer.module.training


# ---------------------------------------------------------------- callbacks


def test_callbacks_hear_of_the_beginning_each_epoch_and_the_end():
    recorder = Recorder()
    trainer_on(X, callbacks=[recorder], max_epochs=3).run()
    assert recorder.calls == ["begin", 1, 2, 3, "end"]


def test_a_callback_stops_the_run_and_the_others_are_still_told():
    stopping, other = Recorder(stop_after=2), Recorder()
    trainer_on(X, callbacks=[stopping, other], max_epochs=9).run()
    assert stopping.calls == other.calls == ["begin", 1, 2, "end"]


def test_the_end_is_told_after_a_divergence_too():
    recorder = Recorder()
    trainer = trainer_on(X, callbacks=[recorder], optimizer="sgd", learning_rate=1e20, max_epochs=9)
    with pytest.raises(DivergedError):
        trainer.run()
    assert recorder.calls[-1] == "end"


class Listener:
    """A callback of scikit-learn's."""

    def __init__(self, stop_after=None):
        self.begun, self.ended, self.states, self.stop_after = [], [], [], stop_after

    def setup(self, estimator, context):
        self.states.append("setup")

    def teardown(self, estimator, context):
        self.states.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.begun.append((context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.ended.append((context.task_name, context.task_id))
        return context.task_name == "epoch" and len(self.ended) == self.stop_after


def test_scikit_learns_callbacks_hear_of_the_fit_and_of_each_epoch():
    listener = Listener()
    DenseAutoencoder(2, max_epochs=3, **SMALL).set_callbacks(listener).fit(X)
    assert listener.begun == [("fit", 0), ("epoch", 0), ("epoch", 1), ("epoch", 2)]
    assert listener.ended == [("epoch", 0), ("epoch", 1), ("epoch", 2), ("fit", 0)]
    assert listener.states == ["setup", "teardown"]


def test_scikit_learns_callbacks_can_stop_the_run():
    listener = Listener(stop_after=2)
    model = DenseAutoencoder(2, max_epochs=9, **SMALL).set_callbacks(listener).fit(X)
    assert model.n_iter_ == 2
    assert len(listener.begun) == len(listener.ended) == 3


# ---------------------------------------------------------------- what is shown and recorded


def test_a_fit_is_silent_unless_asked(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DenseAutoencoder(2, max_epochs=2, random_state=0).fit(X).partial_fit(X).transform(X)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [True, 1, 2])
def test_a_verbose_fit_shows_epochs_losses_and_speed(capsys, verbose):
    DenseAutoencoder(2, max_epochs=2, random_state=0, verbose=verbose).fit(X)
    shown = "".join(capsys.readouterr())
    for words in ("epoch 2/2", "loss", "held-out", "rows/s"):
        assert words in shown


def test_the_history_has_one_complete_record_an_epoch():
    model = DenseAutoencoder(2, hidden=(8,), max_epochs=3, random_state=0, validation_fraction=0.25).fit(X)
    assert [epoch.epoch for epoch in model.history_] == [1, 2, 3]
    for epoch in model.history_:
        assert epoch.losses == {"reconstruction": epoch.loss}
        assert epoch.mse == pytest.approx(epoch.loss / 12)
        assert epoch.validation_losses == {"reconstruction": epoch.validation_loss}
        assert epoch.validation_mse == pytest.approx(epoch.validation_loss / 12)
        assert 0 < epoch.learning_rate <= 2e-3
        assert 0 < epoch.seconds < 60


def test_without_held_out_rows_the_validation_fields_are_empty():
    (epoch,) = DenseAutoencoder(2, max_epochs=1, **SMALL).fit(X).history_
    assert (epoch.validation_loss, epoch.validation_mse, epoch.validation_losses) == (None, None, {})
    assert epoch.monitored == epoch.loss


def test_without_corruption_there_is_no_denoising_loss():
    (epoch,) = DenseAutoencoder(2, max_epochs=1, random_state=0).fit(X).history_
    assert epoch.denoising_loss is None


def test_with_corruption_the_held_out_rows_are_measured_clean_and_corrupted():
    settings = {"corruption": GaussianNoise(0.3), "network": Dense((8,)), "random_state": 0, "validation_fraction": 0.5}
    model = Autoencoder(2, max_epochs=100, batch_size=16, learning_rate=0.01, **settings).fit(X)
    best = min(model.history_, key=lambda epoch: epoch.validation_loss)
    assert best.validation_loss == pytest.approx(12 * model.reconstruction_error(X[model.held_out_]).mean(), rel=1e-4)
    assert best.denoising_loss > 1.3 * best.validation_loss


def test_partial_fit_goes_on_where_it_ended():
    model = DenseAutoencoder(2, **SMALL)
    for _ in range(20):
        model.partial_fit(X)
    assert [epoch.epoch for epoch in model.history_] == list(range(1, 21))
    assert model.history_[-1].loss < model.history_[0].loss
    assert model.n_iter_ == 20


def test_partial_fit_is_the_same_as_constant_epochs_of_fit():
    fitted = DenseAutoencoder(2, max_epochs=3, schedule="constant", **SMALL).fit(X)
    model = DenseAutoencoder(2, **SMALL)
    for _ in range(3):
        model.partial_fit(X)
    assert without_time(model.history_) == without_time(fitted.history_)
    np.testing.assert_array_equal(model.transform(X), fitted.transform(X))


def test_digits_are_learned_better_than_the_mean_in_a_few_epochs():
    digits, _ = load_digits()
    model = DenseAutoencoder(8, max_epochs=10, learning_rate=3e-3, random_state=0).fit(digits)
    assert model.score(digits[model.held_out_]) > 0.5
