import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from hgld.errors import InputError
from hgld.training.model.embedding import build_model
from hgld.training.run.fitting import centre_vectors, pca_whitening, whiten_projection
from tests.training.model.test_embedding import TINY, pictures

HEADED = dataclasses.replace(TINY, embedding_dim=6)


def correlated(count: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    values = torch.randn(count, width, generator=generator, dtype=torch.float64)
    return values @ mixing + torch.arange(width, dtype=torch.float64)


def test_it_equals_the_hand_computed_value() -> None:
    # Mean (2, 1/2); variances 4 * 4 / 3 and 4 * (1/4) / 3 along the axes, which are uncorrelated.
    features = torch.tensor([[0.0, 0], [4, 0], [0, 1], [4, 1]], dtype=torch.float64)
    weight, bias = pca_whitening(features, 2)
    expected = torch.diag(torch.tensor([3 / 16, 3], dtype=torch.float64).sqrt())
    torch.testing.assert_close(weight, expected)
    torch.testing.assert_close(bias, -expected @ torch.tensor([2, 0.5], dtype=torch.float64))


@pytest.mark.parametrize("dim", [1, 4, 7])
def test_it_keeps_the_directions_of_the_largest_variance_largest_first(dim: int) -> None:
    features = correlated(50, 7)
    weight, bias = pca_whitening(features, dim)
    centred = features.numpy() - features.numpy().mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(centred.T))  # smallest first
    theirs = centred @ directions[:, ::-1][:, :dim] / np.sqrt(variances[::-1][:dim])
    ours = (features @ weight.T + bias).numpy()
    signs = np.sign((ours * theirs).sum(axis=0))  # a direction and its opposite are one
    np.testing.assert_allclose(ours * signs, theirs, atol=1e-9)
    largest = weight.gather(1, weight.abs().argmax(dim=1, keepdim=True))
    assert (largest > 0).all()
    mirrored, _ = pca_whitening(-features, dim)
    torch.testing.assert_close(mirrored, weight)


def test_fewer_directions_than_asked_for_are_refused() -> None:
    features = correlated(4, 7)  # four points differ in three directions
    pca_whitening(features, 3)
    for fewer, dim in ((features, 4), (torch.ones(5, 3), 1)):
        with pytest.raises(ValueError, match="dim"):
            pca_whitening(fewer, dim)
    features[1, 2] = math.nan
    with pytest.raises(ValueError, match="finite"):
        pca_whitening(features, 3)


def test_a_linear_layer_whitens_what_it_is_given_or_stays_as_it_is() -> None:
    model, before = build_model(HEADED), build_model(HEADED)
    images = pictures(40, 32)
    with pytest.raises(InputError, match="embedding_dim"):
        whiten_projection(model, [pictures(5, 32)])  # too few
    torch.testing.assert_close(model(images), before(images))
    whiten_projection(model, torch.split(images, 16))
    assert model.projection is not None
    with torch.no_grad():
        white = model.projection(model.describe(images))
        embeddings = model(images)
    torch.testing.assert_close(white.mean(dim=0), torch.zeros(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(white.T.cov(), torch.eye(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(embeddings, functional.normalize(white, dim=1))
    after = model.backbone.state_dict()
    assert all(torch.equal(one, after[name]) for name, one in before.backbone.state_dict().items())


def test_the_mean_of_training_images_is_taken_from_every_vector() -> None:
    plain = build_model(TINY)
    model = build_model(dataclasses.replace(TINY, centring=True, scales=(1.0, 1.5)))
    images = pictures(40, 32)
    with torch.no_grad():
        vectors = plain(images)
        for _ in range(2):  # again, and it is the same mean
            centre_vectors(model, torch.split(images, 16))
            torch.testing.assert_close(model.centre, vectors.mean(dim=0))
        expected = functional.normalize(vectors - vectors.mean(dim=0), dim=1)
        torch.testing.assert_close(model.at_scales(images, (1.0,)), expected)
        larger = functional.normalize(plain.at_scales(images, (1.5,)) - vectors.mean(dim=0), dim=1)
        torch.testing.assert_close(model(images), functional.normalize(expected + larger, dim=1))
