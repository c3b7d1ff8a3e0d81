lemon, orange_index = net.index("lemon"), net.index("orange")
with torch.no_grad():
    before, after = net(orange.image)[0], {name: net(run.image)[0] for name, run in lemons.items()}
sure = {name: scores.softmax(dim=0)[lemon].item() for name, scores in after.items()}
claim("the start is an orange: p of lemon", before.softmax(dim=0)[lemon].item(), lambda p: p < 0.01)
claim("each time the network is sure of a lemon: least p", min(sure.values()), lambda p: p > 0.9)
own = {name: (scores - before)[lemon].item() for name, scores in after.items()}
rival = {name: (scores - before)[orange_index].item() for name, scores in after.items()}
claim("by the score, lemon's rises", own["score"], lambda x: x > 3)
claim("by the probability, less lemon than before", own["probability"], lambda x: x < 0)
claim("by the logarithm, no more either", own["log_probability"], lambda x: x < 1)
claim("it took the orange out: its score", rival["probability"], lambda x: x < -10)


def yellow(run):
    """Green over red, where the fruit is."""
    red, green, _ = run.picture[160:, 120:190].reshape(-1, 3).mean(axis=0)
    return green / red


for name, run in lemons.items():
    claim(
        f"the fruit turns yellow, by the {name}: green over red, over the start's",
        yellow(run) / yellow(orange),
        lambda x: x > 1.05,
    )
judge = {name: vizkit.second_opinion(run.pictures, "lemon")[0].probability for name, run in lemons.items()}
claim("a second network sees the lemon by the score", judge["score"], lambda p: p > judge["probability"])
lengths = {}
for name in objectives:
    start = plain.start_image.clone().requires_grad_(True)
    scores = net(start)[0]
    climbed = {"score": scores, "probability": scores.softmax(dim=0), "log_probability": scores.log_softmax(dim=0)}
    lengths[name] = torch.autograd.grad(climbed[name][net.index("tiger")], start)[0].norm().item()
claim(
    "near zero there is next to no slope: the score's over it",
    lengths["score"] / lengths["probability"],
    lambda x: x > 1000,
)
claim("the logarithm has one: the score's over it", lengths["score"] / lengths["log_probability"], lambda x: x < 2)
stuck = vizkit.ascend(net, "tiger", objective="probability", steps=40).run()
claim(
    "after 40 steps it has not left its start: largest move",
    (stuck.image - stuck.start_image).abs().max().item(),
    lambda x: x < 0.05,
)
