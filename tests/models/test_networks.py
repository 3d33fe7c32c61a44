"""The networks are those of the notebook, layer by layer, and normalise pixels themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from mien.models.networks import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    EmotionCNN,
    PhotoNetwork,
    PixelInput,
    TwoStreamFeatures,
    TwoStreamNetwork,
)
from mien.training.head import fit_heads

CHANNELS = (3, 32, 64, 128, 256)
DROPOUTS = (0.2, 0.3, 0.4, 0.5)


def leaves(network: nn.Module) -> list[nn.Module]:
    """The layers without layers inside, in order."""
    return [module for module in network.modules() if not list(module.children())]


def describe(layer: nn.Module) -> tuple[object, ...]:
    """What decides a layer's work."""
    kind = type(layer).__name__
    if isinstance(layer, nn.Conv2d):
        shape = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.padding, layer.stride, layer.dilation)
        return (kind, *shape, layer.groups, layer.bias is not None)
    if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
        return (kind, layer.num_features, layer.affine, layer.track_running_stats)
    if isinstance(layer, nn.Dropout2d | nn.Dropout):
        return (kind, layer.p)
    if isinstance(layer, nn.MaxPool2d):
        return (kind, layer.kernel_size, layer.stride, layer.padding)
    if isinstance(layer, nn.Linear):
        return (kind, layer.in_features, layer.out_features, layer.bias is not None)
    if isinstance(layer, nn.AdaptiveAvgPool2d):
        return (kind, layer.output_size)
    return (kind,)


def notebook_layers(n_classes: int) -> list[tuple[object, ...]]:
    """Row N8."""
    layers: list[tuple[object, ...]] = []
    for narrow, wide, dropout in zip(CHANNELS, CHANNELS[1:], DROPOUTS, strict=False):
        for channels in (narrow, wide):
            layers.append(("Conv2d", channels, wide, (3, 3), (1, 1), (1, 1), (1, 1), 1, True))
            layers += [("BatchNorm2d", wide, True, True), ("ReLU",)]
        layers += [("MaxPool2d", 2, 2, 0), ("Dropout2d", dropout)]
    layers += [("AdaptiveAvgPool2d", 1), ("Flatten",), ("Linear", 256, 128, True), ("ReLU",)]
    return [*layers, ("BatchNorm1d", 128, True, True), ("Dropout", 0.5), ("Linear", 128, n_classes, True)]


def test_emotion_cnn_has_the_layers_of_the_notebook() -> None:
    assert [describe(layer) for layer in leaves(EmotionCNN(6))] == notebook_layers(6)


def test_emotion_cnn_runs_its_layers_in_that_order() -> None:
    network, ran = EmotionCNN(6).eval(), []
    for layer in leaves(network):
        layer.register_forward_hook(lambda layer, *_: ran.append(describe(layer)))
    with torch.inference_mode():
        network(torch.zeros(1, 3, 32, 32))
    assert ran == notebook_layers(6)


def test_emotion_cnn_has_the_parameters_of_the_notebook() -> None:
    parameters = list(EmotionCNN(6).parameters())
    assert sum(p.numel() for p in parameters) == 1_208_102
    assert all(p.requires_grad for p in parameters)


@pytest.mark.parametrize(("n_classes", "side"), [(2, 16), (6, 48), (7, 33)])
def test_emotion_cnn_gives_a_logit_a_class(n_classes: int, side: int) -> None:
    with torch.inference_mode():
        assert EmotionCNN(n_classes).eval()(torch.zeros(3, 3, side, side)).shape == (3, n_classes)


@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_dropout_can_be_scaled(scale: float) -> None:
    rates = [
        layer.p for layer in leaves(EmotionCNN(6, dropout_scale=scale)) if isinstance(layer, nn.Dropout2d | nn.Dropout)
    ]
    assert rates == pytest.approx([p * scale for p in (*DROPOUTS, 0.5)])


def pixels(n: int = 2, side: int = 32, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, side, side, 3), dtype=torch.uint8, generator=generator)


def test_bytes_and_floats_are_the_same_input() -> None:
    layer, image = PixelInput(IMAGENET_MEAN, IMAGENET_STD), pixels()
    floats = image.permute(0, 3, 1, 2).float() / 255
    assert torch.equal(layer(image), layer(floats))
    assert layer(image).shape == (2, 3, 32, 32)


def test_input_is_normalised_channel_by_channel() -> None:
    layer = PixelInput((0.5, 0.25, 0.0), (0.5, 0.25, 1.0))
    image = torch.tensor([255, 0, 51], dtype=torch.uint8).view(1, 1, 1, 3)
    assert layer(image).flatten().tolist() == pytest.approx([1.0, -1.0, 0.2])


def test_imagenet_statistics_are_those_of_the_notebook() -> None:
    assert IMAGENET_MEAN == (0.485, 0.456, 0.406)
    assert IMAGENET_STD == (0.229, 0.224, 0.225)


def test_normalisation_is_no_part_of_the_weights() -> None:
    assert all(name.startswith("body.") for name in PhotoNetwork(EmotionCNN(2), (0.0,) * 3, (1.0,) * 3).state_dict())


def test_photo_network_is_its_body_on_normalised_pixels() -> None:
    body = EmotionCNN(3).eval()
    network = PhotoNetwork(body, IMAGENET_MEAN, IMAGENET_STD).eval()
    with torch.inference_mode():
        expected = body(PixelInput(IMAGENET_MEAN, IMAGENET_STD)(pixels()))
        assert torch.equal(network(pixels()), expected)


def test_two_stream_network_joins_photo_and_face_in_that_order() -> None:
    backbone = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    head = nn.Linear(10, 4)
    stream = PhotoNetwork(backbone, IMAGENET_MEAN, IMAGENET_STD)
    features = TwoStreamFeatures(stream, stream)
    photo, face, layer = pixels(side=48), pixels(side=32, seed=1), PixelInput(IMAGENET_MEAN, IMAGENET_STD)
    with torch.inference_mode():
        joined = torch.cat([backbone(layer(photo)), backbone(layer(face))], dim=1)
        assert torch.equal(features(photo, face), joined)
        assert torch.equal(TwoStreamNetwork(features, head)(photo, face), head(joined))


def test_picture_without_a_scene_is_answered_by_the_head_for_faces() -> None:
    backbone = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    stream = PhotoNetwork(backbone, IMAGENET_MEAN, IMAGENET_STD)
    features, head, face_head = TwoStreamFeatures(stream, stream), nn.Linear(10, 4), nn.Linear(10, 4)
    photo, face = pixels(side=48), pixels(side=32, seed=1)
    photo[0] = 127
    with torch.inference_mode():
        logits, joined = TwoStreamNetwork(features, head, face_head)(photo, face), features(photo, face)
        assert torch.equal(logits[0], face_head(joined)[0])
        assert torch.equal(logits[1:], head(joined)[1:])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_features", [5, 200])
def test_head_is_a_logistic_regression_with_the_scaler_folded_in(n_classes: int, n_features: int) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % n_classes
    features = (rng.normal(size=(90, n_features)) * rng.uniform(1, 5, n_features) + y[:, None] + 7).astype(np.float32)
    expected = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)).fit(features, y)
    ((weight, bias),) = fit_heads([0.1], features, y)
    assert (weight.shape, bias.shape) == ((n_classes, n_features), (n_classes,))
    probs = torch.from_numpy(features @ weight.T + bias).softmax(1).numpy()
    assert np.abs(probs - expected.predict_proba(features)).max() < 2e-3


def test_feature_that_hardly_ever_speaks_cannot_decide_alone() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    features = (rng.normal(size=(200, 8)) + y[:, None]).astype(np.float32)
    features[:, 7] = 0
    features[0, 7] = 1e-4
    ((weight, _),) = fit_heads([0.1], features, y)
    assert np.abs(weight[:, 7]).max() < 0.1 * np.abs(weight[:, :7]).max()


def test_mirrored_photos_are_learnt_from() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    features, mirrored = (rng.normal(size=(60, 4)).astype(np.float32) + y[:, None] for _ in range(2))
    ((weight, bias),) = fit_heads([0.1], features, y, mirrored)
    ((both_weight, both_bias),) = fit_heads([0.1], np.concatenate([features, mirrored]), np.tile(y, 2))
    assert np.array_equal(weight, both_weight)
    assert np.array_equal(bias, both_bias)
