"""What batch norms remember of photographs, and the regularizer that asks for it."""

import copy
import threading

import pytest
import torch
from conftest import RGB
from test_widgets import as_acts
from torch import nn
from torchvision.ops.misc import FrozenBatchNorm2d

import vizkit
from vizkit import VizkitError
from vizkit.networks import watched

COST = vizkit.natural_statistics
QUICK = {"steps": 3, "learning_rate": 0.1, "seed": 1}


@pytest.fixture(autouse=True)
def chance():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def trained(layers):
    """The layers, whose batch norms have seen pictures of some kind, with gains of either sign."""
    cnn = nn.Sequential(*layers).train()
    for layer in cnn.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.affine:
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    for _ in range(30):
        cnn(0.5 + torch.randn(16, 3, 32, 32).cumsum(dim=3) / 6)
    return cnn.eval()


def block(norm=nn.BatchNorm2d, inputs=3):
    return [nn.Conv2d(inputs, 8, 3, padding=1), norm(8), nn.ReLU(inplace=True)]


def end():
    return [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 5)]


class Around(nn.Module):
    """Runs its layers one by one, so that nothing can be folded."""

    def __init__(self, *layers, forward=lambda layer, image: layer(image)):
        super().__init__()
        self.layers, self.how = nn.ModuleList(layers), forward

    def forward(self, image):
        for layer in self.layers:
            image = self.how(layer, image)
        return image


def classifier(module):
    return vizkit.Classifier(module, **RGB, device="cpu")


def costs(net, image, **options):
    """The penalty of images that are shown as they are."""
    steps = vizkit.ascend(net, [0] * len(image), regularizer=COST(1, **options), start=image, **QUICK)
    return torch.tensor(next(steps).penalties)


def by_hand(module, image, layers=5):
    """The formula, on the module as it is: of the input of every batch norm, each image alone."""
    found = []

    def keep(norm, inputs, _):
        values, scale = inputs[0], (norm.running_var + norm.eps).sqrt()
        mean = (values.mean(dim=(2, 3)) - norm.running_mean) / scale
        spread = (values.std(dim=(2, 3), correction=0) - norm.running_var.sqrt()) / scale
        found.append(mean.square().mean(dim=1) + spread.square().mean(dim=1))

    module = copy.deepcopy(module)
    for layer in module.modules():
        if hasattr(layer, "running_var"):
            layer.register_forward_hook(keep)
    with torch.no_grad():
        module.eval()(image.clone())
    return torch.stack(found[-layers:]).mean(dim=0)


NETWORKS = {
    "one": lambda: trained([*block(), *end()]),
    "many": lambda: trained([*block(), *block(inputs=8), *block(inputs=8), *end()]),
    "behind nothing": lambda: trained([nn.BatchNorm2d(3), *block(), *end()]),
    "not folded": lambda: Around(*trained([*block(), *block(inputs=8), *end()])),
    "shared": lambda: trained([*block(), *(2 * [nn.Sequential(*block(inputs=8))]), *end()]),
    "affine-free": lambda: trained([*block(lambda n: nn.BatchNorm2d(n, affine=False)), *end()]),
    "frozen": lambda: trained([*block(frozen), *end()]),
    "in double precision": lambda: trained([*block(), *end()]).double(),
}


def frozen(channels):
    norm = FrozenBatchNorm2d(channels)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    return norm


@pytest.fixture
def image():
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("kind", NETWORKS)
def test_it_is_the_formula_on_the_module_as_it_is_folded_or_not(kind, image):
    module = NETWORKS[kind]()
    expected = by_hand(module, image.to(next(module.parameters()).dtype)).float()
    torch.testing.assert_close(costs(classifier(module), image), expected, rtol=1e-3, atol=1e-5)


def test_only_the_last_layers_count(image):
    module = NETWORKS["many"]()
    for layers in (1, 2, 3, 50):
        torch.testing.assert_close(
            costs(classifier(module), image, layers=layers), by_hand(module, image, layers), rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("fold", [True, False])
def test_it_is_zero_for_what_the_network_remembers(fold, image):
    """A network that remembers this very picture."""
    cnn = trained([*block(), *block(inputs=8), *end()]).train()
    for layer in cnn.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        cnn(image[:1])
    for layer in cnn.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_var *= (32 * 32 - 1) / (32 * 32)  # torch remembers the unbiased one, but trains with this
    cost = costs(classifier(cnn if fold else Around(*cnn)), image)
    assert cost[0] < 1e-6
    assert cost[1:].min() > 1e-3


def test_channels_that_do_not_vary_tell_nothing(image):
    """Pruned ones, say: behind the norm only rounding is left of them."""
    cnn = trained([*block(), *end()])
    with torch.no_grad():
        cnn[1].weight[:4] = torch.tensor([0.0, 1e-9, 1e-6, -1e-6])
    both = [costs(classifier(module), image) for module in (cnn, Around(*cnn))]
    torch.testing.assert_close(*both, rtol=1e-3, atol=1e-5)
    assert (both[0] < by_hand(cnn, image)).all()


def test_its_gradient_is_that_of_its_value(image):
    net = classifier(NETWORKS["many"]())
    start, step = image[:1], 1e-2 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))

    def cost(image):
        with watched(net.network, 1, 1) as activations:
            net(image)
        return COST(1).penalty(image, activations=activations).sum()

    leaf = start.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(cost(leaf), leaf)
    rise = cost(start + step) - cost(start - step)
    torch.testing.assert_close((2 * gradient * step).sum(), rise, rtol=0.02, atol=1e-4)


def test_a_flat_image_has_a_gradient(image):
    net = classifier(NETWORKS["many"]())
    ascent = vizkit.ascend(net, 0, regularizer=COST(1), start=torch.zeros(1, 3, 32, 32), **QUICK).run()
    assert ascent.image.isfinite().all()


def test_each_image_grows_as_it_would_alone(image):
    net, each = classifier(NETWORKS["many"]()), [vizkit.none(), COST(1), COST(3) + vizkit.l2(1e-3)]
    views = vizkit.crops(0.5, count=2)
    together = vizkit.ascend(net, [0, 1, 2], regularizer=vizkit.side_by_side(each) + views, start=image, **QUICK).run()
    for at, one in enumerate(each):
        alone = vizkit.ascend(net, at, regularizer=one + views, start=image[at : at + 1], **QUICK).run()
        torch.testing.assert_close(together.image[at], alone.image[0], rtol=1e-3, atol=1e-4)
        assert together.history[0].penalties[at] == pytest.approx(alone.history[0].penalties[0], rel=1e-3)


def test_views_of_an_image_count_together(image):
    """Two halves of a picture that together are what the network remembers: neither is, alone."""
    net = classifier(NETWORKS["one"]())
    with watched(net.network, 2, 1) as activations:
        net(image[:2])
    with watched(net.network, 1, 2) as apart:
        net(image[:2])
    (both,), (each,) = activations, apart
    assert both.values.shape == (2, 1, 8, 32, 32)
    assert torch.equal(both.values[:, 0], each.values[0])
    pooled = both.values.transpose(0, 1).flatten(3).movedim(1, 3).flatten(2)
    mean = (pooled.mean(dim=2) - both.mean) / both.scale
    spread = (pooled.std(dim=2, correction=0) - both.spread) / both.scale
    expected = mean.square().mean() + spread.square().mean()
    torch.testing.assert_close(COST(1).penalty(image[:1], activations=activations)[0], expected, rtol=1e-3, atol=1e-5)


def add_in_place(layer, image):
    result = layer(image)
    return result.add_(1).relu_() if isinstance(layer, nn.Sequential) else result


def test_what_the_network_writes_over_later_counts_as_it_was(image):
    parts = trained([nn.Sequential(*block()[:2]), nn.Sequential(*block(inputs=8)[:2]), *end()])
    module = Around(*parts, forward=add_in_place)
    net = classifier(module)
    assert not any(hasattr(layer, "running_mean") for layer in net.network.modules())  # folded
    torch.testing.assert_close(costs(net, image), by_hand(module, image), rtol=1e-3, atol=1e-5)


NONE = {
    "none": lambda n: nn.Identity(),
    "group norm": lambda n: nn.GroupNorm(2, n),
    "instance norm": lambda n: nn.InstanceNorm2d(n, track_running_stats=True, affine=True),
    "layer norm": lambda n: nn.LayerNorm((n, 32, 32)),
    "without statistics": lambda n: nn.BatchNorm2d(n, track_running_stats=False),
}


@pytest.mark.filterwarnings("ignore:.*when another is beside it")
@pytest.mark.parametrize("kind", NONE)
def test_where_no_batch_norm_remembers_it_is_refused_before_anything_starts(kind):
    net = classifier(trained([*block(NONE[kind]), *end()]))
    with pytest.raises(VizkitError, match=r"natural_statistics\(16\).*batch norm.*Sequential has none"):
        vizkit.ascend(net, 0, regularizer=COST(16))
    ascent = vizkit.ascend(net, 0, **QUICK)
    with pytest.raises(VizkitError, match="batch norm"):
        ascent.turn(regularizer=COST(16))
    assert ascent.run().regularizer == vizkit.none()


def test_a_batch_norm_that_never_runs_is_none():
    cnn = trained([*block(NONE["group norm"]), *end()])
    cnn.register_module("spare", nn.BatchNorm2d(8))
    net = classifier(Around(*list(cnn)[:-1]))
    with pytest.raises(VizkitError, match="batch norm"):
        vizkit.ascend(net, 0, regularizer=COST(16))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["traced", "exported"])
def test_a_program_has_no_layers_to_listen_to(kind):
    cnn, example = trained([*block(), *end()]), torch.zeros(2, 3, 32, 32)
    any_batch = {"dynamic_shapes": ({0: torch.export.Dim.DYNAMIC},)}
    program = torch.jit.trace(cnn, example) if kind == "traced" else torch.export.export(cnn, (example,), **any_batch)
    with pytest.raises(VizkitError, match="batch norm"):
        vizkit.ascend(classifier(program), 0, regularizer=COST(16))


def test_outside_a_step_it_says_what_it_has_to_know(image):
    with pytest.raises(VizkitError, match=r"activations=…, as an ascent does"):
        COST(image)


def test_nothing_listens_when_nobody_asks_and_nothing_is_left_behind(image):
    net = classifier(NETWORKS["many"]())
    layers = list(net.network.modules())
    for _ in vizkit.ascend(net, 0, regularizer=COST(1), **QUICK):
        assert not any(layer._forward_hooks for layer in layers)
    with pytest.raises(RuntimeError, match="channels"), watched(net.network, 1, 1):
        net(torch.zeros(1, 5, 32, 32))
    assert not any(layer._forward_hooks for layer in layers)


def test_a_picture_with_it_is_made_again_from_its_file(tmp_path):
    net = vizkit.load("fashion")
    ascent = vizkit.ascend(net, "bag", regularizer=COST(2, layers=2) + vizkit.jitter(1), **QUICK).run()
    assert "vizkit.natural_statistics(2, layers=2)" in ascent.code()
    again = vizkit.reproduce(ascent.save(tmp_path / "bag.png"))
    assert torch.equal(again.image, ascent.image)


def test_the_explorer_offers_it_and_says_where_it_cannot_be(image):
    explorer = vizkit.Explorer("shapes", "star", steps=2)
    row = explorer.controls.penalties.rows[-1]
    row.kind.value = "natural_statistics"
    assert "natural_statistics(16)" in str(explorer.run().regularizer)
    without = vizkit.Explorer(classifier(trained([*block(NONE["group norm"]), *end()])), 0, steps=2)
    without.controls.penalties.rows[0].kind.value = "natural_statistics"
    without.start.click()
    assert "batch norm" in without.message.value


def test_what_another_thread_runs_meanwhile_is_not_seen(image):
    net, other = classifier(NETWORKS["many"]()), []
    with watched(net.network, 1, 1) as activations:
        thread = threading.Thread(target=lambda: other.append(net(image[1:2])))
        thread.start()
        thread.join()
        assert (len(other), activations) == (1, [])
        net(image[:1])
    assert len(activations) == 3


@pytest.mark.parametrize("net", [nn.Sequential, Around], ids=["folded", "not folded"])
def test_a_network_that_was_never_trained_remembers_nothing(net):
    norms = [*block(), *block(inputs=8), *end()]
    with pytest.raises(VizkitError, match="batch norm"):
        vizkit.ascend(classifier(net(*norms).eval()), 0, regularizer=COST(16))
    norms[4].running_mean += 0.1  # one that was suffices
    with watched((trained_once := classifier(net(*norms).eval())).network, 1, 1) as seen:
        trained_once(torch.zeros(1, 3, 32, 32))
    assert len(seen) == 1


def test_a_recipe_suits_a_network_without_batch_norm():
    """By its name, and with other steps; what one asks for by hand is refused."""
    full, rest = vizkit.recipe("vizkit").regularizer, vizkit.recipe("vizkit").regularizer.without("activations")
    assert full == rest + COST(16)
    with_norm, without = (classifier(trained([*block(norm), *end()])) for norm in (nn.BatchNorm2d, NONE["group norm"]))
    for recipe in ("vizkit", vizkit.recipe("vizkit"), vizkit.recipe("vizkit").but(steps=3)):
        assert vizkit.ascend(with_norm, 0, recipe=recipe).regularizer == full
        assert vizkit.ascend(without, 0, recipe=recipe).regularizer == rest
    for recipe in (vizkit.recipe("vizkit").but(regularizer=COST(16)), vizkit.Recipe(regularizer=full)):
        with pytest.raises(VizkitError, match="recipe by its name"):
            vizkit.ascend(without, 0, recipe=recipe)


def test_the_explorers_preset_suits_the_network_that_is_chosen():
    full, rest = vizkit.recipe("vizkit").regularizer, vizkit.recipe("vizkit").regularizer.without("activations")
    with_norm, without = (classifier(trained([*block(norm), *end()])) for norm in (nn.BatchNorm2d, NONE["group norm"]))
    explorer = vizkit.Explorer(without, 0, recipe="vizkit", steps=1)
    explorer.controls.preset.value = "small"
    for net, regularizer in ((without, rest), (with_norm, full), (without, rest)):
        explorer._show_network(net)
        explorer.controls.preset.value = "vizkit"
        assert explorer.controls.preset.value == "vizkit"
        assert as_acts(explorer.controls.regularizer()) == as_acts(regularizer)
        other = with_norm if net is without else without
        explorer._show_network(other)
        assert explorer.controls.preset.value == "vizkit"
        assert as_acts(explorer.controls.regularizer()) == as_acts(full if other is with_norm else rest)
    explorer.controls.steps.value = 2
    assert explorer.run().step == 2
