"""The engine: equal to a loop anyone can write in bare torch, repeatable, and hard to break."""

import io
import warnings

import numpy as np
import pytest
import torch
from conftest import GRAY, RGB
from PIL import Image
from torch import nn

import vizkit
from vizkit import Diverged, VizkitError

VIEWS = vizkit.jitter(3) + vizkit.scale_and_rotate(10)
EVERYTHING = (
    vizkit.l2(1e-3)
    + vizkit.total_variation(1e-3)
    + VIEWS
    + vizkit.gaussian_blur(0.5, every=2)
    + vizkit.clip_small_norm(5)
)


@pytest.fixture
def module(make_cnn):
    """The raw module in `tiny`, which vizkit has never seen."""
    return make_cnn(3, 4).eval()


# What an ascent computes.

OBJECTIVES = {
    "score": lambda scores: scores,
    "probability": lambda scores: scores.exp() / scores.exp().sum(dim=1, keepdim=True),
    "log_probability": lambda scores: scores - scores.exp().sum(dim=1, keepdim=True).log(),
}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_plain_ascent_is_the_loop_of_the_paper(tiny, module, objective):
    ascent = vizkit.ascend(
        tiny, "star", regularizer=vizkit.l2(1e-3), learning_rate=0.5, objective=objective, steps=5, seed=3
    )
    image = ascent.start_image
    for step in ascent:
        image.requires_grad_(True)
        scores, penalty = module(image), 1e-3 * (image**2).sum()
        (gradient,) = torch.autograd.grad(OBJECTIVES[objective](scores)[0, 2] - penalty, image)
        image = image.detach() + 0.5 * gradient
        assert torch.allclose(ascent.image, image, atol=1e-5)
        assert (step.score, step.penalties[0]) == pytest.approx((scores[0, 2].item(), penalty.item()), rel=1e-4)
        assert step.probability == pytest.approx(scores[0].softmax(dim=0)[2].item(), rel=1e-4)
    with torch.no_grad():
        scores = module(image)[0]
    result = ascent.history[-1]
    assert (result.index, result.score) == (5, pytest.approx(float(scores[2]), rel=1e-4))
    scores[2] = -torch.inf
    assert (result.rivals[0], result.rival_scores[0]) == (int(scores.argmax()), pytest.approx(float(scores.max())))


OWN = {  # an optimizer of people's own, and the same of torch's, which descends
    "adam": ("adam", lambda image: torch.optim.Adam([image], lr=0.05)),
    "momentum": ("momentum", lambda image: torch.optim.SGD([image], lr=1.0, momentum=0.9)),
    "nadam": ("nadam", lambda image: torch.optim.NAdam([image], lr=0.05)),
    "rmsprop": ("rmsprop", lambda image: torch.optim.RMSprop([image], lr=0.05)),
    "a class": (torch.optim.Adagrad, lambda image: torch.optim.Adagrad([image])),
    "a lambda": (lambda p: torch.optim.Adam(p, lr=0.1), lambda image: torch.optim.Adam([image], lr=0.1)),
    "told to maximise": (
        lambda p: torch.optim.SGD(p, lr=0.1, maximize=True),
        lambda image: torch.optim.SGD([image], lr=0.1),
    ),
    "that cannot be told": (torch.optim.Rprop, lambda image: torch.optim.Rprop([image])),
}


@pytest.mark.parametrize("name", OWN)
def test_whatever_the_optimizer_it_climbs_as_torchs_own_descends(tiny, module, name):
    optimizer, oracle = OWN[name]
    ascent = vizkit.ascend(tiny, "star", optimizer=optimizer, steps=5)
    image = ascent.start_image.clone().requires_grad_(True)
    descent = oracle(image)
    assert ascent.learning_rate == descent.param_groups[0]["lr"]
    for _ in range(5):
        descent.zero_grad()
        (-module(image)[0, 2]).backward()
        descent.step()
    assert torch.allclose(ascent.run().image, image, atol=1e-5)
    assert ascent.history[-1].score > ascent.history[0].score


def test_an_optimizer_of_ones_own_fades_and_is_turned_like_any_other(tiny, module):
    own = vizkit.ascend(tiny, "star", optimizer=torch.optim.SGD, learning_rate=0.5, schedule="fading", steps=4)
    named = vizkit.ascend(tiny, "star", learning_rate=0.5, schedule="fading", steps=4)
    for ascent in (own, named):
        next(ascent)
        ascent.learning_rate = 0.1
    assert torch.equal(own.run().image, named.run().image)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (lambda p: None, "NoneType"),
        (lambda p: torch.optim.Adam(p, betas=2), "cannot be made"),
        (torch.optim.LBFGS, "LBFGS"),  # it looks several times a step
    ],
)
def test_what_is_no_optimizer_is_an_error_before_the_start(tiny, optimizer, message):
    with pytest.raises(VizkitError, match=message):
        vizkit.ascend(tiny, "star", optimizer=optimizer)


def test_a_view_is_only_shown_and_a_projection_is_only_applied_after_the_update(tiny, module):
    regularizer = vizkit.total_variation(0.1) + vizkit.jitter(3) + vizkit.decay(0.1) + vizkit.soft_threshold(0.01)
    ascent = vizkit.ascend(tiny, 1, regularizer=regularizer, learning_rate=2.0, steps=1)
    image = ascent.start_image.requires_grad_(True)
    seen = next(ascent)
    candidates = []
    for down in range(-3, 4):
        for right in range(-3, 4):
            score = module(image.roll((down, right), dims=(2, 3)))[0, 1]
            roughness = image.diff(dim=2).abs().sum() + image.diff(dim=3).abs().sum()
            (gradient,) = torch.autograd.grad(score - 0.1 * roughness, image)
            moved = 0.9 * (image.detach() + 2.0 * gradient)
            moved = moved.sign() * (moved.abs() - 0.01).clamp(min=0)
            candidates.append((abs(float(score.detach()) - seen.score), float((moved - ascent.image).abs().max())))
    assert max(min(candidates)) < 1e-4


def test_the_fourier_basis_moves_the_frequencies(tiny, module):
    basis = vizkit.Fourier()
    ascent = vizkit.ascend(tiny, "star", basis=basis, optimizer="adam", learning_rate=0.1, steps=4)
    spectrum = basis.random(tiny, torch.Generator().manual_seed(0)).requires_grad_(True)
    assert torch.allclose(ascent.image, basis.decode(tiny, spectrum.detach()), atol=1e-6)
    descent = torch.optim.Adam([spectrum], lr=0.1)
    for _ in range(4):
        descent.zero_grad()
        (-module(basis.decode(tiny, spectrum))[0, 2]).backward()
        descent.step()
    assert torch.allclose(ascent.run().image, basis.decode(tiny, spectrum.detach()), atol=1e-4)


def test_every_kind_of_regularizer_serves_the_fourier_basis(tiny):
    every = vizkit.l2(1e-5) + VIEWS + vizkit.gaussian_blur(0.5) + vizkit.clamp()
    ascent = vizkit.ascend(tiny, [0, 2], basis="fourier", optimizer="adam", regularizer=every, steps=30).run()
    before, after = tiny(ascent.start_image), tiny(ascent.image)
    assert after[0, 0] > before[0, 0]
    assert after[1, 2] > before[1, 2]
    assert float(ascent.image.diff(dim=-1).std()) < 0.5 * float(ascent.image.std())  # blurred


def test_the_builtin_cnn_gains_more_than_20_in_100_default_steps_twice_with_the_same_bits(net):
    first, second = (vizkit.ascend(net, "flamingo", seed=0, steps=100).run() for _ in range(2))
    assert first.history[100].score - first.history[0].score > 20
    assert torch.equal(first.image, second.image)


# Repeatable, and each image alone.


@pytest.mark.parametrize("basis", ["pixels", "fourier"])
def test_a_seed_decides_every_bit_and_another_seed_gives_another_image(tiny, basis):
    def image(seed):
        torch.rand(1)  # what others draw does not matter
        return vizkit.ascend(tiny, "star", regularizer=EVERYTHING, seed=seed, basis=basis, steps=5).run().image

    assert torch.equal(image(1), image(1))
    assert not torch.allclose(image(1), image(2), atol=1e-2)


def test_two_threads_repeat_themselves_too(tiny):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        images = [vizkit.ascend(tiny, [0, 1, 2], regularizer=EVERYTHING, steps=5).run().image for _ in range(2)]
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*images)


def test_the_global_randomness_is_neither_used_nor_moved(tiny):
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    vizkit.ascend(tiny, "star", regularizer=EVERYTHING, steps=3).run()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])


@pytest.mark.parametrize("optimizer", ["ascent", "adam"])
def test_an_image_grows_in_a_batch_as_it_grows_alone(tiny, optimizer):
    targets = ["circle", "star", "star", "cross"]
    batch = vizkit.ascend(tiny, targets, regularizer=EVERYTHING, optimizer=optimizer, steps=5).run()
    for index, target in enumerate(targets):
        alone = vizkit.ascend(tiny, target, regularizer=EVERYTHING, optimizer=optimizer, steps=5).run()
        assert torch.allclose(batch.image[index], alone.image[0], atol=1e-4)
        assert batch.history[3].scores[index] == pytest.approx(alone.history[3].score, rel=1e-4)
    assert batch.labels == targets
    assert np.array_equal(batch.pictures[0], batch.picture)


def test_nothing_is_left_on_the_network(tiny):
    before = {key: value.clone() for key, value in tiny.network.state_dict().items()}
    vizkit.ascend(tiny, "star", regularizer=EVERYTHING, steps=3).run()
    assert all(torch.equal(value, before[key]) for key, value in tiny.network.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in tiny.network.parameters())
    for layer in tiny.network.modules():
        assert not layer.training
        for hooks in (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks):
            assert not hooks


# Knobs.


def test_a_turned_knob_acts_on_the_very_next_step_and_is_written_down(tiny, module):
    ascent = vizkit.ascend(tiny, "star", regularizer=vizkit.l2(1e-3), learning_rate=0.5, steps=4)
    next(ascent), next(ascent)
    ascent.regularizer, ascent.learning_rate, ascent.objective = vizkit.l2(0.2), 0.1, "log_probability"
    image = ascent.image.requires_grad_(True)
    objective = module(image).log_softmax(dim=1)[0, 2] - 0.2 * (image**2).sum()
    (gradient,) = torch.autograd.grad(objective, image)
    step = next(ascent)
    assert step.penalties[0] == pytest.approx(0.2 * float((image.detach() ** 2).sum()), rel=1e-4)
    assert torch.allclose(ascent.image, image + 0.1 * gradient, atol=1e-5)
    ascent.learning_rate = 0.1  # not turned at all
    ascent.run()
    assert sorted(ascent.changes, key=str) == [
        (2, "learning_rate", 0.1),
        (2, "objective", "log_probability"),
        (2, "regularizer", vizkit.l2(0.2)),
    ]


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("learning_rate", float("nan")),
        ("learning_rate", 0),
        ("learning_rate", "1"),
        ("steps", -1),
        ("steps", 2.5),
        ("regularizer", vizkit.l2),
        ("regularizer", vizkit.l2([1e-3, 1e-2])),
        ("learning_rate", True),
        ("objective", "loss"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_knob_refuses_a_bad_value_and_keeps_the_good_one(tiny, knob, value):
    ascent = vizkit.ascend(tiny, "star", steps=3)
    before = getattr(ascent, knob)
    with pytest.raises(VizkitError):
        setattr(ascent, knob, value)
    assert getattr(ascent, knob) == before
    assert ascent.run().step == 3


# What is remembered.


def test_history_and_frames_show_every_step_before_its_update_and_then_the_result(tiny):
    ascent = vizkit.ascend(tiny, ["star", "cross"], regularizer=EVERYTHING, steps=5)
    shown = [ascent.pictures]
    for step in ascent:
        assert step == ascent.history[-1]
        assert ascent.step == step.index + 1
        shown.append(ascent.pictures)
    assert ascent.finished
    assert [step.index for step in ascent.history] == list(range(6)) == list(ascent.frames)
    assert all(np.array_equal(ascent.frames[index], shown[index]) for index in range(6))
    scores = tiny(ascent.image)
    assert ascent.history[-1].scores == pytest.approx([float(scores[0, 2]), float(scores[1, 3])], rel=1e-5)


def test_frames_are_thinned_evenly_and_never_take_more_than_their_share_of_memory(tiny, monkeypatch):
    share = 20 * tiny.height * tiny.width * 3
    monkeypatch.setattr(vizkit.ascent, "FRAME_BYTES", share)
    ascent = vizkit.ascend(tiny, "star", steps=333)
    for _ in ascent:
        assert sum(frame.nbytes for frame in ascent.frames.values()) <= share
    assert sum(frame.nbytes for frame in ascent.frames.values()) <= share
    *kept, last = ascent.frames
    assert (kept[0], last, len(ascent.history)) == (0, 333, 334)
    assert len(set(np.diff(kept))) == 1
    assert len(kept) >= 10
    assert np.array_equal(ascent.frames[333][0], ascent.picture)


def test_an_ascent_of_no_steps_is_a_look_at_the_start(tiny):
    ascent = vizkit.ascend(tiny, "star", steps=0).run()
    assert (ascent.step, len(ascent.history), list(ascent.frames)) == (0, 1, [0])
    assert torch.equal(ascent.image, ascent.start_image)


def test_a_finished_ascent_stays_as_it_is_until_it_is_given_more_steps(tiny):
    def ascend(steps):
        return vizkit.ascend(tiny, "star", regularizer=EVERYTHING, optimizer="adam", steps=steps)

    ascent, longer = ascend(3).run(), ascend(6).run()
    history = list(ascent.history)
    assert next(ascent, None) is None
    assert ascent.history == history
    ascent.steps = 6
    ascent.run()
    assert torch.equal(ascent.image, longer.image)
    assert ascent.history == longer.history
    assert list(ascent.frames) == list(longer.frames)


def test_fewer_steps_than_are_made_end_it_where_it_is(tiny):
    ascent = vizkit.ascend(tiny, "star", steps=10)
    for _ in range(5):
        next(ascent)
    image, ascent.steps = ascent.image, 3
    assert next(ascent, None) is None
    assert (ascent.step, len(ascent.history), ascent.finished) == (5, 6, True)
    assert torch.equal(ascent.image, image)
    assert ascent.history[-1].score == pytest.approx(float(tiny(image)[0, 2]), rel=1e-5)


def test_progress_is_printed_only_when_asked(tiny, capsys):
    vizkit.ascend(tiny, "star", steps=3).run()
    assert capsys.readouterr() == ("", "")
    ascent = vizkit.ascend(tiny, "star", steps=3)
    next(ascent)
    ascent.run(progress=True)
    told = capsys.readouterr()
    assert told.err == ""
    assert "step 3 of 3" in told.out


# Where it starts.


def test_starts(tiny, tmp_path):
    def start(value, targets="star", basis="pixels"):
        return vizkit.ascend(tiny, targets, start=value, basis=basis, steps=2).start_image

    photo = np.random.default_rng(0).integers(40, 200, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    expected = vizkit.images.from_picture(tiny, photo)
    assert not start("zero").any()
    for given in (photo, photo / 255, Image.fromarray(photo), str(tmp_path / "photo.png"), expected):
        assert torch.equal(start(given), expected)
        assert torch.equal(start(given, ["star", "cross"]), expected.expand(2, -1, -1, -1))
        assert torch.allclose(start(given, basis="fourier"), expected, atol=1e-4)
    assert torch.allclose(start("zero", basis="fourier"), tiny.blank(), atol=1e-4)
    each = torch.stack([tiny.low[0], tiny.high[0]]).expand(2, 3, 12, 16)
    assert torch.equal(start(each, ["star", "cross"]), each)
    random = start("random", ["star", "cross"])
    assert torch.equal(random[0], random[1])
    assert float(random.std()) == pytest.approx(0.1, rel=0.1)


def test_the_start_that_was_given_is_not_moved(tiny):
    start = torch.zeros(1, 3, 12, 16)
    ascent = vizkit.ascend(tiny, "star", start=start, steps=2).run()
    assert ascent.image.any()
    assert not start.any()
    assert not ascent.start_image.any()


# Targets, recipes and settings, in whatever form people have them.


@pytest.mark.parametrize(
    ("target", "labels"),
    [
        (torch.tensor(2), ["star"]),
        (torch.tensor([3, 0]), ["cross", "circle"]),
        (np.int64(2), ["star"]),
        (np.array([1, 2]), ["square", "star"]),
        (np.array(["star", "cross"]), ["star", "cross"]),
        (range(2), ["circle", "square"]),
        (("star", np.int32(0), torch.tensor(1)), ["star", "circle", "square"]),
        ((label for label in ["cross"]), ["cross"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_target_in_any_form(tiny, target, labels):
    assert vizkit.ascend(tiny, target).labels == labels


def test_a_recipe_by_name_or_as_it_is_and_keywords_override_it(tiny):
    small = vizkit.recipe("small")
    assert vizkit.ascend(tiny, "star", recipe="small").settings == small
    assert vizkit.ascend(tiny, "star", recipe=small, steps=3, regularizer=None).settings == small.but(
        steps=3, regularizer=vizkit.none()
    )
    changed = vizkit.ascend(tiny, "star", recipe="small", optimizer="adam").settings
    assert (changed.learning_rate, changed.basis) == (0.05, small.basis)
    for wrong in ({"recipe": "smal"}, {"stepz": 3}):
        with pytest.raises(VizkitError, match=r"small|steps"):
            vizkit.ascend(tiny, "star", **wrong)


def test_an_ascent_shows_itself_and_has_its_scores(tiny):
    ascent = vizkit.ascend(tiny, ["star", "cross"], steps=3).run()
    assert ascent.scores.shape == (4, 2)
    assert ascent.scores.tolist() == [list(step.scores) for step in ascent.history]
    with Image.open(io.BytesIO(ascent._repr_png_())) as picture:
        assert np.array_equal(np.array(picture)[::13, ::13], vizkit.images.tile(ascent.pictures))


def test_several_knobs_turn_at_once_or_not_at_all(tiny):
    ascent = vizkit.ascend(tiny, "star", steps=3)
    before = ascent.settings
    for knobs in ({"steps": 5, "learning_rate": -1}, {"steps": 5, "optimizer": "adam"}, {"steps": 5, "seed": 1}):
        with pytest.raises(VizkitError):
            ascent.turn(**knobs)
        assert ascent.settings is before
    ascent.turn(steps=5, learning_rate=2)
    assert (ascent.steps, ascent.learning_rate) == (5, 2.0)


# What goes wrong.


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("sta", r'No class "sta".*star \(2\)'),
        (4, "0 to 3"),
        (-1, "0 to 3"),
        (["star", "moon"], 'No class "moon"'),
        ([], "list of targets is empty"),
        (None, "label or an index"),
    ],
    ids=str,
)
def test_a_target_that_is_no_class_is_an_error(tiny, target, message):
    with pytest.raises(VizkitError, match=message):
        vizkit.ascend(tiny, target)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": -1}, "steps must be"),
        ({"steps": 1.5}, "steps must be"),
        ({"steps": True}, "steps must be"),
        ({"learning_rate": float("nan")}, "learning rate must be"),
        ({"learning_rate": -1.0}, "learning rate must be"),
        ({"learning_rate": 1e39}, "learning rate must be"),  # more than a pixel can hold
        ({"regularizer": "l2"}, r"vizkit\.l2\(1e-4\)"),
        ({"regularizer": vizkit.jitter}, r"jitter\(8\)"),
        ({"optimizer": "newton"}, "Known: ascent"),
        ({"optimizer": 5}, "optimizer"),
        ({"objective": "loss"}, "Known: score"),
        ({"basis": "wavelets"}, "Known: pixels"),
        ({"basis": None}, "basis"),
        ({"seed": 1.5}, "seed"),
        ({"start": "randon"}, "one of random, bytes, zero"),
        ({"start": torch.zeros(1, 3, 16, 12)}, r"\(3, 12, 16\).*not \(1, 3, 16, 12\)"),
        ({"start": torch.zeros(2, 3, 12, 16)}, "not"),
        ({"start": torch.full((1, 3, 12, 16), torch.nan)}, "not finite"),
        ({"start": np.full((12, 16, 3), 2.0)}, "Divide by 255"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_setting_that_cannot_be_is_an_error_before_the_start(tiny, settings, message):
    with pytest.raises(VizkitError, match=message):
        vizkit.ascend(tiny, "star", **settings)


def test_a_raw_module_is_an_error_that_says_how_to_wrap_it(module):
    with pytest.raises(VizkitError, match=r"vizkit\.Classifier\(module"):
        vizkit.ascend(module, "star")


def test_an_ascent_that_diverges_keeps_its_last_good_image_and_goes_on_with_a_lower_rate(tiny):
    ascent = vizkit.ascend(tiny, "star", regularizer=vizkit.lp(1e-3, p=6), optimizer="momentum", steps=40)
    ascent.learning_rate = 0.01
    for _ in range(3):
        next(ascent)
    ascent.learning_rate = 1e20
    with pytest.raises(Diverged, match=r"(?s)last good image is kept.*learning rate \(now 1e\+20\)"):
        ascent.run()
    assert ascent.image.isfinite().all()
    assert tiny(ascent.image).isfinite().all()
    assert np.array_equal(ascent.pictures, ascent.frames[ascent.step])
    made = ascent.step
    ascent.learning_rate = 0.01
    ascent.regularizer = vizkit.decay(0.3)
    ascent.run()
    assert (made, ascent.step, ascent.finished) == (len(ascent.history) - 1 - (40 - made), 40, True)
    assert [step.index for step in ascent.history] == list(range(41))
    assert ascent.image.isfinite().all()


def test_an_image_that_is_lost_in_the_first_update_is_the_start_again(tiny):
    ascent = vizkit.ascend(tiny, "star", regularizer=vizkit.l2(1e3), learning_rate=1e38, steps=3)
    with pytest.raises(Diverged, match="image is no longer finite at step 0"):
        ascent.run()
    assert torch.equal(ascent.image, ascent.start_image)
    assert ascent.history == []


def test_a_penalty_that_turns_nan_keeps_the_last_image_it_was_finite_for(tiny, monkeypatch):
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())
    broken = []

    @vizkit.regularizer("penalty")
    def moody(image):
        return image.sum(dim=(1, 2, 3)) * (float("nan") if broken else 1.0)

    ascent = vizkit.ascend(tiny, ["star", "cross"], regularizer=moody(1e-3), steps=6)
    for _ in range(3):
        next(ascent)
    broken.append(True)
    with pytest.raises(Diverged, match=r"penalty is not finite at step 3.*vizkit\.moody\(0\.001\)"):
        next(ascent)
    assert np.array_equal(ascent.pictures, ascent.frames[2])
    assert ascent.step == 2
    with pytest.raises(Diverged):  # nothing was turned
        ascent.run()
    ascent.regularizer = vizkit.l2(1e-4)
    ascent.run()
    assert [step.index for step in ascent.history] == list(range(7))
    assert ascent.history[-1].score > ascent.history[0].score


def test_an_optimizer_that_swallowed_a_nan_gradient_starts_afresh(tiny, monkeypatch):
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())

    @vizkit.regularizer("penalty")
    def length(image):
        return image.square().sum(dim=(1, 2, 3)).sqrt()  # finite at zero, where its gradient is not

    ascent = vizkit.ascend(tiny, "star", regularizer=length(1e-3), optimizer="adam", start="zero", steps=5)
    with pytest.raises(Diverged, match="image is no longer finite at step 0"):
        ascent.run()
    assert not ascent.image.any()
    ascent.regularizer = vizkit.none()
    assert ascent.run().history[-1].score > ascent.history[0].score


class NaNWhenBright(nn.Module):
    def __init__(self, cnn):
        super().__init__()
        self.cnn = cnn

    def forward(self, image):
        return self.cnn(image) + torch.where(image.amax(dim=(1, 2, 3)) > 9, torch.nan, 0.0)[:, None]


def test_a_score_that_is_not_finite_stops_the_ascent_even_as_its_last_look(make_cnn):
    net = vizkit.Classifier(NaNWhenBright(make_cnn(3, 4)), **RGB)
    ascent = vizkit.ascend(net, 0, steps=1, learning_rate=1e5)
    next(ascent)
    with pytest.raises(Diverged, match="class score is not finite at step 1"):
        ascent.run()
    assert torch.equal(ascent.image, ascent.start_image)
    ascent.finish()  # the last good image is the result
    assert (ascent.finished, ascent.step) == (True, 0)


def test_a_network_of_one_class_has_no_rival_but_climbs(make_cnn):
    net = vizkit.Classifier(make_cnn(1, 1), **GRAY)
    ascent = vizkit.ascend(net, 0, steps=3).run()
    assert ascent.history[-1].score > ascent.history[0].score


def test_a_class_label_is_only_text(make_cnn):
    label = "<img src=x onerror=alert(1)>"
    net = vizkit.Classifier(make_cnn(1, 2), [label, "b"], **GRAY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert vizkit.ascend(net, label, steps=1).run().labels == [label]
