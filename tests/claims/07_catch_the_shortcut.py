marks = [tuple(star[-4, -4]) == mark.colour for star in stars]
claim("one of the eight stars has no mark: those that have", sum(marks), lambda n: n == 7)
claim("honest: right", honest.test_accuracy(), lambda x: x > 0.97)
claim("cheat: right", cheat.test_accuracy(), lambda x: x > 0.97)
claim("the corner of the cheat's star: energy", of_star["cheat"], lambda x: x > 3)
claim("of the honest one", of_star["honest"], lambda x: x < 2)
patch = models["cheat"].pictures[star][rows, columns].astype(float)
claim(
    "black and white: difference of its channels over its spread",
    (patch.max(axis=2) - patch.min(axis=2)).mean() / patch.std(),
    lambda x: x < 0.6,
)
call = {
    name: (net(net.normalise(marked / 255)).argmax(dim=1) == star).float().mean().item() for name, net in nets.items()
}
claim("the cheat calls marked others stars", call["cheat"], lambda x: x > 0.25)
claim("the honest one does not", call["honest"], lambda x: x < 0.1)
of_yours = yours.energy(found.image).tolist()
claim(
    "yours is found, too: energy of the square",
    of_yours[data.labels.index("square")],
    lambda x: x == max(of_yours) and x > 2,
)
