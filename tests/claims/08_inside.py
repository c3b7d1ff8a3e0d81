best = {("4", 18): "brick", ("7", 4): "coins", ("7", 12): "page", ("14", 0): "chelsea", ("14", 28): "coffee"}
seen = {one: names[order[0] // 6] for one, (_, _, order) in found.items()}  # of each photograph six pieces were cut
claim(
    "brick wall, coins, page, cat and cup excite the five most",
    sum(seen[one] == best[one] for one in best),
    lambda n: n == 5,
)
colourful = [np.mean([one["saturation"] for one in vizkit.lessons.statistics(rows[layer].pictures)]) for layer in units]
claim("colours above, in layer 2: saturation over that of layer 7", colourful[0] / colourful[2], lambda x: x > 1.5)
claim("the six of the largest weights give little", shares[six].sum().item(), lambda x: 0.03 < x < 0.12)
claim("most of it comes from a hundred", shares.topk(100).values.sum().item(), lambda x: 0.75 < x < 0.95)
claim("hundreds of units speak for it", (shares > 0).sum().item(), lambda n: 350 < n < 600)
width = {}
for layer in ("4", "7", "14"):
    image = torch.full((1, 3, 224, 224), 0.1).normal_(generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(net.inside(layer, at="centre")(image)[0, 4], image)
    width[layer] = int((gradient.abs().sum(dim=(0, 1, 2)) > 0).sum())
claim("pixels that a neuron of layer 4 sees", width["4"], lambda n: n == 19)
claim("of layer 7", width["7"], lambda n: n == 83)
claim("of layer 14", width["14"], lambda n: n == 224)
