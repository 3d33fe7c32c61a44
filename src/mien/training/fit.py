"""Train a network by gradient descent: the Lightning module, its batches, and the trainer.

Everything drawn at random (order, augmentation, dropout) is drawn from a seed made of the run's seed and the
epoch. A training that was killed therefore goes on from its last epoch with the same numbers.

On several GPUs each has a process of its own, a rank, with its share of every batch (``ranks.py``). Their gradients add
up to that of the batch, whatever their shares, and what they count to what one process would count.
"""

from __future__ import annotations

import logging
import math
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from mien.errors import OutputError, WorkFailedError
from mien.metrics import confusion_matrix, macro_f1
from mien.progress import Advance
from mien.settings.budget import Budget
from mien.settings.devices import device_count, device_kind
from mien.settings.training import TrainSettings
from mien.system.files import regular
from mien.system.sums import check_kept
from mien.training.augment import augmentation
from mien.training.batches import EpochOrder, PhotoBatches, TrainingSet, class_weights
from mien.training.finetune import parameter_groups
from mien.training.history import History
from mien.training.ranks import Shares, are_alike, digest, largest, rank, ranks, share, summed
from mien.training.side_by_side import side_by_side
from mien.training.unbroken import WholeCheckpoints, restore_handlers, signal_handlers
from mien.training.whole_batch import whole_batch

__all__ = ["ExpressionModule", "cosine_rate", "cross_entropy", "fit"]

HISTOGRAM_EPOCHS = 5


class ExpressionModule(pl.LightningModule):
    """One network, its loss, its optimiser and its scores."""

    def __init__(
        self, network: nn.Module, settings: TrainSettings, seed: int, n_classes: int, weights: Tensor | None = None
    ) -> None:
        """Train a network.

        Args:
            weights: (K,) of the classes in the loss; None weighs all photos alike.
        """
        super().__init__()
        self._class_weights = weights
        self.network = network
        self.settings, self.seed, self.n_classes = settings, seed, n_classes
        self.history = History(settings.monitor)
        self._augment = augmentation(settings.augment, settings.size, settings.grey_share)
        self._confusion = {name: np.zeros((n_classes, n_classes), int) for name in ("train", "val")}
        self._loss = {name: [0.0, 0.0] for name in ("train", "val")}
        self._started = 0.0  # of this epoch, for its row of the history
        self._spent_before, self._resumed = 0.0, time.monotonic()
        self.updates_per_epoch = 1  # of a whole one

    @property
    def seconds_spent(self) -> float:
        """Seconds that training took until now, those before it was killed and resumed included."""
        return self._spent_before + time.monotonic() - self._resumed

    def agreed_seconds(self) -> float:
        """The same, of the rank for which it is most; all of them ask at the same time."""
        return largest(self.seconds_spent, self.device)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam; the plateau scheduler is stepped at the end of each epoch, before the checkpoint is written."""
        optimizer = torch.optim.Adam(
            parameter_groups(self.network, self.settings), weight_decay=self.settings.weight_decay
        )
        self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode="max", factor=self.settings.plateau_factor, patience=self.settings.plateau_patience
        )
        return optimizer

    def on_train_epoch_start(self) -> None:
        """Start the epoch's clock."""
        self._started = time.monotonic()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed the epoch's augmentation and dropout, once its loader, which draws too, stands."""
        if batch_idx == 0:
            torch.manual_seed(_seed_of_epoch(self.seed, self.current_epoch))
        if self.settings.schedule == "cosine":
            factor = cosine_rate(self._spent(), self.settings.warm_up)
            for group in self.optimizers().param_groups:  # type: ignore[union-attr]
                group["lr"] = group["peak"] * factor

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], index: int) -> Tensor:
        """Loss of one batch, or this rank's part of it."""
        pixels, y, wanted = batch
        shown = pixels if len(y) else pixels.new_zeros(1, *pixels.shape[1:])  # the others wait at every layer
        image = self._augment(shown.permute(0, 3, 1, 2).float() / 255)  # (N, 3, S, S) in [0, 1]
        with whole_batch(counts=len(y) > 0):
            logits = self.network(image)[: len(y)].float()
        weights = None if self._class_weights is None else self._class_weights.to(y.device)
        loss, photos = batch_loss(logits, wanted, weights, smoothing=self.settings.label_smoothing)
        if not torch.isfinite(loss):
            raise WorkFailedError(
                f"the loss is no longer a number in epoch {self.current_epoch + 1}; lower the learning rate"
            )
        self._count("train", loss.item() * photos, logits, y)
        return loss * ranks() if ranks() > 1 else loss  # of what each rank gives, the mean is taken

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], index: int) -> None:
        """Count one batch; the epoch's scores are made at its end."""
        pixels, y, wanted = batch
        if not len(y):
            return
        logits = self.network(pixels).float()
        self._count("val", functional.cross_entropy(logits, wanted).item() * len(y), logits, y)

    def on_validation_epoch_end(self) -> None:
        """Close the epoch: history, learning rate, early stopping. The checkpoint is written after this."""
        train, val = self._scores("train"), self._scores("val")
        self.log("score", val[self.settings.monitor], logger=False)
        self.history.add(
            epoch=self.current_epoch + 1,
            updates=self.global_step,
            seconds=time.monotonic() - self._started,
            learning_rate=self.optimizers().param_groups[0]["lr"],  # type: ignore[union-attr]
            train=train,
            val=val,
        )
        if self.settings.schedule == "plateau":
            self._plateau.step(val[self.settings.monitor])
        self._reset()
        self._stop_if_stale()
        if not are_alike(self.network, self.device):
            raise WorkFailedError(
                f"the GPUs have come to different weights in epoch {self.current_epoch + 1}; are they of one kind? "
                "Begin anew on one of them: --device cuda with another --out"
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What a resumed training needs beyond weights and optimiser."""
        checkpoint["history"] = self.history.rows
        checkpoint["seconds_spent"] = self.seconds_spent
        checkpoint["plateau"] = self._plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up where the checkpoint stopped."""
        self.history = History(self.settings.monitor, checkpoint["history"])
        self._spent_before = checkpoint.get("seconds_spent", self.history.seconds)  # older ones know only their epochs
        self._restored_plateau = checkpoint["plateau"]

    def on_fit_start(self) -> None:
        """Start the clock of a budget in seconds; what an earlier process spent is known by now."""
        self._resumed = time.monotonic()

    def on_train_start(self) -> None:
        """A training that had already stopped early when it was killed does not go on."""
        if hasattr(self, "_restored_plateau"):
            self._plateau.load_state_dict(self._restored_plateau)
        self._stop_if_stale()

    def _stop_if_stale(self) -> None:
        patience = self.settings.stop_patience
        if patience is not None and self.history.epochs_since_best >= patience:
            self.trainer.should_stop = True

    def _spent(self) -> float:
        """Share of the budget that is spent, in [0, 1]; of several limits, the one that is nearest."""
        budget, per_epoch = self.settings.budget, self.updates_per_epoch
        shares = [self.global_step / (budget.epochs * per_epoch)] if budget.epochs else []
        shares += [self.global_step / budget.updates] if budget.updates else []
        if budget.seconds:
            shares.append(self.agreed_seconds() / budget.seconds)
        return min(max(shares), 1.0)

    def _count(self, name: str, loss: float, logits: Tensor, y: Tensor) -> None:
        """Count photos of this rank; ``loss`` is summed over them."""
        y_true, y_pred = y.cpu().numpy(), logits.detach().argmax(1).cpu().numpy()
        self._confusion[name] += confusion_matrix(y_true, y_pred, self.n_classes)
        self._loss[name][0] += loss
        self._loss[name][1] += len(y)

    def _scores(self, name: str) -> dict[str, float]:
        """Of the photos that all ranks counted."""
        counted = torch.tensor([*self._confusion[name].ravel(), *self._loss[name]], dtype=torch.float64)
        *counts, total, n = summed(counted.to(self.device)).tolist()
        confusion = np.array(counts, int).reshape(self.n_classes, self.n_classes)
        return {
            "loss": total / max(n, 1),
            "accuracy": float(np.trace(confusion) / max(confusion.sum(), 1)),
            "macro_f1": float(macro_f1(confusion)) if confusion.sum() else 0.0,
        }

    def _reset(self) -> None:
        for name in ("train", "val"):
            self._confusion[name][:] = 0
            self._loss[name] = [0.0, 0.0]


def cross_entropy(logits: Tensor, wanted: Tensor, weights: Tensor | None = None, *, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy with classes, or with shares of them: shares that are wholly of one class have its loss.

    PyTorch divides by the weights of a batch where it is given classes, but by the number of photos where it is given
    shares. Here both are divided by the weights.

    Args:
        logits: (N, K).
        wanted: class indices (N,), or shares (N, K) whose rows sum to 1.
        weights: (K,) of the classes; None weighs all photos alike.
        smoothing: share of the target that is spread over all classes, in [0, 1).
    """
    loss = functional.cross_entropy(logits, wanted, weight=weights, label_smoothing=smoothing)
    if weights is None or not wanted.is_floating_point():
        return loss
    return loss * len(wanted) / (wanted @ weights).sum()


def batch_loss(
    logits: Tensor, wanted: Tensor, weights: Tensor | None = None, *, smoothing: float = 0.0
) -> tuple[Tensor, int]:
    """What this rank's photos (N) add to the mean loss of the batch of all ranks, and how many photos that has.

    Args:
        logits, wanted, weights, smoothing: as for ``cross_entropy``; N may be 0.
    """
    if ranks() == 1:
        return cross_entropy(logits, wanted, weights, smoothing=smoothing), len(wanted)
    loss = cross_entropy(logits, wanted, weights, smoothing=smoothing) if len(wanted) else logits.sum()
    own = logits.new_tensor([_weight(wanted, weights), len(wanted)])
    of_all = summed(own)
    return loss * own[0] / of_all[0], int(of_all[1].item())


def _weight(wanted: Tensor, weights: Tensor | None) -> float:
    """What ``cross_entropy`` divides by."""
    if weights is None:
        return float(len(wanted))
    return float((wanted @ weights if wanted.is_floating_point() else weights[wanted]).sum())


def _seed_of_epoch(seed: int, epoch: int) -> int:
    """Of augmentation and dropout on this rank; on the first it is that of a single process."""
    if rank() == 0:
        return seed * 1_000_003 + epoch
    return int(np.random.SeedSequence((seed, epoch, rank())).generate_state(1)[0])


def cosine_rate(spent: float, warm_up: float) -> float:
    """Factor on the learning rate when a share of the budget is spent: a linear rise, then a cosine to a hundredth.

    Args:
        spent: share of the budget, in [0, 1].
        warm_up: share of it that rises, in [0, 1).
    """
    if spent < warm_up:
        return max(spent / warm_up, 0.01)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (spent - warm_up) / (1 - warm_up)))


class _Journal(Callback):
    """Writes history and TensorBoard events, reports progress, and ends a budget in seconds.

    Signals are none of Lightning's business, which only notes SIGTERM and then ends well: as soon as it has taken them
    over, they do again what they did when this was made.
    """

    def __init__(self, folder: Path, budget: Budget, advance: Advance) -> None:
        self._handlers = signal_handlers()
        self._folder, self._budget, self._advance = folder, budget, advance

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        restore_handlers(self._handlers)
        self._stop_if_spent(trainer, pl_module)
        self._advance(trainer.global_step)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self._advance(1)
        self._stop_if_spent(trainer, pl_module)

    def _stop_if_spent(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        seconds = self._budget.seconds
        if seconds is not None and cast(ExpressionModule, pl_module).agreed_seconds() >= seconds:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            self._write(trainer, cast(ExpressionModule, pl_module))

    def _write(self, trainer: pl.Trainer, module: ExpressionModule) -> None:
        writer = cast(TensorBoardLogger, trainer.logger).experiment
        for row in module.history.take_new():
            epoch = int(row["epoch"])
            writer.add_scalar("Loss/train", row["train_loss"], epoch)
            writer.add_scalar("Loss/val", row["val_loss"], epoch)
            writer.add_scalar("Acc/train", row["train_accuracy"], epoch)
            writer.add_scalar("Acc/val", row["val_accuracy"], epoch)
            writer.add_scalar("F1_macro/val", row["val_macro_f1"], epoch)
            writer.add_scalar("LR", row["learning_rate"], epoch)
            if epoch % HISTOGRAM_EPOCHS == 0:
                for name, weights in module.network.named_parameters():
                    writer.add_histogram(name, weights.detach().cpu(), epoch)
        writer.flush()  # whatever ends the process, the events of whole epochs stand
        module.history.write(self._folder / "history.csv")


def fit(
    network: nn.Module,
    splits: tuple[TrainingSet, TrainingSet],
    settings: TrainSettings,
    *,
    seed: int,
    n_classes: int,
    device: str,
    folder: Path,
    advance: Advance,
) -> nn.Module:
    """Train, keeping the state that validates best; goes on from ``folder``'s last checkpoint where there is one.

    Args:
        splits: train and validation photos.
        device: ``cpu`` or ``cuda``; ``cuda:4`` trains in four processes on a GPU each, ``cpu:2`` in two without.
        folder: of the run; gets ``history.csv``, TensorBoard events and ``checkpoints/``.

    Returns:
        The network with its best weights, on the CPU, in evaluation mode.
    """
    training = _Training(network, splits, settings, seed, n_classes, device, folder)
    if device_count(device) == 1:
        training.run(advance)
    else:
        backend = "nccl" if device_kind(device) == "cuda" else "gloo"
        side_by_side(training.run, device_count(device), backend, advance)
    module = training.module()
    module.load_state_dict(_checkpoint(training.checkpoints / "best.ckpt")["state_dict"])
    return module.network.cpu().eval()


@dataclass(frozen=True)
class _Training:
    """A training as it can be sent to the processes that do it together."""

    network: nn.Module
    splits: tuple[TrainingSet, TrainingSet]
    settings: TrainSettings
    seed: int
    n_classes: int
    device: str
    folder: Path

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def module(self) -> ExpressionModule:
        """The network as it is now, with what trains it."""
        balanced = self.settings.balance == "loss"
        weights = torch.from_numpy(class_weights(self.splits[0].y, self.n_classes)) if balanced else None
        network = self.network.to(memory_format=torch.channels_last)
        return ExpressionModule(network, self.settings, self.seed, self.n_classes, weights)

    def run(self, advance: Advance) -> str:
        """Train until the last checkpoint is written; of several ranks, the first writes.

        Returns:
            A hash of the weights in the end.
        """
        train, val = self.splits
        order, module, last = (
            EpochOrder(train.y, self.settings, self.seed),
            self.module(),
            self.checkpoints / "last.ckpt",
        )
        module.updates_per_epoch = order.per_epoch
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
            trainer = _trainer(self.settings, self.device, self.folder, order.per_epoch, advance)
            if last.exists():  # Lightning draws the first order before it tells the epoch
                order.set_epoch(_checkpoint(last)["epoch"] + 1)
            in_order = [share(batch) for batch in _in_order(len(val.rows), self.settings.batch_size)]
            with _told_plainly(self.settings):
                trainer.fit(
                    module,
                    DataLoader(PhotoBatches(train), sampler=Shares(order), batch_size=None),
                    DataLoader(PhotoBatches(val), sampler=in_order, batch_size=None),
                    ckpt_path=str(last) if last.exists() else None,
                    weights_only=True,
                )
        return digest(module.network)


@contextmanager
def _told_plainly(settings: TrainSettings) -> Iterator[None]:
    """End as other work does where Lightning would end otherwise, and where a GPU has no more room."""
    before = signal_handlers()
    try:
        yield
    except SIGTERMException:  # Lightning ends well then, as if there were a model
        raise SystemExit(128 + signal.SIGTERM) from None
    except SystemExit as end:  # Lightning turns Ctrl-C into exit 1 and turns further ones off
        if not isinstance(end.__context__, KeyboardInterrupt):
            raise
        raise KeyboardInterrupt from None
    except torch.OutOfMemoryError as error:
        raise WorkFailedError(
            f"a GPU has too little memory for {settings.batch_size} photos of {settings.size} px at a time; give a "
            "smaller --size, or close what else uses it"
        ) from error
    finally:
        restore_handlers(before)


def _checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds.

    Raises:
        OutputError: if it is damaged.
    """
    mend = f"remove {path.parent}, and --resume trains this run again"
    try:
        state: dict[str, Any] = torch.load(regular(check_kept(path, mend)), map_location="cpu", weights_only=True)
    except OutputError:
        raise
    except Exception as error:  # whatever a pickle that is cut or changed leads to
        raise OutputError(f"{path}: a checkpoint that cannot be read ({type(error).__name__}); {mend}") from error
    return state


def _trainer(settings: TrainSettings, device: str, folder: Path, per_epoch: int, advance: Advance) -> pl.Trainer:
    # Lightning's save_last follows the best state only, so the last state has a keeper of its own. The best is
    # kept first: the last one then knows of it.
    keepers = [
        ModelCheckpoint(
            folder / "checkpoints",
            filename=name,
            monitor=monitor,
            mode="max",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        for name, monitor in (("best", "score"), ("last", None))
    ]
    averaging = [EMAWeightAveraging(decay=settings.ema_decay)] if settings.ema_decay is not None else []
    return pl.Trainer(
        accelerator="gpu" if device_kind(device) == "cuda" else "cpu",
        devices=ranks(),
        # Parts of the gradient keep the order that they begin with: else it could be another after a stop, and sums
        # with it. Running statistics are the same on all ranks (``whole_batch``), so none need to be sent.
        strategy=DDPStrategy(find_unused_parameters=True, broadcast_buffers=False) if ranks() > 1 else "auto",
        use_distributed_sampler=False,
        precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
        max_epochs=_max_epochs(settings.budget, per_epoch),
        gradient_clip_val=settings.clip_norm,
        logger=TensorBoardLogger(folder, name="", version="tensorboard"),
        callbacks=[*averaging, _Journal(folder, settings.budget, advance), *keepers],
        plugins=[WholeCheckpoints(), _Started()],
        deterministic="warn",
        benchmark=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


class _Started(LightningEnvironment):
    """Processes that are started by mien; under Slurm Lightning would start them, and requeue the job by itself."""

    @property
    def creates_processes_externally(self) -> bool:
        return True

    def world_size(self) -> int:
        return ranks()

    def global_rank(self) -> int:
        return rank()

    def local_rank(self) -> int:
        return rank()


def _in_order(n: int, batch: int) -> list[list[int]]:
    return [list(range(i, min(i + batch, n))) for i in range(0, n, batch)]


def _max_epochs(budget: Budget, per_epoch: int) -> int:
    """Epochs after which the budget is surely spent; -1 if only seconds limit it."""
    limits = [budget.epochs] if budget.epochs else []
    if budget.updates:
        limits.append(math.ceil(budget.updates / per_epoch))
    return min(limits, default=-1)
