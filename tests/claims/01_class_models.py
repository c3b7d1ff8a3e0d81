from itertools import pairwise

claim("noise around zero: mean", ascent.start_image.mean().item(), lambda x: abs(x) < 0.01)
claim("one sees the noise: its spread", ascent.start_image.std().item(), lambda x: x > 0.09)
claim("this network is certain", ascent.history[-1].probability, lambda p: p > 0.99)
claim("the other one is not", opinion.probability, lambda p: p < 0.2)
hand, spider = (vizkit.lessons.statistics(run.pictures)[0] for run in (ascent, spider_model))
claim("confetti: roughness over that of the spider", hand["roughness"] / spider["roughness"], lambda x: x > 2)
seen = vizkit.second_opinion(spider_model.pictures, "black widow")[0]
claim("a stranger calls it a spider: second opinion", seen.probability, lambda p: p > 0.6)
claim("so does the other network: rank", seen.rank, lambda rank: rank == 1)
red, green, blue = spider_model.picture.astype(float).transpose(2, 0, 1)
claim("something red on it: share", ((red > green + 40) & (red > blue + 40)).mean(), lambda x: x > 0.005)
falls = {}
for rate in (1.0, 0.01, 0.001):
    run = vizkit.ascend(net, "black widow", regularizer=vizkit.l2(1e-4), learning_rate=rate, steps=60, seed=0).run()
    scores = [step.score for step in run.history[:-1]]
    falls[rate] = sum(after < before for before, after in pairwise(scores))
claim("at a rate of 1 the score falls in many steps", falls[1.0], lambda n: 12 < n < 32)
claim("at 0.01 in fewer", falls[0.01], lambda n: n < falls[1.0])
claim("at 0.001 in none", falls[0.001], lambda n: n == 0)
