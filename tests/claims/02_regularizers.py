of = dict(zip(penalties, statistics(flamingos.pictures), strict=True))
claim(
    "L2: fades to grey, magnitude over none's",
    of["L2"]["mean magnitude"] / of["none"]["mean magnitude"],
    lambda x: x < 0.6,
)
claim("L2: fades to grey, saturation over none's", of["L2"]["saturation"] / of["none"]["saturation"], lambda x: x < 0.8)
claim("L1: the page is empty, near zero", of["L1"]["near zero"], lambda x: x > 0.7)
bird = vizkit.second_opinion(flamingos.pictures[2], "flamingo")[0]
claim("L1: the bird stays, second opinion", bird.probability, lambda p: p > 0.3 and bird.rank == 1)
claim(
    "total variation: soft, roughness over none's",
    of["total variation"]["roughness"] / of["none"]["roughness"],
    lambda x: x < 0.75,
)
claim(
    "total variation: lights and shadows cost nothing, magnitude over none's",
    of["total variation"]["mean magnitude"] / of["none"]["mean magnitude"],
    lambda x: x > 1,
)
claim("from black, the page is black: mean of 255", black.picture.mean(), lambda x: x < 50)
claim("from zero, it is grey", zoo["L1"].pictures[1].mean(), lambda x: 110 < x < 145)
score = {name: run.history[-1].score for name, run in runs.items()}
claim("jitter: worth less, score over nothing's", score["jitter"] / score["nothing"], lambda x: x < 0.85)
claim(
    "jitter does not take fine patterns away: roughness over nothing's",
    rough["jitter"] / rough["nothing"],
    lambda x: x > 0.8,
)
claim("total variation does", rough["total variation"] / rough["nothing"], lambda x: x < 0.5)
claim("blur does", rough["blur"] / rough["nothing"], lambda x: x < 0.5)
claim("the soft threshold stops pixels at zero: share", exact, lambda x: x > 0.15)
empty = [one["near zero"] for one in statistics(sweep.pictures)]
claim("the stronger L1, the emptier", empty[-1], lambda x: sorted(empty) == empty and x > 0.8)
