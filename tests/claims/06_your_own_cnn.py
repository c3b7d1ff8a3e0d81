claim("about 90 of 100: accuracy", accuracy, lambda x: x > (0.87 if data.name == "Fashion-MNIST" else 0.5))
claim("none is empty: least spread of 255", min(picture.std() for picture in models.pictures), lambda x: x > 13)
claim("the same class models, loaded again", float((same.pictures == models.pictures).all()), lambda x: x == 1)
claim("the CNN knows most of the transformer's shapes: p", by_cnn, lambda p: p > 0.65)
claim("first", sum(one.rank == 1 for one in opinions[1]), lambda n: n >= 6)
usual = vizkit.ascend(transformer, shapes.labels, recipe="small", seed=0).run().pictures
unshifted = np.mean([one.probability for one in vizkit.second_opinion(usual, shapes.labels, shapes)])
claim("shifted by one pixel it convinces less: share", unshifted / by_cnn, lambda x: x < 0.7)
known = [one.target for one in opinions[0] if one.probability > 0.5]
claim("the transformer knows the stripes alone", len(known), lambda n: known == ["stripes"])
rough = [vizkit.lessons.statistics(one.pictures) for one in drawn]
edges, areas = (np.mean([one["roughness"] for one in row]) for row in rough)
claim("edges against areas: roughness", edges / areas, lambda x: x > 2.5)


def borders(pictures):
    """How much more neighbours differ across the borders of patches than inside."""
    steps = [np.abs(np.diff(pictures.astype(float), axis=axis)).mean(axis=(0, 3 - axis, 3)) for axis in (1, 2)]
    across = [values[7::8].mean() for values in steps]
    inside = [np.delete(values, slice(7, None, 8)).mean() for values in steps]
    return float(np.mean(across) / np.mean(inside))


claim(
    "the patches show: differences across their borders over those inside", borders(bare[1].pictures), lambda x: x > 1.8
)
claim("the CNN's do not", borders(bare[0].pictures), lambda x: x < 1.1)
