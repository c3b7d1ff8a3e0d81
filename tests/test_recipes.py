"""Every published recipe against a plain re-telling of its source, and what the engine has for their sake.

A step is told from the image that the ascent has before it: the starts are equal and each step is, so the runs are, and
rounding, which such steep ascents multiply, does not build up.
"""

import math
import subprocess
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision
from conftest import RGB
from scipy import ndimage
from torch import nn

import vizkit
from vizkit import VizkitError
from vizkit.images import from_picture
from vizkit.networks import resized
from vizkit.recipes import RECIPES
from vizkit.regularization import side_by_side

FLAMINGO = 130
PUBLISHED = [
    *("simonyan", "ozbulak", "ozbulak-regularized", "ozbulak-l2", "ozbulak-l1", "saket", "cs231n"),
    *("yosinski-a", "yosinski-b", "yosinski-c", "yosinski-d", "lucid", "horama", "maco", "tf-keras-vis"),
]
SMALL = 96  # a side instead of horama's 1280


def small(name):
    """The recipe; where it is of a large image, of a small one."""
    one = vizkit.recipe(name)
    return replace(one, basis=replace(one.basis, scale=1.0, size=SMALL)) if getattr(one.basis, "scale", 1) != 1 else one


def drawn(step, name, nth=0, seed=0):
    """The randomness that a regularizer has in a step: it follows from these four alone."""
    return torch.Generator().manual_seed(zlib.crc32(f"{seed} {step} {name} {nth}".encode()))


def score_of(net, x):
    return net.network(x.contiguous(memory_format=torch.channels_last))[:, FLAMINGO]


def gradient_of(net, x, penalty=lambda x: 0.0):
    """Of score − penalty, as an array; x is an array, too."""
    x = torch.as_tensor(x, dtype=torch.float32).requires_grad_(True)
    (score_of(net, x) - penalty(x)).sum().backward()
    return x.grad.numpy()


def range_of(net):
    return net.mean.numpy(), net.std.numpy()


def assert_close(actual, expected, tolerance=1e-3, share=0.0):
    """Equal up to rounding, but for a share of the values, on which rounding has tipped a threshold."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.mean(np.abs(actual - expected) > tolerance) <= share


# pytorch-cnn-visualizations.


def ozbulak(net, x, i, weight_decay=0.0, blur=0.0, penalty=lambda x: 0.0):
    """One turn of its loop, whose i begins at 1: from normalised bytes to bytes. The next turn's blur comes with it."""
    mean, std = (values[0].transpose(1, 2, 0) for values in range_of(net))
    x = x.clone().requires_grad_(True)
    optimizer = torch.optim.SGD([x], lr=6, weight_decay=weight_decay)
    (penalty(x) - score_of(net, x)).sum().backward()
    optimizer.step()
    values = x.detach().numpy()[0].transpose(1, 2, 0) * std + mean
    picture = np.round(np.clip(values, 0, 1) * 255)
    if blur and (i + 1) % 4 == 0:  # PIL blurs bytes to bytes, and goes on beyond the edge as scipy's "reflect" does
        picture = np.round(ndimage.gaussian_filter(picture, (blur, blur, 0), mode="reflect", truncate=4))
    return picture.astype(np.uint8)


OZBULAK = {
    "ozbulak": {},
    "ozbulak-regularized": {"weight_decay": 1e-4, "blur": 1.0},
    "ozbulak-l2": {"penalty": lambda x: 1e-2 * (x**2).sum()},
    "ozbulak-l1": {"penalty": lambda x: 1e-2 * x.abs().sum()},
}


@pytest.mark.parametrize("name", OZBULAK)
def test_ozbulak_is_the_loop_of_that_script_picture_by_picture(net, name):
    ascent = vizkit.recipe(name).ascend(net, FLAMINGO, steps=9)
    levels = torch.randint(0, 256, (1, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    assert np.array_equal(ascent.picture, levels[0].permute(1, 2, 0))
    before = ascent.image
    for step in ascent:
        difference = np.abs(ascent.picture.astype(int) - ozbulak(net, before, step.index + 1, **OZBULAK[name]))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3
        before = ascent.image
        in_bytes = from_picture(net, ascent.picture)
        assert torch.allclose(before, in_bytes, atol=1e-5)
    assert vizkit.recipe(name).steps == 149


# Simonyan, and the implementation by Saket.


def test_simonyan_climbs_from_zero_by_score_minus_the_sum_of_squares(net):
    recipe = vizkit.recipe("simonyan")
    (part,) = recipe.regularizer.parts
    ascent = recipe.ascend(net, FLAMINGO, steps=6)
    x = np.zeros((1, 3, 224, 224), np.float32)
    assert np.array_equal(ascent.start_image, x)
    for _ in ascent:
        x = x + recipe.learning_rate * gradient_of(net, x, lambda x: part.strength * (x**2).sum())
        assert_close(ascent.image, x, 1e-4)
        x = ascent.image.numpy()
    assert part.strength > 0


def test_saket_adds_the_gradient_of_score_minus_a_hundredth_of_the_mean_square(net):
    ascent = vizkit.recipe("saket").ascend(net, FLAMINGO, steps=6)
    x = ascent.start_image.numpy()
    assert x.std() < 20 / 255 / float(net.std.max())  # as faint as its photo, of 20 levels in all
    for _ in ascent:
        x = x + gradient_of(net, x, lambda x: 0.01 * (x**2).mean())
        assert_close(ascent.image, x, 1e-4)
        x = ascent.image.numpy()


def test_saket_starts_from_a_photo_where_one_is_given(net):
    photo = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    faint = (photo / 255 * 20 + 128).astype(np.uint8)
    ascent = vizkit.recipe("saket").ascend(net, FLAMINGO, steps=1, start=faint)
    assert np.array_equal(ascent.picture, faint)


# CS231n.


def rolled(x, ox, oy):
    """The assignment's own `jitter`: ox to the right, oy down, each by cutting and gluing."""
    if ox:
        x = np.concatenate([x[:, :, :, -ox:], x[:, :, :, :-ox]], axis=3)
    if oy:
        x = np.concatenate([x[:, :, -oy:], x[:, :, :-oy]], axis=2)
    return x


def test_cs231n_is_the_loop_of_the_assignment_step_by_step(net):
    ascent = vizkit.recipe("cs231n").ascend(net, FLAMINGO, steps=12)
    start = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ascent.start_image, start)
    mean, std = range_of(net)
    x, offsets = start.numpy(), []
    for t, _ in enumerate(ascent):
        oy, ox = torch.randint(0, 16, (2,), generator=drawn(t, "jitter")).tolist()
        offsets += [oy, ox]
        x = rolled(x, ox, oy)
        x = x + 25 * gradient_of(net, x, lambda x: 1e-3 * (x**2).sum())
        x = rolled(x, -ox, -oy)
        x = np.clip(x, -mean / std, (1 - mean) / std)
        if t % 10 == 0:
            x = ndimage.gaussian_filter1d(ndimage.gaussian_filter1d(x, 0.5, axis=2), 0.5, axis=3)
        assert_close(ascent.image, x, 1e-3)
        x = ascent.image.numpy()
    assert min(offsets) < 3
    assert max(offsets) > 12
    assert vizkit.recipe("cs231n").steps == 100


# Yosinski et al.

YOSINSKI = {
    "yosinski-a": ({"blur": 0.5, "norm": 50}, 500),
    "yosinski-b": ({"decay": 0.3, "norm": 20}, 750),
    "yosinski-c": ({"decay": 1e-4, "blur": 1.0}, 1000),
    "yosinski-d": ({"blur": 0.5, "contribution": 90}, 500),
}


def yosinski(net, x, i, rate, decay=0.0, blur=0.0, norm=0, contribution=0):
    """One turn of the loop of their deep-visualization-toolbox, after its crop to the valid range."""
    gradient = gradient_of(net, x)
    x = x + rate * gradient
    x = x * (1 - decay)
    if blur and i % 4 == 0:
        x = np.stack([[ndimage.gaussian_filter(channel, blur) for channel in x[0]]])
    if norm:
        norms = np.linalg.norm(x, axis=1, keepdims=True)
        x = np.where(norms < np.percentile(norms, norm), 0, x)
    if contribution:
        benefit = np.abs((gradient * -x).sum(axis=1, keepdims=True))
        x = np.where(benefit < np.percentile(benefit, contribution), 0, x)
    return x


@pytest.mark.parametrize("name", YOSINSKI)
def test_yosinski_steps_decays_blurs_clips_and_crops_in_this_order(net, name):
    settings, steps = YOSINSKI[name]
    recipe = vizkit.recipe(name)
    ascent = recipe.ascend(net, FLAMINGO, steps=6)
    x = ascent.start_image.numpy()
    assert x.std() == pytest.approx(10 / 255 / float(net.std[0, 0]), rel=0.03)  # N(0, 10) of 0 to 255
    mean, std = range_of(net)
    for i, _ in enumerate(ascent):
        x = yosinski(net, x, i, recipe.learning_rate, **settings)
        x = np.clip(x, -mean / std, (1 - mean) / std)
        assert_close(ascent.image, x, 1e-4, share=1e-4)
        x = ascent.image.numpy()
    assert recipe.steps == steps


# Lucid.

# Lucid's root of the colour covariance of natural pictures (lucid/optvis/param/color.py).
COLOUR = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR = COLOUR / np.linalg.norm(COLOUR, axis=0).max()


def frequency(side):
    return np.maximum(np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]), 1 / side)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def test_lucid_starts_from_its_own_basis_of_128_pixels(net):
    spectrum = 0.01 * torch.randn((1, 3, 128, 65, 2), generator=torch.Generator().manual_seed(0)).numpy()
    values = np.fft.irfft2((spectrum[..., 0] + 1j * spectrum[..., 1]) / frequency(128), (128, 128), norm="ortho") / 4
    picture = sigmoid(np.einsum("oc,bchw->bohw", COLOUR, values))
    ascent = vizkit.recipe("lucid").ascend(net, FLAMINGO, steps=1)
    assert_close(net.denormalise(ascent.image), picture, 1e-5)
    assert (ascent.settings.optimizer, ascent.learning_rate) == ("adam", 0.05)
    assert (vizkit.recipe("lucid").steps, ascent.picture.shape) == (512, (128, 128, 3))


def test_lucid_shows_the_image_shifted_scaled_and_turned_within_its_ranges(net):
    view = vizkit.recipe("lucid").regularizer.view
    ramps = torch.stack(torch.meshgrid(*[torch.arange(128.0) - 63.5] * 2, indexing="ij"))[None]
    low = high = torch.zeros(1, 2, 1, 1)
    places = np.stack(np.meshgrid(*[np.arange(224) - 111.5] * 2, indexing="ij")) * 152 / 224  # in padded pixels
    inside = np.hypot(*places) < 40
    known = np.stack([*places[:, inside], np.ones(inside.sum())], axis=1)
    angles, scales, shifts = [], [], []
    for step in range(400):
        seen = view(ramps, step=step, seed=0, low=low, high=high, sides=(224, 224))
        assert seen.shape == (1, 2, 224, 224)
        fit, residue, *_ = np.linalg.lstsq(known, seen[0].numpy()[:, inside].T, rcond=None)
        assert residue.max() < 1e-2
        angles.append(np.degrees(np.arctan2(fit[0, 1], fit[0, 0])))
        scales.append(1 / math.sqrt(np.linalg.det(fit[:2])))
        shifts += (-fit[2]).tolist()
    assert -10 <= min(angles) < -9
    assert 9 < max(angles) <= 10
    assert 0.9 <= min(scales) < 0.92
    assert 1.08 < max(scales) <= 1.1
    assert -0.6 < min(shifts) < 1  # 0 to 7, and 0 to 3 more after the turn and the scale
    assert 9 < max(shifts) < 7 + 3 * (1 / 0.9 + 0.2)


def test_lucids_frame_is_mid_grey(net):
    white = net.high.expand(1, 3, 128, 128)
    around = {"step": 0, "seed": 0, "low": net.low, "high": net.high}
    framed = net.denormalise(vizkit.pad(12).view(white, **around))
    assert framed.shape == (1, 3, 152, 152)
    assert torch.allclose(framed[:, :, 12:-12, 12:-12], torch.ones(()), atol=1e-5)
    framed[:, :, 12:-12, 12:-12] = 0.5
    assert torch.allclose(framed, torch.tensor(0.5), atol=1e-5)


# Horama and MACO.


HORAMA_COLOUR = torch.tensor(
    [
        [0.56282854, 0.58447580, 0.58447580],
        [0.19482528, 0.00000000, -0.19482528],
        [0.04329450, -0.10823626, 0.06494176],
    ]
)


def standardised(values):
    return (values - values.mean()) / (values.std() + 1e-5)


def horama_picture(parameters):
    """Before the sigmoid: a spectrum that falls as 1 / f^1.5, standardised, in the colours of natural pictures."""
    spectrum = torch.view_as_complex(parameters) * torch.tensor(frequency(SMALL) ** -1.5, dtype=torch.float32)
    values = standardised(torch.fft.irfft2(spectrum, s=(SMALL, SMALL)))
    return torch.einsum("oc,bchw->bohw", torch.tensor(COLOUR, dtype=torch.float32), values)


def maco_picture(parameters):
    """Before the sigmoid, as Horama's maco_preconditioner: only phases, standardised, under one magnitude (here 1 / f),
    and in the colours of natural pictures: by its matrix, which it multiplies from the right."""
    magnitude, phases = torch.tensor(1 / frequency(SMALL), dtype=torch.float32), standardised(parameters)
    spectrum = torch.complex(magnitude * phases.cos(), magnitude * phases.sin())
    values = standardised(torch.fft.irfft2(spectrum, s=(SMALL, SMALL)))
    return (values.permute(0, 2, 3, 1) @ HORAMA_COLOUR).permute(0, 3, 1, 2)


def crop_matrix(centre, side, inputs, outputs):
    """(outputs, inputs): bilinear samples of the part about `centre` with `side`, both in sides of the image."""
    centre = min(max(centre, side / 2), 1 - side / 2)
    places = (centre + side * ((np.arange(outputs) + 0.5) / outputs - 0.5)) * inputs - 0.5
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(inputs)))
    return torch.tensor(weights, dtype=torch.float32)


def six_crops(image, step):
    generator, crops, boxes = drawn(step, "crops"), [], []
    for _ in range(6):
        side = 0.25 + 0.05 * float(torch.rand(4, generator=generator)[0])
        down, right = (0.5 + 0.15 * torch.randn(2, generator=generator)).tolist()
        boxes.append((side, down, right))
        rows, columns = (crop_matrix(centre, side, SMALL, round(0.175 * SMALL)) for centre in (down, right))
        crops.append(rows @ image @ columns.T)
    return torch.cat(crops), boxes


def noisy(crops, step):
    """As Horama's optimization_step: normal and even noise, each crop its own."""
    generator = drawn(step, "noise")
    normal = torch.randn((6, 1, *crops.shape[1:]), generator=generator)[:, 0]
    even = torch.rand((6, 1, *crops.shape[1:]), generator=generator)[:, 0]
    return crops + 0.05 * normal + (even - 0.5) * 0.05


HORAMA = {
    "horama": (horama_picture, lambda generator: torch.randn((1, 3, SMALL, SMALL // 2 + 1, 2), generator=generator)),
    "maco": (
        maco_picture,
        lambda generator: torch.randn((1, 3, SMALL, SMALL // 2 + 1), generator=generator),
    ),
}


@pytest.fixture(scope="module")
def smooth():
    """A CNN without a kink: the first steps of NAdam go by the gradient's sign, so its last digits must not count."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, second = nn.Conv2d(3, 16, 5, 2, 2), nn.Conv2d(16, 16, 3, 2, 1)
        layers = first, nn.Tanh(), second, nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 200)
    return vizkit.Classifier(nn.Sequential(*layers), **(RGB | {"size": 224}), device="cpu")


@pytest.mark.parametrize("name", HORAMA)
def test_horama_and_maco_climb_by_six_noisy_crops(smooth, name):
    net, (picture, start) = smooth, HORAMA[name]
    ascent = small(name).ascend(net, FLAMINGO, steps=4)
    parameters = start(torch.Generator().manual_seed(0)).requires_grad_(True)
    optimizer = torch.optim.NAdam([parameters], lr=1)
    assert_close(net.denormalise(ascent.image), picture(parameters).sigmoid().detach(), 1e-4)
    for index, step in enumerate(ascent):
        optimizer.zero_grad()
        image = net.normalise(picture(parameters).sigmoid())
        crops, _ = six_crops(image, index)
        score = score_of(net, noisy(crops, index)).mean()
        (-score).backward()
        optimizer.step()
        assert step.score == pytest.approx(float(score.detach()), abs=1e-3)
        assert_close(net.denormalise(ascent.image), picture(parameters).sigmoid().detach(), 0.01, share=1e-3)
    assert (round(vizkit.recipe(name).basis.scale * 224), 1280 * 0.175) == (1280, 224)
    assert vizkit.recipe(name).steps == 1000


def test_the_six_crops_have_their_sides_and_their_spread(net):
    boxes = np.array([box for step in range(200) for box in six_crops(torch.zeros(1, 3, SMALL, SMALL), step)[1]])
    assert 0.25 <= boxes[:, 0].min() < 0.252
    assert 0.298 < boxes[:, 0].max() <= 0.3
    assert boxes[:, 1:].mean() == pytest.approx(0.5, abs=0.02)
    assert boxes[:, 1:].std() == pytest.approx(0.15, abs=0.01)
    ramps = torch.stack(torch.meshgrid(*[torch.linspace(0, 1, SMALL)] * 2, indexing="ij"))[None]
    for step in range(20):
        shown = vizkit.recipe("horama").regularizer.parts[0](image=ramps, step=step, seed=0, nth=0)
        assert torch.allclose(shown, six_crops(ramps, step)[0], atol=1e-4)


def magnitudes(net, image):
    """Of the frequencies of a picture before its sigmoid, each channel's; the two columns that are their own mirror
    image, of which half the phases do not count, are left out."""
    values = torch.logit(net.denormalise(image).double()).numpy()
    return np.abs(np.fft.rfft2(values))[..., 1 : (values.shape[-1] - 1) // 2]


def test_phases_move_and_magnitudes_never(net):
    ascent = vizkit.ascend(net, FLAMINGO, recipe="maco", basis=vizkit.Phase(size=SMALL), steps=6)
    expected = 1 / frequency(SMALL)[:, 1 : (SMALL - 1) // 2]
    before = ascent.image
    for _ in ascent:
        found = magnitudes(net, ascent.image) / expected
        assert found.min() > 0.99 * found.max()
    assert float((ascent.image - before).abs().mean()) > 0.1


# tf-keras-vis.


def keras_penalty(x):
    variation = x.diff(dim=2).abs().sum() + x.diff(dim=3).abs().sum()
    return 127.5 * variation / x.numel() + 38 * x.abs().mean()


def test_tf_keras_vis_climbs_by_rmsprop_and_never_undoes_its_shaking(net):
    ascent = vizkit.recipe("tf-keras-vis").ascend(net, FLAMINGO, steps=6)
    x, square = ascent.start_image.numpy(), np.float32(0)
    moves = []
    for index, _ in enumerate(ascent):
        gradient = gradient_of(net, x, keras_penalty)
        square = 0.999 * square + 0.001 * gradient**2
        x = x + gradient / (np.sqrt(square) + 1e-8) / 127.5
        generator = drawn(index, "shake")
        angle = 2 * float(torch.rand(1, generator=generator)) - 1  # degrees
        down, right = torch.randint(-4, 5, (2,), generator=generator).tolist()
        moves += [down, right]
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        turn, centre = np.array([[cosine, sine], [-sine, cosine]]), np.array([111.5, 111.5])
        x = np.roll(x, (down, right), axis=(2, 3))
        x = np.stack(
            [[ndimage.affine_transform(c, turn, centre - turn @ centre, order=1, mode="reflect") for c in x[0]]]
        )
        assert_close(ascent.image, x, 1e-3, share=1e-3)
        x = ascent.image.numpy()
    assert len(set(moves)) > 4
    assert vizkit.recipe("tf-keras-vis").steps == 200


# Every recipe.


class Shown(nn.Module):
    """A CNN that remembers the shapes of what it is shown."""

    def __init__(self, cnn):
        super().__init__()
        self.cnn, self.shapes = cnn, []

    def forward(self, image):
        self.shapes.append(tuple(image.shape[2:]))
        return self.cnn(image)


@pytest.mark.filterwarnings("ignore:class 0 has not moved")  # in so few steps bytes do not
@pytest.mark.parametrize("size", [(28, 28), (12, 16), (50, 30), (96, 130)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["vizkit", "small", *PUBLISHED])
def test_every_recipe_shows_every_network_the_size_it_is_made_for(make_cnn, name, channels, size):
    """The run, and the last look. Our own recipe shows parts, at their share of that size."""
    net = vizkit.Classifier(Shown(make_cnn(channels, 4)), size=size, mean=0.5, std=0.25, device="cpu")
    ascent = vizkit.ascend(net, [0, 2], recipe=name, steps=2)
    net.network.shapes.clear()
    ascent.run()
    *steps, last = net.network.shapes
    share = 0.714 if name == "vizkit" else 1
    assert steps == [(round(share * size[0]), round(share * size[1]))] * 2
    assert last == size
    height, width = ascent.picture.shape[:2]
    assert height / width == pytest.approx(size[0] / size[1], rel=0.05)
    seen = net(resized(ascent.image, size))
    assert ascent.history[-1].scores == pytest.approx([float(seen[0, 0]), float(seen[1, 2])], rel=1e-4)


def test_a_smaller_look_is_averaged_and_not_sampled(tiny):
    """Of a large image, stripes of one pixel are grey in a small one."""
    stripes = torch.ones(1, 3, 120, 160)
    stripes[..., ::2] = -1
    assert tiny.fitted(stripes).abs().max() < 0.1
    assert torch.equal(tiny.fitted(tiny.blank()), tiny.blank())
    shown = vizkit.fit().view(stripes, sides=(12, 16))
    assert torch.equal(shown, tiny.fitted(stripes))


def test_every_published_recipe_is_there_with_its_source():
    assert [one.name for one in RECIPES] == ["vizkit", "small", *PUBLISHED]
    assert all(len(one.source) > 10 for one in RECIPES)


@pytest.mark.parametrize("name", ["vizkit", "small", *PUBLISHED])
def test_the_code_of_a_recipe_makes_the_same_bits(tiny, name):
    names = {"vizkit": vizkit, "net": tiny}
    exec(vizkit.recipe(name).but(steps=2).code("'star'", seed=4), names)
    again = vizkit.recipe(name).ascend(tiny, "star", steps=2, seed=4).run()
    assert torch.equal(names["ascent"].run().image, again.image)
    assert not torch.equal(again.image, again.start_image)


def test_a_recipe_that_is_not_there_names_those_that_are():
    with pytest.raises(VizkitError) as error:
        vizkit.recipe("nope")
    assert '"nope"' in str(error.value)
    assert all(name in str(error.value) for name in PUBLISHED)


def test_the_module_prints_every_recipe_with_its_source_and_its_code():
    command = [sys.executable, "-W", "ignore", "-m", "vizkit"]
    shown = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    words = " ".join(shown.split())
    for one in RECIPES:
        assert f"\n{one.name}\n" in f"\n{shown}"
        assert " ".join(one.source.split()) in words
        assert " ".join(one.code().split()) in words


# Schedules.


@pytest.fixture(scope="module")
def linear():
    """Class scores that are linear in the image, so that first order is exact."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4))
    with torch.no_grad():
        module[1].weight.copy_(torch.randn(4, 192, generator=torch.Generator().manual_seed(0)))
        module[1].weight[1] *= 10  # another slope for another class
    return vizkit.Classifier(module, **(RGB | {"size": 8}), device="cpu")


def test_a_fading_rate_falls_in_equal_parts_to_a_fifth_in_the_last_step(linear):
    ascent = vizkit.ascend(linear, 0, learning_rate=0.5, schedule="fading", steps=9)
    gradient, moves, before = linear.network[1].weight[0].norm(), [], ascent.image
    for _ in ascent:
        moves.append(float((ascent.image - before).norm() / gradient))
        before = ascent.image
    assert moves == pytest.approx(np.linspace(0.5, 0.1, 9).tolist(), rel=1e-4)


def test_progress_makes_each_image_rise_by_the_learning_rate_in_each_step(linear):
    ascent = vizkit.ascend(linear, [0, 1, 1], learning_rate=0.25, schedule="progress", steps=5).run()
    scores = np.array([step.scores for step in ascent.history])
    assert np.allclose(np.diff(scores, axis=0), 0.25, atol=1e-4)
    alone = vizkit.ascend(linear, 0, learning_rate=0.25, schedule="progress", steps=5).run()
    assert torch.allclose(ascent.image[:1], alone.image, atol=1e-6)


@pytest.mark.filterwarnings("ignore:class 0 has not moved")
def test_progress_stands_still_where_there_is_no_slope(make_cnn):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    nn.init.zeros_(flat[1].weight)
    with pytest.warns(UserWarning, match="No score of Sequential changes with the image"):
        net = vizkit.Classifier(flat, **(RGB | {"size": 8}), device="cpu")
    ascent = vizkit.ascend(net, 0, schedule="progress", steps=3).run()
    assert torch.equal(ascent.image, ascent.start_image)


# Several views an image.


@pytest.fixture
def three_views(monkeypatch):
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())

    @vizkit.regularizer("view", strengths=None)
    def three_ways(image):
        return torch.cat([image, 2 * image.flip(-1), -image.roll(3, dims=2)])

    return three_ways


@pytest.mark.parametrize("objective", ["score", "log_probability"])
def test_the_objective_of_several_views_is_their_mean_and_so_is_its_gradient(tiny, three_views, objective):
    ascent = vizkit.ascend(tiny, [2, 3], regularizer=three_views(), learning_rate=0.5, objective=objective, steps=1)
    x = ascent.start_image.requires_grad_(True)
    scores = torch.stack([tiny.network(view) for view in (x, 2 * x.flip(-1), -x.roll(3, dims=2))])
    climbed = scores.log_softmax(dim=2) if objective == "log_probability" else scores
    total = climbed[:, 0, 2].mean() + climbed[:, 1, 3].mean()
    (gradient,) = torch.autograd.grad(total, x)
    step = next(ascent)
    mean = scores.detach().mean(dim=0)
    assert step.scores == pytest.approx([float(mean[0, 2]), float(mean[1, 3])], rel=1e-4)
    assert torch.allclose(ascent.image, x.detach() + 0.5 * gradient, atol=1e-5)


def assert_each_is_as_alone(net, together, alone, steps=4):
    batch = vizkit.ascend(net, 2, regularizer=together, steps=steps).run()
    assert len(batch.image) == len(alone)
    for index, regularizer in enumerate(alone):
        one = vizkit.ascend(net, 2, regularizer=regularizer, steps=steps).run()
        assert batch.history[1].scores[index] == pytest.approx(one.history[1].score, rel=1e-4), regularizer
        assert torch.allclose(batch.image[index], one.image[0], atol=1e-4), regularizer


TOGETHER = {
    "crops": lambda one: vizkit.crops(one, count=2),
    "crops with noise": lambda one: vizkit.crops(0.5, count=2) + vizkit.noise(one),
    "crops of crops": lambda one: vizkit.crops(one, count=2) + vizkit.crops(0.5, count=3),
    "crops that are turned": lambda one: vizkit.crops(0.5, count=2) + vizkit.scale_and_rotate(one),
    "crops with a hole": lambda one: vizkit.crops(0.5, count=2) + vizkit.cut_out(one),
    "small crops": lambda one: vizkit.crops(one, count=3, size=0.5, centre_spread=0.1) + vizkit.jitter(2),
}


@pytest.mark.parametrize("strengths", [(0.3, 0.6), (0, 0.6)], ids=str)
@pytest.mark.parametrize("name", TOGETHER)
def test_each_image_with_its_own_strength_has_all_its_views_as_alone(rgb, name, strengths):
    if name == "small crops" and 0 in strengths:
        strengths = (0.4, 0.6)  # of strength 0 it is the whole image, of another size than the crops
    make = TOGETHER[name]
    assert_each_is_as_alone(rgb, make(list(strengths)), [make(one) for one in strengths])


SIDE_BY_SIDE = {
    "penalties": [vizkit.none(), vizkit.l2(1e-2), vizkit.l1(1e-2), vizkit.l2(1e-2) + vizkit.l1(1e-3)],
    "views": [vizkit.none(), vizkit.jitter(3), vizkit.scale_and_rotate(10) + vizkit.jitter(2), vizkit.mirror()],
    "projections": [vizkit.none(), vizkit.clamp(), vizkit.gaussian_blur(0.5, every=2), vizkit.decay(0.1)],
    "of every kind": [
        vizkit.l2(1e-2) + vizkit.jitter(2) + vizkit.clamp(),
        vizkit.jitter(3) + vizkit.l1(1e-2),
        vizkit.total_variation(1e-3),
    ],
    "several views": [vizkit.none(), vizkit.crops(0.5, count=2), vizkit.noise(0.1)],
    "other options": [vizkit.jitter(3), vizkit.jitter(3, one_sided=True)],
    "the same twice": [vizkit.jitter(3) + vizkit.jitter(2), vizkit.jitter(2)],
    "another order": [vizkit.soft_threshold(0.2) + vizkit.decay(0.3), vizkit.decay(0.3) + vizkit.soft_threshold(0.2)],
}


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_side_by_side_each_image_grows_as_with_its_own_regularizer_alone(rgb, name):
    assert_each_is_as_alone(rgb, side_by_side(SIDE_BY_SIDE[name]), SIDE_BY_SIDE[name])


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_side_by_side_prints_as_code(name):
    assert eval(repr(side_by_side(SIDE_BY_SIDE[name])), {"vizkit": vizkit}) == side_by_side(SIDE_BY_SIDE[name])


@pytest.mark.parametrize("added", [vizkit.l2(1e-2), vizkit.mirror(), vizkit.noise(0.1), vizkit.shake(2)], ids=repr)
def test_a_regularizer_draws_the_same_whatever_stands_beside_it(rgb, added, monkeypatch):
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())
    lots = []

    @vizkit.regularizer("view", strengths=None)
    def witness(image, generator):
        lots[-1].append(torch.rand(3, generator=generator).tolist())
        return image

    for regularizer in (witness(), added + witness(), witness() + added):
        lots.append([])
        vizkit.ascend(rgb, 2, regularizer=regularizer, steps=3).run()
    assert lots[0] == lots[1] == lots[2]
    assert len({tuple(lot) for lot in lots[0]}) == 3


def test_our_recipe_climbs_on_another_network_as_it_is():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torchvision.models.resnet18(weights=None, num_classes=10)
    other = vizkit.Classifier(module, size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    ascent = vizkit.ascend(other, 3, recipe="vizkit", steps=12).run()
    assert ascent.history[-1].score > float(other(ascent.start_image)[0, 3]) + 0.5
