import numpy as np

claim("a photograph's score", score, lambda x: 5 < x < 15)
claim("that of its class model, plain pixels, over it", classical.history[-1].scores[0] / score, lambda x: x > 3)
unseen = vizkit.second_opinion(classical.pictures, classical.labels)
claim("the second network sees anything but that: highest p", max(one.probability for one in unseen), lambda p: p < 0.1)
smooth, fine = (
    np.mean([one["roughness"] for one in vizkit.lessons.statistics(run.pictures)]) for run in (ours, classical)
)
claim(
    "patterns far finer than in a photograph: roughness over the cat's",
    fine / vizkit.lessons.statistics(np.asarray(cat)[None])[0]["roughness"],
    lambda x: x > 4,
)
claim("all six: second opinion", said["all six"], lambda p: p > 0.6)
claim("without frequencies they fall apart", said["without frequencies"] - said["all six"], lambda x: x < -0.15)
claim(
    "twelve to be named, two of them garden spiders",
    len(truth),
    lambda n: n == 12 and truth.count("garden spider") == 2,
)
