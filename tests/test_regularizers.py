"""Every regularizer against a formula that shares no code with it, and what a sum of them does."""

import numpy as np
import pytest
import torch
from scipy import ndimage

import vizkit
from vizkit import VizkitError
from vizkit.regularizers import catalogue


@pytest.fixture
def image():
    return torch.randn(3, 3, 5, 7, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def gradient():
    return torch.randn(3, 3, 5, 7, generator=torch.Generator().manual_seed(1))


def context(**more):
    low, high = -torch.ones(1, 3, 1, 1), torch.ones(1, 3, 1, 1)
    return {"step": 0, "generator": torch.Generator().manual_seed(0), "low": low, "high": high} | more


def projected(regularizer, image, **more):
    return regularizer.project(image, **context(gradient=torch.zeros_like(image)) | more).numpy()


# Penalties: x is one image, the sum goes over its pixels and channels.


def total_variation_of(x):
    return np.abs(x[:, :, 1:] - x[:, :, :-1]).sum() + np.abs(x[:, 1:] - x[:, :-1]).sum()


def total_variation_gradient(x):
    gradient = np.zeros_like(x)
    across, down = np.sign(x[:, :, 1:] - x[:, :, :-1]), np.sign(x[:, 1:] - x[:, :-1])
    gradient[:, :, 1:] += across
    gradient[:, :, :-1] -= across
    gradient[:, 1:] += down
    gradient[:, :-1] -= down
    return gradient


PENALTIES = {
    "l2": (vizkit.l2, lambda x: (x**2).sum(), lambda x: 2 * x),
    "l1": (vizkit.l1, lambda x: np.abs(x).sum(), np.sign),
    "l6": (vizkit.lp, lambda x: (x**6).sum(), lambda x: 6 * x**5),
    "l3": (
        lambda strength: vizkit.lp(strength, p=3),
        lambda x: (np.abs(x) ** 3).sum(),
        lambda x: 3 * x**2 * np.sign(x),
    ),
    "total variation": (vizkit.total_variation, total_variation_of, total_variation_gradient),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_and_its_gradient_are_the_plain_formula_times_the_strength(name, image):
    make, formula, derivative = PENALTIES[name]
    image.requires_grad_(True)
    penalty = make(0.01).penalty(image)
    (gradient,) = torch.autograd.grad(penalty.sum(), image)
    x = image.detach().numpy().astype(np.float64)
    assert penalty.tolist() == pytest.approx([0.01 * formula(one) for one in x], rel=1e-5)
    assert np.allclose(gradient, [0.01 * derivative(one) for one in x], atol=1e-5)


def test_a_penalty_has_a_finite_gradient_at_zero():
    image = torch.zeros(1, 3, 5, 7, requires_grad=True)
    for make, _, _ in PENALTIES.values():
        (gradient,) = torch.autograd.grad(make(1.0).penalty(image).sum(), image)
        assert not gradient.any()


# Views.


def test_jitter_rolls_by_every_shift_within_reach_and_by_no_other():
    image = torch.arange(2 * 5 * 7.0).reshape(1, 2, 5, 7)
    shifts = {(down, right): np.roll(image, (down, right), (2, 3)) for down in range(-2, 3) for right in range(-2, 3)}
    shared, seen = context(), set()
    for _ in range(400):
        view = vizkit.jitter(2).view(image, **shared).numpy()
        (shift,) = [shift for shift, rolled in shifts.items() if np.array_equal(view, rolled)]
        seen.add(shift)
    assert seen == set(shifts)


def coordinates(height, width):
    """Two ramps: how far each pixel lies from the centre, down and right. A view of them shows where it looked."""
    return np.stack(
        np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    )


def map_of(view):
    """The 2 × 2 matrix from a pixel's place in the view to where it looked in the image, both from the centre."""
    places = coordinates(*view.shape[1:])
    inside = np.hypot(*places) < 8  # away from the mirrored edges
    return np.linalg.lstsq(places[:, inside].T, view[:, inside].T, rcond=None)[0].T


def views(regularizer, image, count):
    shared = context()
    return [regularizer.view(torch.from_numpy(image)[None], **shared)[0].numpy() for _ in range(count)]


def test_scale_and_rotate_turns_and_scales_about_the_centre_within_its_limits():
    maps = [map_of(view) for view in views(vizkit.scale_and_rotate(20, scale=0.2), coordinates(24, 36), 200)]
    angles = np.degrees([np.arctan2(m[1, 0], m[0, 0]) for m in maps])
    scales = 1 / np.sqrt([np.linalg.det(m) for m in maps])
    for matrix, angle, scale in zip(maps, np.radians(angles), scales, strict=True):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        assert np.allclose(matrix, turn / scale, atol=1e-4)  # no shear, though the image is no square
    assert -20 <= angles.min() < -17
    assert 17 < angles.max() <= 20
    assert 0.8 <= scales.min() < 0.83
    assert 1.17 < scales.max() <= 1.2


def test_scale_and_rotate_samples_as_scipy_does_with_mirrored_edges():
    down, right = coordinates(24, 36)
    smooth = np.sin(down / 3) * np.cos(right / 4)
    for view in views(vizkit.scale_and_rotate(30, scale=0.2), np.stack([down, right, smooth]), 5):
        matrix, centre = map_of(view[:2]), np.array([23 / 2, 35 / 2])
        expected = ndimage.affine_transform(smooth, matrix, centre - matrix @ centre, order=1, mode="reflect")
        assert np.allclose(view[2], expected, atol=1e-3)


def test_a_view_of_no_turn_and_no_scale_is_the_image_itself(image):
    view = vizkit.scale_and_rotate(0, scale=0).view(image, **context())
    assert torch.allclose(view, image, atol=1e-5)


# Projections.


@pytest.mark.parametrize("sigma", [0.5, 1, 2.3])
def test_gaussian_blur_is_scipys(sigma):
    image = torch.randn(2, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    expected = ndimage.gaussian_filter(image.numpy(), (0, 0, sigma, sigma), mode="reflect", truncate=4.0)
    assert np.allclose(projected(vizkit.gaussian_blur(sigma), image), expected, atol=1e-5)


def test_gaussian_blur_wider_than_the_image_keeps_its_mean_colour():
    image = torch.full((1, 3, 5, 7), 0.25)
    assert np.allclose(projected(vizkit.gaussian_blur(10), image), 0.25)


def test_gaussian_blur_every_third_step(image):
    blur = vizkit.gaussian_blur(1, every=3)
    changed = [not np.array_equal(projected(blur, image, step=step), image) for step in range(6)]
    assert changed == [False, False, True] * 2


def test_decay_scales_towards_zero(image):
    assert np.allclose(projected(vizkit.decay(0.1), image), 0.9 * image.numpy())


def test_clip_small_norm_zeroes_the_pixels_below_the_images_own_percentile(image):
    image[1] *= 10  # a threshold shared by the batch would spare this one
    x = image.numpy()
    norm = np.sqrt((x**2).sum(axis=1, keepdims=True))
    expected = np.where(norm >= np.percentile(norm, 30, axis=(1, 2, 3), keepdims=True), x, 0)
    assert np.array_equal(projected(vizkit.clip_small_norm(30), image), expected)


def test_clip_small_contribution_zeroes_the_pixels_that_matter_least_for_the_score(image, gradient):
    x, g = image.numpy(), gradient.numpy()
    contribution = np.abs((x * g).sum(axis=1, keepdims=True))
    expected = np.where(contribution >= np.percentile(contribution, 30, axis=(1, 2, 3), keepdims=True), x, 0)
    assert np.array_equal(projected(vizkit.clip_small_contribution(30), image, gradient=gradient), expected)


def test_soft_threshold_moves_towards_zero_and_stops_there(image):
    x = image.numpy()
    expected = np.where(x > 0.5, x - 0.5, np.where(x < -0.5, x + 0.5, 0))
    assert np.allclose(projected(vizkit.soft_threshold(0.5), image), expected)


def test_clamp_cuts_an_ascent_off_at_black_and_white_in_every_channel(rgb):
    start = 3 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    free, clamped = (
        rgb.denormalise(vizkit.ascend(rgb, 0, start=start, steps=1, regularizer=regularizer).run().image).numpy()
        for regularizer in (vizkit.none(), vizkit.clamp())
    )
    assert free.min() < -1
    assert np.allclose(clamped, np.clip(free, 0, 1), atol=1e-6)


# Sums.


def test_penalties_add_up_each_with_its_own_strength(image):
    both = (vizkit.l2(0.1) + vizkit.jitter(3) + vizkit.l1(0.02)).penalty(image)
    assert torch.allclose(both, vizkit.l2(0.1).penalty(image) + vizkit.l1(0.02).penalty(image))
    assert torch.equal(vizkit.none().penalty(image), torch.zeros(3))


def test_projections_follow_one_another_in_the_order_of_the_sum(image):
    x = image.numpy()
    shrunk_last = projected(vizkit.soft_threshold(0.5) + vizkit.decay(0.5), image)
    assert np.allclose(shrunk_last, 0.5 * np.sign(x) * np.maximum(np.abs(x) - 0.5, 0))
    shrunk_first = projected(vizkit.decay(0.5) + vizkit.soft_threshold(0.5), image)
    assert np.allclose(shrunk_first, np.sign(x) * np.maximum(0.5 * np.abs(x) - 0.5, 0))


def test_the_places_do_not_mix(image):
    everything = vizkit.l2(0.1) + vizkit.jitter(3) + vizkit.decay(0.1)
    assert torch.equal(everything.penalty(image), vizkit.l2(0.1).penalty(image))
    assert torch.equal(everything.view(image, **context()), vizkit.jitter(3).view(image, **context()))
    assert np.array_equal(projected(everything, image), projected(vizkit.decay(0.1), image))


@pytest.mark.parametrize(
    "regularizer",
    [
        vizkit.none(),
        vizkit.clamp(),
        vizkit.l2(1e-4) + vizkit.lp([1e-5, 0.1], p=4) + vizkit.gaussian_blur(0.5, every=4),
        vizkit.l2(np.float64(0.5)),
        vizkit.l1(np.geomspace(1e-4, 1, 3).tolist()),
    ],
    ids=repr,
)
def test_what_a_regularizer_prints_is_the_code_that_makes_it(regularizer):
    assert eval(repr(regularizer), {"vizkit": vizkit}) == regularizer


@pytest.mark.parametrize("strength", [np.float32(0.5), np.int64(1), np.geomspace(0.1, 1, 3)], ids=repr)
def test_a_strength_may_come_from_numpy(strength, image):
    assert np.allclose(vizkit.l2(strength).penalty(image), strength * vizkit.l2(1).penalty(image).numpy())


# One strength an image.

SEVERAL = {
    "l2": (vizkit.l2, [0, 0.01, 0.1]),
    "jitter": (vizkit.jitter, [1, 3, 5]),
    "scale_and_rotate": (vizkit.scale_and_rotate, [0, 10, 45]),
    "gaussian_blur": (vizkit.gaussian_blur, [0, 0.5, 2]),
    "decay": (vizkit.decay, [0, 0.1, 0.3]),
    "clip_small_contribution": (vizkit.clip_small_contribution, [0, 20, 80]),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_strengths_grow_the_images_that_each_would_grow_alone(name, tiny):
    make, strengths = SEVERAL[name]
    companion = vizkit.l1(1e-3) + vizkit.jitter(2)  # takes from the same source of randomness
    together = vizkit.ascend(tiny, "star", regularizer=make(strengths) + companion, steps=4).run()
    assert together.labels == ["star"] * 3
    for index, strength in enumerate(strengths):
        alone = vizkit.ascend(tiny, "star", regularizer=make(strength) + companion, steps=4).run()
        assert torch.allclose(together.image[index], alone.image[0], atol=1e-4)


@pytest.mark.parametrize("make", [vizkit.l2, vizkit.jitter, vizkit.decay], ids=lambda kind: kind.name)
def test_a_list_of_one_strength_is_the_same_as_the_number(make, tiny):
    images = [
        vizkit.ascend(tiny, ["star", "cross"], regularizer=make(one), steps=3).run().image for one in (0.5, [0.5])
    ]
    assert torch.equal(*images)


@pytest.mark.parametrize(
    "regularizer",
    [lambda: vizkit.l2([0.1, 0.2]), lambda: vizkit.l2([1, 2]) + vizkit.l1([1, 2, 3]), lambda: vizkit.decay([0.1] * 4)],
)
def test_as_many_strengths_as_images_or_an_error_before_the_start(regularizer, tiny):
    with pytest.raises(VizkitError, match=r"for (2|4) images"):
        vizkit.ascend(tiny, ["circle", "star", "cross"], regularizer=regularizer())


# Called with what people call it with.


def test_a_kind_called_with_images_gives_its_plain_formula(image):
    assert torch.equal(vizkit.l2(image), image.square().sum(dim=(1, 2, 3)))
    assert torch.equal(vizkit.lp(image, p=4), image.abs().pow(4).sum(dim=(1, 2, 3)))
    assert vizkit.jitter(image).shape == image.shape

    @vizkit.regularizer
    def my_l2(image):
        return image.square().sum(dim=(1, 2, 3))

    assert torch.equal(my_l2(image), vizkit.l2(image))
    assert my_l2(0.5).penalty(image).equal(0.5 * my_l2(image))


@pytest.mark.parametrize("shape", [(3, 224, 224), (224, 224), (1, 3, 224, 224, 1)], ids=str)
@pytest.mark.parametrize("make", [torch.zeros, np.zeros])
def test_a_picture_in_place_of_a_strength_is_told_by_its_shape_and_not_printed(make, shape):
    with pytest.raises(VizkitError) as error:
        vizkit.l2(make(shape))
    assert str(shape) in str(error.value)
    assert len(str(error.value)) < 300


def test_what_a_regularizer_has_to_know_is_named_where_it_is_missing(image):
    assert vizkit.jitter(2).view(image).shape == image.shape  # of step 0 and seed 0
    with pytest.raises(VizkitError, match=r"clamp .*high=.*low="):
        vizkit.clamp().project(image)
    with pytest.raises(VizkitError, match="gradient="):
        vizkit.clip_small_contribution(20).project(image)


def test_a_list_of_regularizers_can_be_summed():
    assert sum([vizkit.l2(0.1), vizkit.jitter(3)]) == vizkit.l2(0.1) + vizkit.jitter(3)


@pytest.mark.parametrize("name", ["l2", "jitter", "clamp", "none", "ascend", "Fourier"])
def test_nobody_s_own_regularizer_takes_the_name_of_vizkit_s(name, tiny):
    def imposter(image):
        return image.sum(dim=(1, 2, 3)) * 1e6

    imposter.__name__ = name
    before = vizkit.ascend(tiny, "star", recipe="cs231n", steps=2).run().image
    with pytest.raises(VizkitError, match=f"my_{name}"):
        vizkit.regularizer("penalty")(imposter)
    assert catalogue().get(name) is vars(vizkit).get(name) or name not in catalogue()
    assert torch.equal(vizkit.ascend(tiny, "star", recipe="cs231n", steps=2).run().image, before)


@pytest.mark.parametrize("options", [{"every": "x"}, {"every": float("nan")}, {"every": True}, {"every": [2]}], ids=str)
def test_an_option_is_of_the_kind_of_its_default(options):
    with pytest.raises(VizkitError, match="every of gaussian_blur"):
        vizkit.gaussian_blur(1, **options)


# A user's own.


@pytest.fixture(autouse=True)
def fresh_catalogue(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())


def test_a_plain_function_acts_as_a_penalty(tiny):
    @vizkit.regularizer("penalty", strengths=(1e-4, 1e-2), default=1e-3)
    def redness(image, power=2):
        return (image[:, 0].abs() ** power).sum(dim=(1, 2))

    assert catalogue()["redness"] is redness
    assert (redness.place, redness.strengths, repr(redness())) == ("penalty", (1e-4, 1e-2), "vizkit.redness(0.001)")
    ascent = vizkit.ascend(tiny, 0, regularizer=redness(0.1) + redness(0.01, power=1), steps=1).run()
    red = ascent.start_image[0, 0].numpy()
    assert ascent.history[0].penalties[0] == pytest.approx(0.1 * (red**2).sum() + 0.01 * np.abs(red).sum(), rel=1e-5)


def test_a_plain_function_acts_as_a_view_that_may_know_the_step(tiny):
    @vizkit.regularizer("view", strengths=None)
    def every_second_mirrored(image, step):
        return image.flip(-1) if step % 2 else image

    ascent = vizkit.ascend(tiny, 0, regularizer=every_second_mirrored(), steps=2)
    first, start = next(ascent), ascent.start_image
    second, moved = tiny(ascent.image.flip(-1))[0, 0], next(ascent)
    assert first.score == pytest.approx(float(tiny(start)[0, 0]), rel=1e-5)
    assert moved.score == pytest.approx(float(second), rel=1e-5)


def test_a_plain_function_acts_as_a_projection_that_may_know_the_valid_range(tiny):
    @vizkit.regularizer("projection", strengths=(0, 1), default=0.5)
    def never_white(image, strength, low, high):
        return torch.minimum(image, low + strength * (high - low))

    ascent = vizkit.ascend(tiny, 0, regularizer=never_white(), steps=3, start=tiny.high.expand(1, 3, 12, 16)).run()
    assert ascent.picture.max() == 128


def test_a_default_strength_is_the_middle_of_the_range_on_a_log_scale():
    assert vizkit.regularizer(strengths=(1e-6, 1e-2))(lambda image: image).default == pytest.approx(1e-4)


def wrong(place, function):
    function.__name__ = "mine"
    return vizkit.regularizer(place)(function)(0.1)


@pytest.mark.parametrize(
    ("place", "function"),
    [
        ("penalty", lambda image: image.square().sum()),
        ("penalty", lambda image: image.square()),
        ("penalty", lambda image: 1.0),
        ("view", lambda image: image[:, 1:]),
        ("projection", lambda image: image.sum(dim=1)),
        ("projection", lambda image: None),
    ],
    ids=["one number", "an image", "no tensor", "a channel less", "gray", "nothing"],
)
def test_a_wrong_return_is_an_error_and_the_ascent_goes_on_without_it(place, function, tiny):
    ascent = vizkit.ascend(tiny, [0, 1], steps=4)
    next(ascent)
    before = ascent.image
    ascent.regularizer = wrong(place, function)
    with pytest.raises(VizkitError, match=f"The {place} mine must return shape"):
        next(ascent)
    assert torch.equal(ascent.image, before)
    ascent.regularizer = vizkit.none()
    ascent.run()
    assert torch.equal(ascent.image, vizkit.ascend(tiny, [0, 1], steps=4).run().image)


@pytest.mark.parametrize(
    ("place", "function", "message"),
    [
        ("penalty", lambda image, colour: image, r"\['colour'\].*a penalty cannot have"),
        ("view", lambda image, *colours: image, "colours"),
        ("penalty", lambda image, step: image, "step"),
        ("penalty", lambda image, strength: image, "strength"),  # it multiplies from outside: never twice
        ("penalty", lambda image, generator: image, "generator"),
        ("view", lambda image, gradient: image, "gradient"),
        ("shadow", lambda image: image, 'No place of a step "shadow"'),
    ],
)
def test_a_function_that_asks_for_what_its_place_does_not_have_is_an_error_at_once(place, function, message):
    before = catalogue()
    with pytest.raises(VizkitError, match=message):
        vizkit.regularizer(place)(function)
    assert catalogue() == before


@pytest.mark.parametrize("strengths", [(1, 1), (2, 1), (-1, 1), (float("nan"), 1), (0.1,)], ids=str)
def test_a_range_of_strengths_goes_upwards_from_zero_or_above(strengths):
    with pytest.raises(VizkitError, match="strengths must be"):
        vizkit.regularizer("penalty", strengths=strengths)(lambda image: image.sum(dim=(1, 2, 3)))


@pytest.mark.parametrize("strength", [-1, float("nan"), float("inf"), "strong", [], [0.1, -0.1], [0.1, None]], ids=repr)
def test_a_strength_is_a_finite_number_from_zero_up(strength):
    with pytest.raises(VizkitError, match="strength of l2 must be"):
        vizkit.l2(strength)


def test_options_and_strengths_that_a_regularizer_does_not_have_are_errors():
    with pytest.raises(VizkitError, match=r'No option of lp "q"\. Known: p'):
        vizkit.lp(0.1, q=3)
    with pytest.raises(VizkitError, match="clamp takes no strength"):
        vizkit.clamp(0.1)
    with pytest.raises(TypeError):
        vizkit.l2(0.1) + 0.1
