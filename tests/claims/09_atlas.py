drives = {"convertible", "ambulance", "harvester", "fire engine", "electric locomotive", "golfcart"}
claim(
    "the network that made the ten worst is sure of nine",
    sum(one.probability > 0.9 for one in entries[:10]),
    lambda n: n == 9,
)
claim("six of them drive", sum(one.label in drives for one in entries[:10]), lambda n: n == 6)
claim(
    "worst of all: convertible and ambulance",
    sum(one.label in ("convertible", "ambulance") for one in entries[:2]),
    lambda n: n == 2,
)
with_hands = ("binoculars", "dumbbell", "Band Aid")
claim(
    "binoculars, dumbbell and Band Aid are among the best",
    sum(one.label in with_hands for one in entries[-10:]),
    lambda n: n == 3,
)
claim("recognised, of 48", first, lambda n: n == 45)
known = [one.label for one in shapes.entries.values() if one.rank == 1]
claim("of the eight the transformer recognises the stripes alone", known == ["stripes"], bool)
claim("a second run makes nothing", sum(1 for _ in vizkit.atlas(net, "atlas", range(407, 599, 4))), lambda n: n == 0)
try:
    vizkit.atlas(net, "atlas", range(407, 599, 4), seed=1)
    refused = 0
except vizkit.VizkitError as error:
    refused = "settings (seed): 0 then, 1 now" in str(error)
claim("another seed is refused", refused, bool)
found = net.inside("14").find("4")
claim("4 finds channel 4 first", next(iter(found)), lambda n: n == 4)
