"""PCA whitening, against its definition and what numpy gives."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from hgld.errors import InputError
from hgld.training.model.embedding import build_model
from hgld.training.model.whitening import centre_vectors, pca_whitening, whiten_projection
from tests.training.model.test_embedding import TINY, pictures

HEADED = dataclasses.replace(TINY, embedding_dim=6)


def correlated(count: int, width: int, *, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(width, width, generator=generator, dtype=dtype)
    values = torch.randn(count, width, generator=generator, dtype=dtype)
    return values @ mixing + torch.arange(width, dtype=dtype)


def test_it_equals_the_hand_computed_value() -> None:
    # Mean (2, 1/2); variances 4 * 4 / 3 and 4 * (1/4) / 3 along the axes, which are uncorrelated.
    features = torch.tensor([[0.0, 0], [4, 0], [0, 1], [4, 1]], dtype=torch.float64)
    weight, bias = pca_whitening(features, 2)
    expected = torch.diag(torch.tensor([3 / 16, 3], dtype=torch.float64).sqrt())
    torch.testing.assert_close(weight, expected)
    torch.testing.assert_close(bias, -expected @ torch.tensor([2, 0.5], dtype=torch.float64))


@pytest.mark.parametrize("dim", [1, 4, 7])
def test_what_is_whitened_has_mean_0_and_the_identity_as_covariance(dim: int) -> None:
    features = correlated(50, 7)
    weight, bias = pca_whitening(features, dim)
    white = features @ weight.T + bias
    assert weight.shape == (dim, 7)
    zero = torch.zeros(dim, dtype=torch.float64)
    torch.testing.assert_close(white.mean(dim=0), zero, atol=1e-10, rtol=0)
    covariance = torch.from_numpy(np.cov(white.numpy().T).reshape(dim, dim))
    identity = torch.eye(dim, dtype=torch.float64)
    torch.testing.assert_close(covariance, identity, atol=1e-10, rtol=0)


def test_it_keeps_the_directions_of_the_largest_variance_largest_first() -> None:
    features = correlated(60, 9)
    weight, bias = pca_whitening(features, 5)
    centred = features.numpy() - features.numpy().mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(centred.T))  # smallest first
    theirs = centred @ directions[:, ::-1][:, :5] / np.sqrt(variances[::-1][:5])
    ours = (features @ weight.T + bias).numpy()
    signs = np.sign((ours * theirs).sum(axis=0))  # a direction and its opposite are one
    np.testing.assert_allclose(ours * signs, theirs, atol=1e-9)
    single, _ = pca_whitening(features.float(), 5)
    assert single.dtype == torch.float32


def test_the_largest_component_of_a_direction_is_positive() -> None:
    weight, _ = pca_whitening(correlated(50, 7), 7)
    largest = weight.gather(1, weight.abs().argmax(dim=1, keepdim=True))
    assert (largest > 0).all()
    mirrored, _ = pca_whitening(-correlated(50, 7), 7)
    torch.testing.assert_close(mirrored, weight)


def test_fewer_directions_than_asked_for_are_refused() -> None:
    features = correlated(4, 7)  # four points differ in three directions
    pca_whitening(features, 3)
    for fewer, dim in ((features, 4), (torch.ones(5, 3), 1), (torch.empty(0, 3), 1)):
        with pytest.raises(ValueError, match="dim"):
            pca_whitening(fewer, dim)


@pytest.mark.parametrize(
    ("features", "dim", "error", "word"),
    [
        (torch.zeros(3), 1, ValueError, "features"),
        (torch.tensor([[1.0, float("nan")]]), 1, ValueError, "finite"),
        (torch.eye(3), 0, ValueError, "dim"),
        ([[1.0]], 1, TypeError, "features"),
    ],
)
def test_what_cannot_be_whitened_is_refused(
    features: torch.Tensor, dim: int, error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        pca_whitening(features, dim)


def test_a_linear_layer_whitens_what_it_is_given() -> None:
    model = build_model(HEADED).train()
    images = pictures(40, 32)
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}

    whiten_projection(model, torch.split(images, 16))

    assert model.training
    model.eval()
    assert model.projection is not None
    with torch.no_grad():
        white = model.projection(model.describe(images))
        embeddings = model(images)
    torch.testing.assert_close(white.mean(dim=0), torch.zeros(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(white.T.cov(), torch.eye(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(embeddings, functional.normalize(white, dim=1))
    after = model.backbone.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_linear_layer_that_cannot_be_whitened_stays_as_it_is() -> None:
    model = build_model(HEADED)
    expected = model(pictures(2, 32))
    for batches in ([pictures(5, 32)], []):
        with pytest.raises(InputError, match="embedding_dim"):
            whiten_projection(model, batches)
    assert torch.equal(model(pictures(2, 32)), expected)
    with pytest.raises(ValueError, match="embedding_dim"):
        whiten_projection(build_model(TINY), [pictures(5, 32)])


def test_the_mean_of_training_images_is_taken_from_every_vector() -> None:
    plain = build_model(TINY)
    model = build_model(dataclasses.replace(TINY, centring=True, scales=(1.0, 1.5))).train()
    images = pictures(40, 32)
    with torch.no_grad():
        vectors = plain(images)
        for _ in range(2):  # again, and it is the same mean
            centre_vectors(model, torch.split(images, 16))
            assert model.training
            torch.testing.assert_close(model.centre, vectors.mean(dim=0))
        model.eval()
        expected = functional.normalize(vectors - vectors.mean(dim=0), dim=1)
        torch.testing.assert_close(model.at_scales(images, (1.0,)), expected)
        larger = functional.normalize(plain.at_scales(images, (1.5,)) - vectors.mean(dim=0), dim=1)
        torch.testing.assert_close(model(images), functional.normalize(expected + larger, dim=1))
    with pytest.raises(ValueError, match="centring"):
        centre_vectors(plain, [images])
